package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

// certificate is one that nobody vouches for.
func certificate(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-48 * time.Hour), NotAfter: until}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A server whose certificate does not stand for it is not believed, and not asked without TLS either (PROTOCOL F46), unless
// insecure_tls says so.
func TestCertificates(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	for _, c := range []struct {
		name string
		tls  *tls.Config
		err  string
		ever string // with insecure_tls
	}{
		{"self-signed", &tls.Config{Certificates: []tls.Certificate{certificate(t, "127.0.0.1", tomorrow)}}, "certificate signed by unknown authority", ""},
		{"expired", &tls.Config{Certificates: []tls.Certificate{certificate(t, "127.0.0.1", time.Now().Add(-time.Hour))}}, "certificate has expired", ""},
		{"another host's", &tls.Config{Certificates: []tls.Certificate{certificate(t, "b.example", tomorrow)}}, "cannot validate certificate for 127.0.0.1", ""},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{certificate(t, "127.0.0.1", tomorrow)}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, "protocol version", "protocol version"},
	} {
		asked := 0
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			fmt.Fprint(w, smallFeed)
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = c.tls
		s.StartTLS()
		p := visit(t, s.URL, store.FeedState{}, nil)
		if !strings.Contains(p.State.Err, c.err) || p.State.Failures != 1 || asked > 0 {
			t.Errorf("%s: %d failures, %d requests, %q; want %q", c.name, p.State.Failures, asked, p.State.Err, c.err)
		}
		p = visit(t, s.URL, store.FeedState{}, func(f *Feed, _ *Settings) { f.InsecureTLS = true })
		if !strings.Contains(p.State.Err, c.ever) || (len(p.Arrivals) == 1) != (c.ever == "") {
			t.Errorf("%s, insecure_tls: %q, %d items", c.name, p.State.Err, len(p.Arrivals))
		}
		s.Close()
	}
}
