package gateway

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestRemote: only what a trusted proxy says is believed, and only the part of
// it that the proxy wrote itself.
func TestRemote(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote  string
		forward []string
		want    string
	}{
		{"192.0.2.1:5", nil, "192.0.2.1:5"},
		{"192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1:5"},
		{"10.0.0.1:5", nil, "10.0.0.1:5"},
		{"10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9:0"},
		{"[::ffff:10.0.0.1]:5", []string{"203.0.113.9:4711"}, "203.0.113.9:0"},
		{"10.0.0.1:5", []string{"198.51.100.7, 203.0.113.9, 10.0.0.2"}, "203.0.113.9:0"},
		{"10.0.0.1:5", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9:0"},
		{"[fd00::1]:5", []string{"[2001:db8::7]:80"}, "[2001:db8::7]:0"},
		{"10.0.0.1:5", []string{"203.0.113.9, nonsense"}, "10.0.0.1:5"},
		{"10.0.0.1:5", []string{"203.0.113.9,"}, "10.0.0.1:5"},
		{"pipe", []string{"203.0.113.9"}, "pipe"},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = c.remote
		for _, f := range c.forward {
			r.Header.Add("X-Forwarded-For", f)
		}
		g := &Gateway{o: Options{TrustedProxies: proxies}}
		if got := g.remote(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
