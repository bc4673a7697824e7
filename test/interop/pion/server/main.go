// A TURN server on pion/turn: one UDP and one TCP listener on loopback, one user, and a DTLS listener on request.
// The benchmarks measure ours beside it; the tests send it what our clients send.
package main

import (
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

// listenDTLS opens a DTLS listener with a self-signed certificate.
func listenDTLS(address string) net.Listener {
	at, err := net.ResolveUDPAddr("udp4", address)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := dtls.ListenWithOptions("udp4", at, dtls.WithCertificates(certificate))
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func main() {
	address := flag.String("address", "127.0.0.1:3478", "where clients come in, UDP and TCP")
	secure := flag.String("dtls", "", "where clients come in over DTLS; nowhere unless given")
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
	if *secure != "" {
		listeners = append(listeners, turn.ListenerConfig{
			Listener: listenDTLS(*secure), RelayAddressGenerator: relays, PermissionHandler: anyPeer,
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
