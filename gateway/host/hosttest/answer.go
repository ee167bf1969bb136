package hosttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A doc is a JSON object.
type doc = map[string]any

// answer writes JSON, without escaping what only HTML needs escaped.
func answer(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

// readJSON reads a body into v; false where it is no JSON of that shape.
func readJSON(r *http.Request, v any) bool {
	return json.NewDecoder(r.Body).Decode(v) == nil
}

// base is the address that the request came to, for links.
func (s *Server) base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + s.prefix
}

// number reads a number of a query; otherwise where it is absent, no number or
// negative.
func number(q url.Values, name string, otherwise int) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// size is how long a page is: what was asked for, within the host's bound and
// the server's.
func (s *Server) size(asked, most int) int {
	n := max(1, min(asked, most))
	if s.options.PageSize > 0 {
		n = min(n, s.options.PageSize)
	}
	return n
}

// window cuts a page out of a list; more says that something follows.
func window[T any](list []T, start, size int) (page []T, more bool) {
	start = min(start, len(list))
	end := min(start+size, len(list))
	return list[start:end], end < len(list)
}

// links writes a Link header: pairs of relation and page number, of the request's
// own address.
func (s *Server) links(w http.ResponseWriter, r *http.Request, pages ...any) {
	var links []string
	for i := 0; i+1 < len(pages); i += 2 {
		links = append(links, fmt.Sprintf("<%s>; rel=%q", s.pageAddress(r, "page", pages[i+1].(int)), pages[i]))
	}
	if len(links) > 0 {
		w.Header().Set("Link", strings.Join(links, ", "))
	}
}

// pageAddress is the address of the request with another page.
func (s *Server) pageAddress(r *http.Request, name string, page int) string {
	q := r.URL.Query()
	q.Set(name, strconv.Itoa(page))
	return strings.TrimSuffix(s.base(r), s.prefix) + r.URL.EscapedPath() + "?" + q.Encode()
}

// isHTTP says that an address is a whole one of the web.
func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// each makes a document of everything in a list; never nil.
func each[T any](list []T, make func(T) doc) []doc {
	out := []doc{}
	for _, x := range list {
		out = append(out, make(x))
	}
	return out
}
