package fetch

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Visit makes a request to an address that somebody else has named: an outlet its hub, a subscriber its callback. The guard
// lets it reach public addresses, at ports 80, 443 and those of alsoPorts, and what lies in allow. No redirect is followed. The
// caller sets a deadline, and closes the body.
func (c *Client) Visit(req *http.Request, allow []netip.Prefix, alsoPorts ...string) (*http.Response, error) {
	ports := append([]string{"80", "443"}, alsoPorts...)
	ports = slices.DeleteFunc(ports, func(p string) bool { return p == "" })
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept-Encoding", "identity") // little is read of what they answer
	var met meeting
	return c.send(req, policy{allow: allow, ports: " " + strings.Join(ports, " ") + " "}, &met)
}

// HostName is the host of an address, as politeness counts.
func HostName(address string) string { return hostName(address) }

// allowedFor is what of the feed's networks holds for an address that the feed named: all if it is on the same host.
func (f *Feed) allowedFor(u *url.URL) []netip.Prefix {
	if nameIn(f.Address) == strings.ToLower(u.Hostname()) {
		return f.AllowPrivate
	}
	return nil
}

// within reports whether an address lies, as it is written, in the feed's own networks.
func (f *Feed) within(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && policy{allow: f.allowedFor(u)}.allows(ip)
}
