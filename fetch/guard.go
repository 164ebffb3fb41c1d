package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// A policy says which addresses a connection may lead to. Connections of different policies never
// share a transport: a kept-alive connection into a private network must not serve another feed.
type policy struct {
	allow    []netip.Prefix // permitted although not public
	insecure bool           // certificates are not verified
	ports    string         // " 80 443 ", that a public address may have; "" is any
}

// key tells policies apart.
func (p policy) key() string { return fmt.Sprint(p.allow, p.insecure, p.ports) }

// control refuses forbidden addresses at dial time, when the name is resolved and the address that
// will be connected to is known: nothing that a resolver answers later can lead around it (PROTOCOL S1).
func (p policy) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("refused to connect to %q: %w", address, err)
	}
	return p.check(a.Addr(), fmt.Sprint(a.Port()))
}

// check refuses an address that is neither public nor permitted.
func (p policy) check(ip netip.Addr, port string) error {
	switch {
	case p.allows(ip):
		return nil
	case !isPublic(ip):
		return &guardError{ip}
	case p.ports != "" && !strings.Contains(p.ports, " "+port+" "):
		return fmt.Errorf("refused to connect to port %s; others may send us to%sonly", port, p.ports)
	}
	return nil
}

func (p policy) allows(ip netip.Addr) bool {
	ip = ip.WithZone("").Unmap()
	return slices.ContainsFunc(p.allow, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// guardError says that an address is not public.
type guardError struct{ ip netip.Addr }

func (e *guardError) Error() string {
	ip := e.ip.WithZone("").Unmap()
	return fmt.Sprintf("refused to connect to %s, which is not a public address; if this feed may be polled there, add the network to its allow_private: [\"%s/%d\"]", ip, ip, ip.BitLen())
}

// isPublic reports whether ip is a global unicast address outside of IANA's special-purpose
// registries. Addresses that embed an IPv4 address are judged by it.
func isPublic(ip netip.Addr) bool {
	ip = ip.WithZone("").Unmap()
	if v4, ok := embedded(ip); ok {
		return isPublic(v4)
	}
	if ip.Is4() {
		return !within(ip, special4)
	}
	return globalUnicast6.Contains(ip) && !within(ip, special6)
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// embedded finds the IPv4 address behind NAT64 (RFC 6052 §2.1) and 6to4 (RFC 3056 §2) addresses.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}

var (
	globalUnicast6 = netip.MustParsePrefix("2000::/3") // RFC 4291 §2.4, what IANA allocates from
	nat64          = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour      = netip.MustParsePrefix("2002::/16")

	// IANA IPv4 Special-Purpose Address Registry, without the globally reachable anycast addresses'
	// exceptions: no outlet is published there. Multicast (RFC 5771) and class E included.
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")

	// IANA IPv6 Special-Purpose Address Registry, as far as it lies within 2000::/3.
	special6 = prefixes("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(networks ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(networks))
	for i, n := range networks {
		ps[i] = netip.MustParsePrefix(n)
	}
	return ps
}
