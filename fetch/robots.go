package fetch

import (
	"bytes"
	"strings"
)

const maxRobots = 512 << 10 // bytes of a robots.txt that are read; RFC 9309 §2.5 wants 500 KiB at least

// robots are the rules of a robots.txt that bind us (RFC 9309). The zero value permits all.
type robots []robotsRule

type robotsRule struct {
	pattern string // a path, percent-encoded, in which "*" is any bytes and a "$" at its end the end
	allow   bool
}

// parseRobots reads the rules of all groups that name our product token, else those of all groups for "*".
func parseRobots(text []byte, token string) robots {
	text = bytes.TrimPrefix(text[:min(len(text), maxRobots)], []byte("\ufeff"))
	var ours, all robots
	var forUs, forAll, named, inRules bool // of the group that is being read; named: some group is for us
	for line := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return r == '\n' || r == '\r' }) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "user-agent":
			if inRules { // the group before has ended
				forUs, forAll, inRules = false, false, false
			}
			name := value // RFC 9309 §2.2.1; some write a version behind it
			if i := strings.IndexFunc(value, func(r rune) bool {
				return r != '-' && r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
			}); i >= 0 {
				name = value[:i]
			}
			forUs = forUs || strings.EqualFold(name, token)
			forAll = forAll || strings.HasPrefix(value, "*")
			named = named || forUs
		case "allow", "disallow":
			inRules = true
			if value == "" {
				continue // "Disallow:" forbids nothing
			}
			r := robotsRule{sameEscapes(value), strings.EqualFold(strings.TrimSpace(key), "allow")}
			if forUs {
				ours = append(ours, r)
			}
			if forAll {
				all = append(all, r)
			}
		}
	}
	if named {
		return ours
	}
	return all
}

// permit reports whether a path, with its query, may be asked for: the longest pattern that matches decides, and of
// two as long the one that allows (RFC 9309 §2.2.2).
func (r robots) permit(path string) bool {
	path = sameEscapes(path)
	if path == "/robots.txt" {
		return true
	}
	longest, allow := -1, true
	for _, rule := range r {
		if n := len(rule.pattern); (n > longest || n == longest && rule.allow) && matches(rule.pattern, path) {
			longest, allow = n, rule.allow
		}
	}
	return allow
}

// matches looks for the parts between the stars one after the other, each as early as it can be; only the last one may
// have to stand at the end. That is linear for each part, whatever the pattern.
func matches(pattern, path string) bool {
	pattern, toEnd := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(path, parts[0]) {
		return false
	}
	path = path[len(parts[0]):]
	if len(parts) == 1 {
		return !toEnd || path == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(path, part)
		if !found {
			return false
		}
		path = after
	}
	if toEnd {
		return strings.HasSuffix(path, parts[last])
	}
	return strings.Contains(path, parts[last])
}

// sameEscapes writes a path in one way: bytes outside of ASCII and a "%" that begins no escape are percent-encoded, escapes of unreserved characters are not
// (RFC 9309 §2.2.2).
func sameEscapes(path string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			hi, lo := strings.IndexByte(digits, upper(path[i+1])), strings.IndexByte(digits, upper(path[i+2]))
			if hi >= 0 && lo >= 0 {
				i += 2
				if c = byte(hi<<4 | lo); isUnreserved(c) {
					b.WriteByte(c)
				} else {
					b.Write([]byte{'%', digits[hi], digits[lo]})
				}
				continue
			}
		}
		if c < '!' || c > '~' || c == '%' {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// isUnreserved is RFC 3986 §2.3.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
