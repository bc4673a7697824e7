// A TURN server on pion/turn: one UDP and one TCP listener on loopback, one user; TLS and DTLS listeners on request.
// The benchmarks measure ours beside it; the tests send it what our clients send.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

// selfSigned is the certificate of the TLS and DTLS listeners.
func selfSigned() tls.Certificate {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		log.Fatal(err)
	}
	return certificate
}

func listenDTLS(address string) net.Listener {
	at, err := net.ResolveUDPAddr("udp4", address)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := dtls.ListenWithOptions("udp4", at, dtls.WithCertificates(selfSigned()))
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func listenTLS(address string) net.Listener {
	listener, err := tls.Listen("tcp4", address, &tls.Config{Certificates: []tls.Certificate{selfSigned()}})
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func main() {
	address := flag.String("address", "127.0.0.1:3478", "where clients come in, UDP and TCP")
	overDTLS := flag.String("dtls", "", "where clients come in over DTLS; nowhere unless given")
	overTLS := flag.String("tls", "", "where clients come in over TLS; nowhere unless given")
	user := flag.String("user", "user-1", "")
	password := flag.String("password", "pass-1", "")
	realm := flag.String("realm", "stunner.l7mp.io", "")
	flag.Parse()

	host, _, err := net.SplitHostPort(*address)
	if err != nil {
		log.Fatal(err)
	}
	udp, err := net.ListenPacket("udp4", *address)
	if err != nil {
		log.Fatal(err)
	}
	if conn, ok := udp.(*net.UDPConn); ok {
		_ = conn.SetReadBuffer(4 << 20)
		_ = conn.SetWriteBuffer(4 << 20)
	}
	tcp, err := net.Listen("tcp4", *address)
	if err != nil {
		log.Fatal(err)
	}
	relays := &turn.RelayAddressGeneratorStatic{RelayAddress: net.ParseIP(host), Address: host}
	anyPeer := func(net.Addr, net.IP) bool { return true }
	key := turn.GenerateAuthKey(*user, *realm, *password)
	listeners := []turn.ListenerConfig{
		{Listener: tcp, RelayAddressGenerator: relays, PermissionHandler: anyPeer},
	}
	if *overDTLS != "" {
		listeners = append(listeners, turn.ListenerConfig{
			Listener: listenDTLS(*overDTLS), RelayAddressGenerator: relays, PermissionHandler: anyPeer,
		})
	}
	if *overTLS != "" {
		listeners = append(listeners, turn.ListenerConfig{
			Listener: listenTLS(*overTLS), RelayAddressGenerator: relays, PermissionHandler: anyPeer,
		})
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelError
	server, err := turn.NewServer(turn.ServerConfig{
		Realm:         *realm,
		LoggerFactory: quiet,
		AuthHandler: func(ra *turn.RequestAttributes) (string, []byte, bool) {
			return ra.Username, key, ra.Username == *user
		},
		PacketConnConfigs: []turn.PacketConnConfig{
			{PacketConn: udp, RelayAddressGenerator: relays, PermissionHandler: anyPeer},
		},
		ListenerConfigs: listeners,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	_ = server.Close()
}
