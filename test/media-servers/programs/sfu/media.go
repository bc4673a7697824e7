package main

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

const keyFramesEvery = time.Second

type producer struct {
	kind webrtc.RTPCodecType
	// What consumers send on.
	output *webrtc.TrackLocalStaticRTP
}

type rtpEncoding struct {
	SSRC webrtc.SSRC `json:"ssrc"`
}

type rtcpParameters struct {
	CNAME       string `json:"cname"`
	ReducedSize bool   `json:"reducedSize"`
	Mux         bool   `json:"mux"`
}

type rtpParameters struct {
	Codecs           []rtpCodec     `json:"codecs"`
	HeaderExtensions []nothing      `json:"headerExtensions"`
	Encodings        []rtpEncoding  `json:"encodings"`
	RTCP             rtcpParameters `json:"rtcp"`
}

type production struct {
	Transport     string `json:"transport"`
	Kind          string `json:"kind"`
	RtpParameters struct {
		Encodings []rtpEncoding `json:"encodings"`
	} `json:"rtpParameters"`
}

type produced struct {
	ID string `json:"id"`
}

func (r *room) produce(wanted production) (*produced, error) {
	t, err := find(r, r.transports, wanted.Transport)
	if err != nil {
		return nil, err
	}
	kind := webrtc.NewRTPCodecType(wanted.Kind)
	output, err := webrtc.NewTrackLocalStaticRTP(codecs[kind].RTPCodecCapability, wanted.Kind, "room")
	if err != nil {
		return nil, err
	}
	receiver, err := r.api.NewRTPReceiver(kind, t.dtls)
	if err != nil {
		return nil, err
	}
	<-t.connected
	parameters := webrtc.RTPReceiveParameters{}
	for _, encoding := range wanted.RtpParameters.Encodings {
		coding := webrtc.RTPCodingParameters{SSRC: encoding.SSRC}
		parameters.Encodings = append(parameters.Encodings, webrtc.RTPDecodingParameters{RTPCodingParameters: coding})
	}
	if err := receiver.Receive(parameters); err != nil {
		return nil, err
	}
	track := receiver.Track()
	go forward(track, output)
	if kind == webrtc.RTPCodecTypeVideo {
		go askForKeyFrames(t, track.SSRC())
	}
	return &produced{ID: add(r, r.producers, &producer{kind: kind, output: output})}, nil
}

// forward ends with the track.
func forward(track *webrtc.TrackRemote, output *webrtc.TrackLocalStaticRTP) {
	buffer := make([]byte, 1500)
	for {
		size, _, err := track.Read(buffer)
		if err != nil {
			return
		}
		_, _ = output.Write(buffer[:size])
	}
}

// askForKeyFrames has a sender send whole pictures, so that one who has just joined sees something.
func askForKeyFrames(t *transport, ssrc webrtc.SSRC) {
	for range time.Tick(keyFramesEvery) {
		if _, err := t.dtls.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(ssrc)}}); err != nil {
			return
		}
	}
}

type consumption struct {
	Transport string `json:"transport"`
	Producer  string `json:"producer"`
}

type consumed struct {
	ID            string        `json:"id"`
	ProducerID    string        `json:"producerId"`
	Kind          string        `json:"kind"`
	RtpParameters rtpParameters `json:"rtpParameters"`
}

func (r *room) consume(wanted consumption) (*consumed, error) {
	t, err := find(r, r.transports, wanted.Transport)
	if err != nil {
		return nil, err
	}
	from, err := find(r, r.producers, wanted.Producer)
	if err != nil {
		return nil, err
	}
	sender, err := r.api.NewRTPSender(from.output, t.dtls)
	if err != nil {
		return nil, err
	}
	parameters := sender.GetParameters()
	if err := sender.Send(parameters); err != nil {
		return nil, err
	}
	codec := codecs[from.kind]
	return &consumed{
		ID:         wanted.Transport + "/" + wanted.Producer,
		ProducerID: wanted.Producer,
		Kind:       from.kind.String(),
		RtpParameters: rtpParameters{
			Codecs: []rtpCodec{{
				MimeType: codec.MimeType, PayloadType: codec.PayloadType,
				ClockRate: codec.ClockRate, Channels: codec.Channels, RTCPFeedback: feedback(codec),
			}},
			HeaderExtensions: []nothing{},
			Encodings:        []rtpEncoding{{SSRC: parameters.Encodings[0].SSRC}},
			RTCP:             rtcpParameters{CNAME: "room", ReducedSize: true, Mux: true},
		},
	}, nil
}
