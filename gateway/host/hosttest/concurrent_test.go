package hosttest_test

import (
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

// TestConcurrent has a history grow while it is asked about, for the race
// detector, over real connections.
func TestConcurrent(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "github"})
	h := describe(s)
	site := httptest.NewServer(s)
	defer site.Close()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				id := h.Commit([]string{"main"}, "more", someone, hosttest.Change{Path: "more"})
				h.SetBranch("main", id)
				s.Webhook("acme/shop", "refs/heads/main", h.first, id, false, "secret")
			}
		})
		all.Go(func() {
			for range 20 {
				for _, path := range []string{"/compare/" + h.first + "...main", "/branches", "/commits/main"} {
					answer, err := site.Client().Get(site.URL + githubRepo + path)
					if err != nil {
						t.Error(err)
						return
					}
					answer.Body.Close()
					if answer.StatusCode != 200 {
						t.Error(path, answer.Status)
					}
				}
				s.Requests()
			}
		})
	}
	all.Wait()
}

// TestUnsigned shows what hosts send without a secret.
func TestUnsigned(t *testing.T) {
	for _, name := range []string{"bitbucket-cloud", "bitbucket-datacenter", "github", "gitlab", "gitea"} {
		s := hosttest.New(hosttest.Options{Host: name})
		h := describe(s)
		header, body := s.Webhook("acme/shop", "refs/heads/main", h.first, h.merge, false, "")
		src := rules.Source{Name: "s", Host: name, Secrets: []rules.Secret{"secret"}}
		if host.Verify(src, header, body) == nil && name != "gitlab" { // whose secret is asked for by Admit
			t.Error(name, "verified")
		}
		src.Secrets, src.Insecure = nil, true
		if err := host.Verify(src, header, body); err != nil {
			t.Error(name, err)
		}
		again, _ := s.Webhook("acme/shop", "refs/heads/main", h.first, h.merge, false, "")
		one, err := host.Parse(src, header, body)
		if err != nil {
			t.Fatal(name, err)
		}
		two, err := host.Parse(src, again, body)
		if err != nil || one.Key == two.Key {
			t.Error(name, "two deliveries have one key", err)
		}
	}
}

func TestUnknown(t *testing.T) {
	for name, do := range map[string]func(){
		"host": func() { hosttest.New(hosttest.Options{Host: "none"}) },
		"repository": func() {
			hosttest.New(hosttest.Options{Host: "gitea"}).Webhook("a/b", "refs/heads/x", "", "", false, "")
		},
		"ref": func() {
			s := hosttest.New(hosttest.Options{Host: "gitea"})
			h := describe(s)
			s.Webhook("acme/shop", "main", "", h.merge, false, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			do()
		})
	}
}
