package hosttest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

const (
	someone = "Ada <ada@example.com>"
	zeros   = "0000000000000000000000000000000000000000"
)

// A history is small and has everything once:
//
//	first ── second ── merge        main, tag v1 (annotated)
//	     └── side ───┘              feature/x
//	alone                           unrelated
type history struct {
	*hosttest.Repo
	first, second, side, merge, alone string
}

func describe(s *hosttest.Server) *history {
	h := &history{Repo: s.AddRepo("acme/shop", "main")}
	h.first = h.Commit(nil, "first", someone,
		hosttest.Change{Path: "README.md"}, hosttest.Change{Path: "src/a.go"}, hosttest.Change{Path: "src/b.go"}, hosttest.Change{Path: "old.txt"})
	h.second = h.Commit([]string{h.first}, "second\n\nwith a body", someone,
		hosttest.Change{Path: "src/a.go", Kind: hosttest.Modified}, hosttest.Change{Path: "new.txt", From: "old.txt", Kind: hosttest.Renamed})
	h.side = h.Commit([]string{h.first}, "side", "Bob <bob@example.com>",
		hosttest.Change{Path: "side/c d.go", Kind: hosttest.Added}, hosttest.Change{Path: "src/b.go", Kind: hosttest.Removed})
	h.merge = h.Commit([]string{h.second, h.side}, "Merge feature/x", someone)
	h.alone = h.Commit(nil, "alone", someone, hosttest.Change{Path: "page.html"})
	h.SetBranch("main", h.merge)
	h.SetBranch("feature/x", h.side)
	h.SetBranch("unrelated", h.alone)
	h.SetTag("v1", h.merge, true)
	return h
}

// ask sends one request; header holds pairs.
func ask(s http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// get asks for JSON and gives it as v.
func get[T any](t *testing.T, s http.Handler, target string, header ...string) (v T, w *httptest.ResponseRecorder) {
	t.Helper()
	w = ask(s, "GET", target, "", header...)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("GET %s: %v in %s", target, err, w.Body)
	}
	return v, w
}

// An exchange is one request and what its answer has.
type exchange struct {
	name, method, path, body string
	header                   []string
	status                   int
	words                    string
}

func exchanges(t *testing.T, s http.Handler, list []exchange) {
	t.Helper()
	for _, x := range list {
		w := ask(s, x.method, x.path, x.body, x.header...)
		if w.Code != x.status || !strings.Contains(w.Body.String(), x.words) {
			t.Errorf("%s: %d %s; want %d with %s", x.name, w.Code, w.Body, x.status, x.words)
		}
	}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func basic(user, password string) []string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return []string{"Authorization", r.Header.Get("Authorization")}
}
