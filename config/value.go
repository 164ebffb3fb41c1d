package config

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// text reads a string, with "${NAME}" replaced from the environment. Control
// characters are refused, since most strings end up in headers, logs or pages;
// lines allows newlines and tabs.
func (b *binder) text(path string, n *node, lines bool) (string, bool) {
	if !b.wants(path, n, stringKind, wantString(path, n)) {
		return "", false
	}
	s, err := expand(n.text, b.env)
	if err != nil {
		b.problem(path, "%v", err)
		return "", false
	}
	if !utf8.ValidString(s) {
		b.problem(path, "is not UTF-8 once the environment is filled in; set the variable anew")
		return "", false
	}
	for _, r := range s {
		if lines && (r == '\n' || r == '\t') {
			continue
		}
		if controls(r) {
			b.problem(path, "holds the control character %U; remove it", r)
			return "", false
		}
	}
	return s, true
}

// controls reports whether a character is none for people: what XML calls no character (XML 1.0 §2.2) is among them.
func controls(r rune) bool { return unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF' }

func wantString(path string, n *node) string {
	secret := strings.HasSuffix(path, ".password") || strings.Contains(path, ".headers.")
	if n.text != "" && !secret {
		return "a string in quotes: " + quote(n.text)
	}
	return "a string in quotes"
}

// expand replaces "${NAME}" by the environment variable's value.
func expand(s string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !variable.MatchString(name) {
			return "", fmt.Errorf(`"${" opens the name of an environment variable; write "${NAME}"`)
		}
		value, ok := env(name)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set; set it, or write the value here", name)
		}
		out.WriteString(value)
		s = after
	}
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (b *binder) duration(path string, n *node, to *time.Duration) {
	if n.kind == intKind && n.number == 0 {
		*to = 0
		return
	}
	quantity(b, path, n, to, parseDuration, `a duration in quotes, such as "90d", "1d12h" or "15m"`)
}

// quantity reads a number with its unit from a string.
func quantity[T any](b *binder, path string, n *node, to *T, parse func(string) (T, error), want string) {
	if n.kind != stringKind {
		b.wants(path, n, stringKind, want)
		return
	}
	s, ok := b.text(path, n, false)
	if !ok {
		return
	}
	v, err := parse(s)
	if err != nil {
		b.problem(path, "%s %v; write %s", quote(n.text), err, want)
		return
	}
	*to = v
}

// parseDuration reads Go's notation with days before it: "1d12h". No duration of
// a configuration is negative.
func parseDuration(s string) (time.Duration, error) {
	var total time.Duration
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil || n > math.MaxInt64/float64(day) {
			return 0, fmt.Errorf("is too long a duration")
		}
		total = time.Duration(n * float64(day))
		if s = s[len(m[0]):]; s == "" {
			return total, nil
		}
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, fmt.Errorf("is no duration")
	case d < 0:
		return 0, fmt.Errorf("is negative")
	case total+d < total:
		return 0, fmt.Errorf("is too long a duration")
	}
	return total + d, nil
}

var days = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d`)

func (b *binder) size(path string, n *node, to *int64) {
	if n.kind == intKind {
		*to = n.number
		return
	}
	quantity(b, path, n, to, parseSize, `a size, such as "16MiB", "500KB" or a plain number of bytes`)
}

// parseSize reads "16MiB" (binary), "16MB" (decimal) and "16" (bytes).
func parseSize(s string) (int64, error) {
	m := sizes.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("is no size")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, fmt.Errorf("is no size")
	}
	unit := map[string]float64{
		"": 1, "B": 1,
		"KB": 1e3, "MB": 1e6, "GB": 1e9,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
	}[m[2]]
	if n*unit >= math.MaxInt64 {
		return 0, fmt.Errorf("is too large a size")
	}
	return int64(n * unit), nil
}

var sizes = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?(|B|KB|MB|GB|KiB|MiB|GiB)$`)

// network reads a CIDR network, or one address as the network of itself.
func (b *binder) network(path string, n *node, to *[]netip.Prefix) {
	s, ok := b.text(path, n, false)
	if !ok {
		return
	}
	if prefix, err := netip.ParsePrefix(s); err == nil {
		*to = append(*to, prefix.Masked())
		return
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		*to = append(*to, netip.PrefixFrom(addr, addr.BitLen()))
		return
	}
	b.problem(path, `%s is no network; write it as "10.0.0.0/8", "fd00::/8" or a single address`, quote(n.text))
}

// quote shows a value in a message, shortened.
func quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}
