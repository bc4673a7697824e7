package main

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/pion/webrtc/v4"
)

type room struct {
	api        *webrtc.API
	mutex      sync.Mutex
	last       int
	transports map[string]*transport
	producers  map[string]*producer
	isClosing  bool
	empty      chan struct{}
}

func newRoom(api *webrtc.API) *room {
	return &room{
		api:        api,
		transports: map[string]*transport{},
		producers:  map[string]*producer{},
		empty:      make(chan struct{}),
	}
}

// id is called with the mutex held.
func (r *room) id() string {
	r.last++
	return strconv.Itoa(r.last)
}

func (r *room) leave(id string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.transports, id)
	if r.isClosing && len(r.transports) == 0 {
		close(r.empty)
		r.isClosing = false
	}
}

// close waits for the transports that are open.
func (r *room) close() {
	r.mutex.Lock()
	isEmpty := len(r.transports) == 0
	r.isClosing = true
	r.mutex.Unlock()
	if !isEmpty {
		<-r.empty
	}
}

func find[T any](r *room, of map[string]*T, id string) (*T, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	found, ok := of[id]
	if !ok {
		return nil, fmt.Errorf("%T %s is not known", found, id)
	}
	return found, nil
}

func add[T any](r *room, to map[string]*T, one *T) string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	id := r.id()
	to[id] = one
	return id
}

type nothing struct{}

type rtpCodec struct {
	Kind                 string             `json:"kind,omitempty"`
	MimeType             string             `json:"mimeType"`
	PreferredPayloadType webrtc.PayloadType `json:"preferredPayloadType,omitempty"`
	PayloadType          webrtc.PayloadType `json:"payloadType,omitempty"`
	ClockRate            uint32             `json:"clockRate"`
	Channels             uint16             `json:"channels,omitempty"`
	RTCPFeedback         []rtcpFeedback     `json:"rtcpFeedback"`
	Parameters           nothing            `json:"parameters"`
}

type rtcpFeedback struct {
	Type      string `json:"type"`
	Parameter string `json:"parameter"`
}

type capabilities struct {
	Codecs           []rtpCodec `json:"codecs"`
	HeaderExtensions []nothing  `json:"headerExtensions"`
}

func (r *room) capabilities(nothing) (*capabilities, error) {
	all := &capabilities{HeaderExtensions: []nothing{}}
	for kind, codec := range codecs {
		all.Codecs = append(all.Codecs, rtpCodec{
			Kind: kind.String(), MimeType: codec.MimeType, PreferredPayloadType: codec.PayloadType,
			ClockRate: codec.ClockRate, Channels: codec.Channels, RTCPFeedback: feedback(codec),
		})
	}
	return all, nil
}

func feedback(codec webrtc.RTPCodecParameters) []rtcpFeedback {
	all := []rtcpFeedback{}
	for _, one := range codec.RTCPFeedback {
		all = append(all, rtcpFeedback{Type: one.Type, Parameter: one.Parameter})
	}
	return all
}
