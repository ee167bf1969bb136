package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

// answers are what a host says: by "METHOD path?query", or without the query, a
// body (200), a status, or a handler.
type answers map[string]any

// A scene is a host that says what a test wrote, and what it was asked.
type scene struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // "METHOD path?query" with a JSON body, if any
	header []http.Header
}

func play(t *testing.T, says answers) *scene {
	s := &scene{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line := r.Method + " " + r.RequestURI
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimSpace(line+" "+string(body)))
		s.header = append(s.header, r.Header)
		s.mu.Unlock()
		say := says[line]
		if say == nil {
			line, _, _ = strings.Cut(line, "?")
			say = says[line]
		}
		switch say := say.(type) {
		case string:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.ReplaceAll(say, "HOST", s.URL))
		case int:
			w.WriteHeader(say)
		case func(http.ResponseWriter, *http.Request):
			say(w, r)
		default:
			http.Error(w, `{"error": {"message": "not here"}, "errors": [{"message": "not here"}]}`, http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// was gives what was asked, and forgets it.
func (s *scene) was() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked, s.header = nil, nil
	return out
}

// headers gives the headers of what was asked.
func (s *scene) headers() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.header)
}

// ask makes a client that leaves no connection behind.
func ask(t *testing.T, hostName string, api rules.API) *Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := New(Options{Host: hostName, API: api, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tell writes a comparison as "files; complete|why; forced|kept|unknown".
func tell(d comparison, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	files := d.files.Files(d.complete)
	end := string(files.Completeness)
	if d.why != "" {
		end += ": " + d.why
	}
	force := "unknown"
	if d.known {
		force = map[bool]string{true: "forced", false: "kept"}[d.forced]
	}
	return strings.Join(files.Paths, " ") + "; " + end + "; " + force
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

// hash is a commit's id that begins as given.
func hash(start string) string { return (start + strings.Repeat("0", 40))[:40] }

// sortedJSON writes the bodies of requests with their fields in order.
func sortedJSON(t *testing.T, asked []string) []string {
	t.Helper()
	for i, line := range asked {
		if at := strings.Index(line, " {"); at >= 0 {
			body := jsontext.Value(line[at+1:])
			if err := body.Canonicalize(); err != nil {
				t.Fatal(err)
			}
			asked[i] = line[:at+1] + string(body)
		}
	}
	return asked
}
