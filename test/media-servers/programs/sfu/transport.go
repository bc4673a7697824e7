package main

import (
	"log"
	"strings"

	"github.com/pion/webrtc/v4"
)

type transport struct {
	gatherer *webrtc.ICEGatherer
	ice      *webrtc.ICETransport
	dtls     *webrtc.DTLSTransport
	// Closed when packets can go.
	connected chan struct{}
}

type iceParameters struct {
	UsernameFragment string `json:"usernameFragment"`
	Password         string `json:"password"`
	IceLite          bool   `json:"iceLite"`
}

type iceCandidate struct {
	Foundation string `json:"foundation"`
	Priority   uint32 `json:"priority"`
	Address    string `json:"address"`
	IP         string `json:"ip"`
	Port       uint16 `json:"port"`
	Protocol   string `json:"protocol"`
	Type       string `json:"type"`
}

type dtlsParameters struct {
	Role         string                   `json:"role"`
	Fingerprints []webrtc.DTLSFingerprint `json:"fingerprints"`
}

type transportParameters struct {
	ID             string         `json:"id"`
	IceParameters  iceParameters  `json:"iceParameters"`
	IceCandidates  []iceCandidate `json:"iceCandidates"`
	DtlsParameters dtlsParameters `json:"dtlsParameters"`
}

func (r *room) transport(nothing) (*transportParameters, error) {
	gatherer, err := r.api.NewICEGatherer(webrtc.ICEGatherOptions{})
	if err != nil {
		return nil, err
	}
	gathered := make(chan struct{})
	gatherer.OnLocalCandidate(func(candidate *webrtc.ICECandidate) {
		if candidate == nil {
			close(gathered)
		}
	})
	t := &transport{gatherer: gatherer, ice: r.api.NewICETransport(gatherer), connected: make(chan struct{})}
	if t.dtls, err = r.api.NewDTLSTransport(t.ice, nil); err != nil {
		return nil, err
	}
	if err = gatherer.Gather(); err != nil {
		return nil, err
	}
	<-gathered
	ice, err := gatherer.GetLocalParameters()
	if err != nil {
		return nil, err
	}
	candidates, err := gatherer.GetLocalCandidates()
	if err != nil {
		return nil, err
	}
	dtls, err := t.dtls.GetLocalParameters()
	if err != nil {
		return nil, err
	}
	answer := &transportParameters{
		IceParameters:  iceParameters{UsernameFragment: ice.UsernameFragment, Password: ice.Password, IceLite: true},
		DtlsParameters: dtlsParameters{Role: "auto"},
	}
	for _, one := range dtls.Fingerprints {
		// As mediasoup writes them; Firefox takes no other.
		one.Value = strings.ToUpper(one.Value)
		answer.DtlsParameters.Fingerprints = append(answer.DtlsParameters.Fingerprints, one)
	}
	for _, one := range candidates {
		answer.IceCandidates = append(answer.IceCandidates, iceCandidate{
			Foundation: one.Foundation, Priority: one.Priority, Address: one.Address, IP: one.Address, Port: one.Port,
			Protocol: one.Protocol.String(), Type: one.Typ.String(),
		})
	}
	answer.ID = add(r, r.transports, t)
	t.dtls.OnStateChange(func(state webrtc.DTLSTransportState) {
		if state == webrtc.DTLSTransportStateFailed || state == webrtc.DTLSTransportStateClosed {
			r.leave(answer.ID)
		}
	})
	t.ice.OnConnectionStateChange(func(state webrtc.ICETransportState) {
		if state == webrtc.ICETransportStateFailed {
			_ = t.dtls.Stop()
			_ = t.ice.Stop()
			r.leave(answer.ID)
		}
	})
	return answer, nil
}

// connection is what the client says of itself. pion wants its ICE parameters too, which mediasoup does not ask for.
type connection struct {
	Transport      string         `json:"transport"`
	IceParameters  iceParameters  `json:"iceParameters"`
	DtlsParameters dtlsParameters `json:"dtlsParameters"`
}

func (r *room) connect(to connection) (*nothing, error) {
	t, err := find(r, r.transports, to.Transport)
	if err != nil {
		return nil, err
	}
	go func() {
		controlled := webrtc.ICERoleControlled
		ice := webrtc.ICEParameters{
			UsernameFragment: to.IceParameters.UsernameFragment, Password: to.IceParameters.Password,
		}
		err := t.ice.Start(nil, ice, &controlled)
		if err == nil {
			role := webrtc.DTLSRoleServer
			if to.DtlsParameters.Role == "client" {
				role = webrtc.DTLSRoleClient
			}
			err = t.dtls.Start(webrtc.DTLSParameters{Role: role, Fingerprints: to.DtlsParameters.Fingerprints})
		}
		if err != nil {
			log.Printf("transport %s: %v", to.Transport, err)
			return
		}
		close(t.connected)
	}()
	return &nothing{}, nil
}
