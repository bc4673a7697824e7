// A TURN client on pion/turn: allocates over one transport, sends to an echo peer and counts what comes back.
// Prints "N of N echoed"; exits with 1 and says why where that is not so.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

var (
	server    = flag.String("server", "127.0.0.1:3478", "ADDRESS:PORT")
	transport = flag.String("transport", "udp", "udp, tcp, tls or dtls")
	user      = flag.String("user", "user-1", "")
	password  = flag.String("password", "pass-1", "")
	peer      = flag.String("peer", "", "ADDRESS:PORT of an echo peer")
	relaying  = flag.String("relaying", "udp", "udp, or tcp (RFC 6062)")
	messages  = flag.Int("messages", 20, "")
	patience  = 5 * time.Second
)

// packets opens a socket at the address from which the server is reached.
func packets() (net.PacketConn, error) {
	route, err := net.Dial("udp", *server)
	if err != nil {
		return nil, err
	}
	defer route.Close()
	host, _, err := net.SplitHostPort(route.LocalAddr().String())
	if err != nil {
		return nil, err
	}
	return net.ListenPacket("udp", net.JoinHostPort(host, "0"))
}

// dial opens the way to the server, as packets.
func dial() (net.PacketConn, error) {
	switch *transport {
	case "udp":
		return packets()
	case "tcp":
		conn, err := net.Dial("tcp", *server)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	case "tls":
		conn, err := tls.Dial("tcp", *server, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	case "dtls":
		address, err := net.ResolveUDPAddr("udp", *server)
		if err != nil {
			return nil, err
		}
		local, err := packets()
		if err != nil {
			return nil, err
		}
		conn, err := dtls.ClientWithOptions(local, address, dtls.WithInsecureSkipVerify(true))
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	}
	return nil, fmt.Errorf("no such transport: %s", *transport)
}

func overUDP(client *turn.Client) (int, error) {
	to, err := net.ResolveUDPAddr("udp", *peer)
	if err != nil {
		return 0, err
	}
	relayed, err := client.Allocate()
	if err != nil {
		return 0, fmt.Errorf("allocate: %w", err)
	}
	defer relayed.Close()
	if err := client.CreatePermission(to); err != nil {
		return 0, fmt.Errorf("create permission: %w", err)
	}
	buffer := make([]byte, 1600)
	echoed := 0
	// The first go as Send indications, the rest over the channel that the client binds meanwhile.
	for number := 0; number < *messages; number++ {
		text := fmt.Sprintf("message %d over %s", number, *transport)
		if _, err := relayed.WriteTo([]byte(text), to); err != nil {
			return echoed, fmt.Errorf("send: %w", err)
		}
		if err := relayed.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return echoed, err
		}
		count, from, err := relayed.ReadFrom(buffer)
		if err != nil {
			return echoed, fmt.Errorf("receive: %w", err)
		}
		if string(buffer[:count]) != text || from.String() != to.String() {
			return echoed, errors.New("something else came back")
		}
		echoed++
	}
	return echoed, nil
}

// secureConn is TLS that has what the library asks of a TCP connection.
type secureConn struct {
	*tls.Conn
	raw *net.TCPConn
}

func (c secureConn) CloseRead() error                    { return c.raw.CloseRead() }
func (c secureConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }
func (c secureConn) SetLinger(seconds int) error         { return c.raw.SetLinger(seconds) }
func (c secureConn) SetKeepAlive(on bool) error          { return c.raw.SetKeepAlive(on) }
func (c secureConn) SetKeepAlivePeriod(every time.Duration) error {
	return c.raw.SetKeepAlivePeriod(every)
}
func (c secureConn) SetNoDelay(on bool) error       { return c.raw.SetNoDelay(on) }
func (c secureConn) SetWriteBuffer(bytes int) error { return c.raw.SetWriteBuffer(bytes) }
func (c secureConn) SetReadBuffer(bytes int) error  { return c.raw.SetReadBuffer(bytes) }

func dialSecure() (net.Conn, error) {
	raw, err := net.Dial("tcp", *server)
	if err != nil {
		return nil, err
	}
	return secureConn{tls.Client(raw, &tls.Config{InsecureSkipVerify: true}), raw.(*net.TCPConn)}, nil
}

func overTCP(client *turn.Client) (int, error) {
	allocation, err := client.AllocateTCP()
	if err != nil {
		return 0, fmt.Errorf("allocate: %w", err)
	}
	defer allocation.Close()
	var conn net.Conn
	if *transport == "tls" {
		// The library's own would be plain TCP.
		secure, err := dialSecure()
		if err != nil {
			return 0, err
		}
		conn, err = allocation.DialWithConn(secure, "tcp", *peer)
		if err != nil {
			return 0, fmt.Errorf("connect: %w", err)
		}
	} else if conn, err = allocation.Dial("tcp", *peer); err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	buffer := make([]byte, 1600)
	echoed := 0
	for number := 0; number < *messages; number++ {
		text := fmt.Sprintf("message %d to a TCP peer", number)
		if _, err := conn.Write([]byte(text)); err != nil {
			return echoed, fmt.Errorf("send: %w", err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return echoed, err
		}
		read := 0
		for read < len(text) {
			count, err := conn.Read(buffer[read:len(text)])
			if err != nil {
				return echoed, fmt.Errorf("receive: %w", err)
			}
			read += count
		}
		if string(buffer[:read]) != text {
			return echoed, errors.New("something else came back")
		}
		echoed++
	}
	return echoed, nil
}

func main() {
	flag.Parse()
	conn, err := dial()
	if err != nil {
		log.Fatal(err)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelError
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: *server,
		STUNServerAddr: *server,
		Conn:           conn,
		Username:       *user,
		Password:       *password,
		LoggerFactory:  quiet,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		log.Fatal(err)
	}
	mapped, err := client.SendBindingRequest()
	if err != nil {
		log.Fatalf("binding: %v", err)
	}
	run := overUDP
	if *relaying == "tcp" {
		run = overTCP
	}
	echoed, err := run(client)
	fmt.Printf("%d of %d echoed, seen as %s\n", echoed, *messages, mapped)
	if err != nil {
		log.Fatal(err)
	}
}
