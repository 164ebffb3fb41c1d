package fetch

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A zone is what a name server on loopback answers: the addresses of each name for the first lookup, the
// second and so on; the last ones stay. Other names do not exist.
type zone map[string][][]string

// resolver asks a server of its own for the zone, over UDP as any other.
func (z zone) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	var mu sync.Mutex
	lookups := map[string]map[dnsmessage.Type]int{}
	answer := func(q dnsmessage.Question) (addresses []netip.Addr, known bool) {
		mu.Lock()
		defer mu.Unlock()
		name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
		steps, known := z[name]
		if !known {
			return nil, false
		}
		if lookups[name] == nil {
			lookups[name] = map[dnsmessage.Type]int{}
		}
		n := lookups[name][q.Type]
		lookups[name][q.Type]++
		for _, a := range steps[min(n, len(steps)-1)] {
			addresses = append(addresses, netip.MustParseAddr(a))
		}
		return addresses, true
	}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header.Response, m.Header.RecursionAvailable, m.Additionals = true, true, nil
			addresses, known := answer(q)
			if !known {
				m.RCode = dnsmessage.RCodeNameError
			}
			for _, a := range addresses {
				h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
				switch {
				case a.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
				case a.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
				}
			}
			if packed, err := m.Pack(); err == nil {
				server.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}
