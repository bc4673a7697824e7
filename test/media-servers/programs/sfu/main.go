// Command sfu is an SFU on pion/webrtc that mediasoup-client takes for a server on mediasoup: transports, producers and
// consumers by their parameters, no SDP. It is ICE Lite, on one port of the pod's address, as a WebRtcServer of mediasoup is.
// Each producer's packets go to all of its consumers. On SIGTERM it takes no further calls, and ends with the last one.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/pion/webrtc/v4"
)

const (
	signallingAddress = ":4443"
	mediaPort         = 40000
)

var codecs = map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
	webrtc.RTPCodecTypeAudio: {
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        111,
	},
	webrtc.RTPCodecTypeVideo: {
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack", Parameter: "pli"}},
		},
		PayloadType: 96,
	},
}

// ofFirefox has its payload types, which are none of the above.
var ofFirefox = map[webrtc.RTPCodecType]webrtc.PayloadType{webrtc.RTPCodecTypeAudio: 109, webrtc.RTPCodecTypeVideo: 120}

// offer makes a function of the room into what answers POST requests: JSON in, JSON out.
func offer[In, Out any](path string, answer func(In) (Out, error)) {
	http.HandleFunc("POST "+path, func(response http.ResponseWriter, request *http.Request) {
		response.Header().Set("Access-Control-Allow-Origin", "*")
		var in In
		err := json.NewDecoder(request.Body).Decode(&in)
		if err == nil {
			var out Out
			if out, err = answer(in); err == nil {
				err = json.NewEncoder(response).Encode(out)
			}
		}
		if err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
		}
	})
}

func newAPI() (*webrtc.API, error) {
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(os.Getenv("POD_IP")), Port: mediaPort})
	if err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	media := &webrtc.MediaEngine{}
	for kind, codec := range codecs {
		err = errors.Join(err, media.RegisterCodec(codec, kind))
		// A client sends by its own numbers.
		codec.PayloadType = ofFirefox[kind]
		err = errors.Join(err, media.RegisterCodec(codec, kind))
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media)), err
}

func main() {
	api, err := newAPI()
	if err != nil {
		log.Fatal(err)
	}
	r := newRoom(api)
	offer("/capabilities", r.capabilities)
	offer("/transport", r.transport)
	offer("/connect", r.connect)
	offer("/produce", r.produce)
	offer("/consume", r.consume)
	go func() { log.Fatal(http.ListenAndServe(signallingAddress, nil)) }()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	r.close()
}
