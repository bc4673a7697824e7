// Command sfu is an SFU on pion/webrtc for a room of two: what one participant sends, the other gets. It is ICE Lite, on one
// port of the pod's address, as a WebRtcServer of mediasoup is. POST /api/offer answers an offer that has all candidates. On
// SIGTERM it takes no further calls, and ends with the last one.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

const (
	signallingAddress = ":4443"
	mediaPort         = 40000
	keyFramesEvery    = time.Second
)

type participant struct {
	connection   *webrtc.PeerConnection
	audio, video *webrtc.TrackLocalStaticRTP
}

func (p *participant) output(kind webrtc.RTPCodecType) *webrtc.TrackLocalStaticRTP {
	if kind == webrtc.RTPCodecTypeAudio {
		return p.audio
	}
	return p.video
}

type room struct {
	api          *webrtc.API
	mutex        sync.Mutex
	participants map[*participant]bool
	isClosing    bool
	empty        chan struct{}
}

func (r *room) leave(p *participant) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.participants, p)
	if r.isClosing && len(r.participants) == 0 {
		close(r.empty)
		r.isClosing = false
	}
}

// close waits for those who are in a call.
func (r *room) close() {
	r.mutex.Lock()
	isEmpty := len(r.participants) == 0
	r.isClosing = true
	r.mutex.Unlock()
	if !isEmpty {
		<-r.empty
	}
}

// forward hands on what `from` sends, until it ends.
func (r *room) forward(from *participant, track *webrtc.TrackRemote) {
	buffer := make([]byte, 1500)
	for {
		size, _, err := track.Read(buffer)
		if err != nil {
			return
		}
		r.mutex.Lock()
		for other := range r.participants {
			if other != from {
				_, _ = other.output(track.Kind()).Write(buffer[:size])
			}
		}
		r.mutex.Unlock()
	}
}

// askForKeyFrames has `from` send whole pictures, so that one who has just joined sees something.
func askForKeyFrames(from *participant, track *webrtc.TrackRemote) {
	for range time.Tick(keyFramesEvery) {
		request := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}}
		if from.connection.WriteRTCP(request) != nil {
			return
		}
	}
}

func (r *room) join(offer webrtc.SessionDescription) (*webrtc.SessionDescription, error) {
	connection, err := r.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	p := &participant{connection: connection}
	output := func(kind, mime string) (track *webrtc.TrackLocalStaticRTP) {
		if err == nil {
			track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "other")
		}
		if err == nil {
			_, err = connection.AddTrack(track)
		}
		return track
	}
	p.audio = output("audio", webrtc.MimeTypeOpus)
	p.video = output("video", webrtc.MimeTypeVP8)
	if err != nil {
		return nil, err
	}
	connection.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if track.Kind() == webrtc.RTPCodecTypeVideo {
			go askForKeyFrames(p, track)
		}
		r.forward(p, track)
	})
	connection.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			_ = connection.Close()
			r.leave(p)
		}
	})
	if err := connection.SetRemoteDescription(offer); err != nil {
		return nil, err
	}
	answer, err := connection.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	gathered := webrtc.GatheringCompletePromise(connection)
	if err := connection.SetLocalDescription(answer); err != nil {
		return nil, err
	}
	<-gathered
	r.mutex.Lock()
	r.participants[p] = true
	r.mutex.Unlock()
	return connection.LocalDescription(), nil
}

func (r *room) offer(response http.ResponseWriter, request *http.Request) {
	response.Header().Set("Access-Control-Allow-Origin", "*")
	var offer webrtc.SessionDescription
	err := json.NewDecoder(request.Body).Decode(&offer)
	if err == nil {
		var answer *webrtc.SessionDescription
		if answer, err = r.join(offer); err == nil {
			err = json.NewEncoder(response).Encode(answer)
		}
	}
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	address := &net.UDPAddr{IP: net.ParseIP(os.Getenv("POD_IP")), Port: mediaPort}
	socket, err := net.ListenUDP("udp4", address)
	must(err)
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	media := &webrtc.MediaEngine{}
	must(media.RegisterDefaultCodecs())
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media))
	r := &room{api: api, participants: map[*participant]bool{}, empty: make(chan struct{})}
	http.HandleFunc("POST /api/offer", r.offer)
	go func() { must(http.ListenAndServe(signallingAddress, nil)) }()

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	r.close()
}
