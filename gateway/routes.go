package gateway

import (
	"net"
	"net/http"
	"net/url"
)

// Handler gives all routes.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{source}", g.hook)
	mux.HandleFunc("POST /broker", g.broker)
	mux.HandleFunc("/hooks/{source}", g.postOnly)
	mux.HandleFunc("/broker", g.postOnly)
	mux.HandleFunc("GET /healthz", g.healthz)
	mux.HandleFunc("GET /readyz", g.readyz)
	mux.Handle("GET /{$}", g.page(g.pages.Deliveries))
	mux.Handle("GET /deliveries/{id}", g.page(g.pages.Delivery))
	mux.Handle("GET /static/style.css", g.page(g.pages.Style))
	mux.HandleFunc("/", g.elsewhere)
	return mux
}

func (g *Gateway) healthz(w http.ResponseWriter, _ *http.Request) {
	g.answer(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (g *Gateway) readyz(w http.ResponseWriter, r *http.Request) {
	if err := g.Ready(r.Context()); err != nil {
		g.log.Error("not ready", "error", err)
		g.answer(w, http.StatusServiceUnavailable, refused{"not ready", "see the log of pushgate"})
		return
	}
	g.answer(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (g *Gateway) postOnly(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", http.MethodPost)
	g.answer(w, http.StatusMethodNotAllowed, refused{"this address takes POST only", "it is for the hook of a code host, not for a browser"})
}

func (g *Gateway) elsewhere(w http.ResponseWriter, r *http.Request) {
	hint := "pushes go to POST /hooks/NAME, people to /"
	if r.Method == http.MethodGet {
		hint = "start at /"
	}
	g.answer(w, http.StatusNotFound, refused{"there is nothing here", hint})
}

// page guards the dashboard, which has no sign-in: it is for this machine only.
// The Host header must name this machine or the public address, or a page of a
// stranger's could read it through a name that resolves to loopback.
func (g *Gateway) page(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !g.o.Pages:
			g.answer(w, http.StatusForbidden, refused{"the dashboard is served on a loopback address only", "listen on 127.0.0.1, or ask this machine's own pushgate deliveries and pushgate show"})
		case forwarded(r.Header):
			g.answer(w, http.StatusForbidden, refused{"the dashboard is not served through a proxy: it has no sign-in", "open it on the machine itself; let the proxy pass /hooks/ and /broker only"})
		case !g.ownName(r.Host):
			g.answer(w, http.StatusForbidden, refused{"the dashboard is not served under this name", "give the address people use with --public-url"})
		default:
			next(w, r)
		}
	})
}

// forwarded says that a request came through a proxy.
func forwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Host"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

func (g *Gateway) ownName(hostport string) bool {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	if name == "localhost" {
		return true
	}
	if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() {
		return true
	}
	u, err := url.Parse(g.o.PublicURL)
	return err == nil && name != "" && name == u.Hostname()
}
