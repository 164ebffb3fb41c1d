package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

func (c checker) hosts() {
	names := map[string]string{}
	for i := range c.cfg.Hosts {
		h := &c.cfg.Hosts[i]
		at := fmt.Sprintf("host[%d]", i)
		h.Name = strings.ToLower(h.Name)
		switch first := names[h.Name]; {
		case !c.written(at + ".name"):
			c.problem(at+".name", `is missing; write name = "feedburner.com"`)
		case !isHostName(h.Name):
			c.problem(at+".name", `%s is no host; write a bare name such as "feedburner.com", without scheme, port and path, or an IP address`, quote(c.raw(at+".name")))
		case first != "":
			c.problem(at+".name", "%s has a block already, on %s; keep one of the two", quote(h.Name), c.seenFrom(at+".name", first))
		default:
			names[h.Name] = at + ".name"
		}
		if c.written(at + ".per_host") {
			c.atLeast(at+".per_host", h.PerHost, 1)
		}
		c.choice(at+".scope", h.Scope, "domain", "host")
	}
}

func isHostName(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostNames.MatchString(s) && len(s) <= 253
}

var hostNames = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// proxy checks the address of a proxy. It may carry a password, so no message shows it.
func (c checker) proxy() {
	address := c.cfg.Fetch.Proxy
	if address == "" {
		return
	}
	const want = `write it as "http://proxy.example:3128", "https://…" or "socks5://…", with "user:${NAME}@" before the host if it wants a password`
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		c.problem("fetch.proxy", "is no address; %s", want)
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		c.problem("fetch.proxy", "is none of http, https and socks5; %s", want)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		c.problem("fetch.proxy", "has a path; %s", want)
	case u.Scheme == "socks5" && u.Port() == "":
		c.problem("fetch.proxy", `has no port; write it as "socks5://proxy.example:1080"`)
	}
}
