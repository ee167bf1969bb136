package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote gives the address that a request comes from, with a port, as
// [http.Request.RemoteAddr]. Behind trusted proxies it is the last address in
// X-Forwarded-For that none of them has; what stands before it is the sender's
// own word. An entry that cannot be read ends the search at the proxy.
func (g *Gateway) remote(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !g.trusts(at.Addr()) {
		return r.RemoteAddr
	}
	var hops []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		from, err := hopAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		at = netip.AddrPortFrom(from, 0)
		if !g.trusts(from) {
			break
		}
	}
	return at.String()
}

// hopAddr reads an entry of X-Forwarded-For: an address, by some proxies with a
// port.
func hopAddr(hop string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return at.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(hop, "[]"))
}

func (g *Gateway) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(g.o.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
}
