package jenkins

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/triggers"
)

func TestJobPath(t *testing.T) {
	for target, want := range map[string]string{
		"app":                    "/job/app",
		"shop/api/release%2F1.2": "/job/shop/job/api/job/release%252F1.2",
		"a?b#c%2F":               "/job/a%3Fb%23c%252F",
		"100%":                   "/job/100%25",
		"a;b":                    "/job/a%3Bb",
		"with space/ü":           "/job/with%20space/job/%C3%BC",
		`back\slash`:             "/job/back%5Cslash",
		"...":                    "/job/...",
	} {
		if got, err := jobPath(target); got != want || err != nil {
			t.Errorf("jobPath(%q) = %q, %v, want %q", target, got, err, want)
		}
	}
}

func TestImpossibleJobIsRefusedUnsent(t *testing.T) {
	s, tp, _ := serve(t, http.NotFoundHandler(), withToken())
	for _, target := range []string{
		"", "/", "/app", "app/", "a//b", ".", "..", "a/../b", "../../../scriptText", "a\nb", "a\x00", "a\x7f", "a\u0085", "\xff",
	} {
		_, err := s.Start(t.Context(), triggers.Request{Target: target, Dynamic: true})
		if e := failure(t, err); e.Temporary || e.Ambiguous || e.Status != 0 {
			t.Errorf("Start(%q): %+v, want a plain permanent error", target, e)
		}
		if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("Start(%q): raw control character in %q", target, err)
		}
		_, err = s.State(t.Context(), triggers.Request{Target: target}, "build/1")
		if e := failure(t, err); e.Temporary {
			t.Errorf("State(%q): %+v, want a permanent error", target, e)
		}
	}
	if sent := tp.lines(""); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

func FuzzJobPath(f *testing.F) {
	for _, seed := range []string{
		"shop/api/release%2F1.2", "../../../scriptText", "a?b#c%2F", "100%", "a\nb", "ünï/코드", "a;b", "//", "%2e%2e", "a b+c&d=e", `\..\`,
	} {
		f.Add(seed)
	}
	s, tp, _ := serve(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/queue/item/1/")
		w.WriteHeader(http.StatusCreated)
	}), withToken())
	f.Fuzz(func(t *testing.T, target string) {
		path, err := jobPath(target)
		if err != nil {
			return
		}
		names := strings.Split(target, "/")
		segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
		if len(segments) != 2*len(names) {
			t.Fatalf("%q has %d names, %q has %d segments", target, len(names), path, len(segments))
		}
		for i, name := range names {
			decoded, err := url.PathUnescape(segments[2*i+1])
			if err != nil || decoded != name || segments[2*i] != "job" {
				t.Fatalf("name %d of %q is %q in %q (%v)", i, target, decoded, path, err)
			}
		}
		if len(path) > 64<<10 {
			return // net/http bounds request lines
		}
		tp.mu.Lock()
		tp.seen = nil
		tp.mu.Unlock()
		if _, e := s.post(t.Context(), "fuzz", path+"/build", nil, nil); e != nil {
			t.Fatalf("post %q: %v", path, e)
		}
		tp.mu.Lock()
		defer tp.mu.Unlock()
		if len(tp.seen) != 1 || tp.seen[0].URL.EscapedPath() != path+"/build" {
			t.Fatalf("%q arrived as %q", path, tp.seen[0].URL.EscapedPath())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no url":          {},
		"no host":         {URL: "http:///jenkins"},
		"other scheme":    {URL: "ftp://ci.example.org"},
		"credentials":     {URL: "http://u:canary@ci.example.org"},
		"malformed":       {URL: "http://u:canary@ci.example.org:port"},
		"query":           {URL: "http://ci.example.org/?a=b"},
		"climbing":        {URL: "http://ci.example.org/a/../b"},
		"both":            {URL: "http://ci.example.org", User: "u", Token: "canary", Password: "canary"},
		"secret alone":    {URL: "http://ci.example.org", Token: "canary"},
		"user alone":      {URL: "http://ci.example.org", User: "u"},
		"colon in user":   {URL: "http://ci.example.org", User: "u:v", Token: "canary"},
		"negative timing": {URL: "http://ci.example.org", Timeout: -1},
	} {
		_, err := New(o)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: New gave %v", name, err)
		}
	}
	if s, err := New(Options{URL: "https://ci.example.org/jenkins/"}); err != nil || s.base != "https://ci.example.org/jenkins" {
		t.Errorf("New with a context path: %+v, %v", s, err)
	}
}
