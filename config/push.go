package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// webSub refuses to subscribe where no hub could reach us.
func (c checker) webSub() {
	fault := c.unreachable()
	if fault == "" {
		return
	}
	if c.cfg.Fetch.WebSub {
		c.problem("fetch.websub", `hubs push to base_url, and %s; write the address at which the world reaches this server, or leave websub out`, fault)
		return
	}
	for i, o := range c.cfg.Outlets {
		if o.WebSub {
			c.problem(fmt.Sprintf("outlet[%d].websub", i), `hubs push to base_url, and %s; write the address at which the world reaches this server, or leave websub out`, fault)
		}
	}
}

// hub checks publish.hub.
func (c checker) hub() {
	p := &c.cfg.Publish
	switch p.Hub {
	case "":
		return
	case "builtin":
		if len(c.cfg.Fetch.AllowPrivate) > 0 {
			c.warn("publish.hub", "whoever reaches /hub can have it ask addresses in fetch.allow_private; if that is not meant, write allow_private with the feeds that need it")
		}
	default:
		if fault := addressFault(p.Hub, c.raw("publish.hub")); fault != "" {
			c.problem("publish.hub", `%s; or write "builtin" to run our own`, strings.ReplaceAll(fault, "https://example.org/feed.xml", "https://hub.example.org/"))
			return
		}
	}
	if fault := c.unreachable(); fault != "" {
		c.warn("publish.hub", "feeds are named to hubs and subscribers by base_url, and %s", fault)
	}
}

// unreachable says why nobody but this machine or its network can reach base_url, if that is plain from the address. What
// fetch.allow_private names is near enough: hubs may live there.
func (c checker) unreachable() string {
	u, err := url.Parse(c.cfg.BaseURL)
	if err != nil {
		return "" // has been reported
	}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, err := netip.ParseAddr(name)
	switch {
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err != nil && (!strings.Contains(name, ".") || strings.HasSuffix(name, ".local") || strings.HasSuffix(name, ".internal")):
		return fmt.Sprintf("%s is known in your own network only", quote(name))
	case err != nil:
		return ""
	}
	if allowed := slices.ContainsFunc(c.cfg.Fetch.AllowPrivate, func(n netip.Prefix) bool { return n.Contains(ip.Unmap()) }); allowed || !private(ip.Unmap()) {
		return ""
	}
	return fmt.Sprintf("%s is no public address", quote(name))
}

func private(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast()
}
