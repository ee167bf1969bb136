package gateway

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// A notebook is a log that may be written from anywhere.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// pushes gives those of all deliveries, the oldest first.
func (s *stage) pushes() []ledger.Push {
	s.t.Helper()
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []ledger.Push
	for i := range slices.Backward(list) {
		p, err := s.ledger.Pushes(s.t.Context(), &list[i])
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, p...)
	}
	return out
}

// TestSecretsStay: the credentials of an API are in no log, at any level, on no
// page, and nowhere in the ledger's files, whatever the host repeats of them.
func TestSecretsStay(t *testing.T) {
	const secret = "c4nary-secret"
	for _, name := range codeHosts() {
		for _, status := range []int{200, 401, 403, 429, 503} {
			t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
				t.Parallel()
				api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					said := secret + " " + r.Header.Get("Authorization") + r.Header.Get("Private-Token")
					w.Header().Set("Location", "http://"+secret+"@127.0.0.1:1/")
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(status)
					text, _ := json.Marshal(map[string]any{"message": said, "error": map[string]any{"message": said}, "sha": said, "name": said})
					_, _ = w.Write(text)
				}))
				defer api.Close()
				text := strings.NewReplacer("HOST", name, "SIM", api.URL, "CREDENTIALS", `token: "${C4NARY}"`).Replace(codeHostRules)
				var log notebook
				var folder string
				s := setUp(t, strings.ReplaceAll(text, "${C4NARY}", "x"), func(o *Options) {
					// The stage's own rules have no secret to leave out.
					text := strings.ReplaceAll(text, "JENKINS", "http://127.0.0.1:1")
					set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", func(string) (string, error) { return secret, nil })
					if err != nil {
						t.Fatal(err)
					}
					o.Rules, o.Logger = set, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					folder = t.TempDir()
					l, err := ledger.Open(t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(folder, "l.db"), LookupTime: 5 * time.Second})
					if err != nil {
						t.Fatal(err)
					}
					o.Ledger.Close()
					o.Ledger = l
				})
				s.ledger = s.gateway.o.Ledger
				sim := hosttest.New(hosttest.Options{Host: name})
				repo := sim.AddRepo("acme/shop", "main")
				one := repo.Commit(nil, "one", "Ann <a@x>", hosttest.Change{Path: "api/x"})
				repo.SetBranch("main", one)
				repo.SetBranch("dev", one)
				h, body := sim.Webhook("acme/shop", "refs/heads/dev", "", one, false, hostSecret)
				if code, answer := s.sendWith("/hooks/src", h, body); code != http.StatusAccepted {
					t.Fatal(code, answer)
				}
				s.until("decided", func() bool { return len(s.pushes()) == 1 && !s.pushes()[0].DecidedAt.IsZero() })
				pages := ""
				for _, p := range append(s.pushes(), ledger.Push{}) {
					at := "/"
					if p.Push.Delivery != "" {
						at = "/deliveries/" + p.Push.Delivery
						e, err := json.Marshal(s.gateway.Rules().Decide(&p.Push, nil).Explain())
						if err != nil {
							t.Fatal(err)
						}
						pages += string(e)
					}
					resp, err := http.Get(s.url + at)
					if err != nil {
						t.Fatal(err)
					}
					text, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					pages += string(text)
				}
				http.DefaultTransport.(*http.Transport).CloseIdleConnections()
				s.stop()
				if !strings.Contains(pages, "acme/shop") || !strings.Contains(log.String(), "acme/shop") {
					t.Errorf("looked at nothing: %s", pages)
				}
				found := map[string]string{"pages": pages, "log": log.String()}
				files, _ := filepath.Glob(filepath.Join(folder, "*"))
				for _, f := range files {
					text, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					found[filepath.Base(f)] = string(text)
				}
				if len(files) == 0 {
					t.Error("no ledger")
				}
				for where, text := range found {
					if at := strings.Index(text, "c4nary"); at >= 0 {
						t.Errorf("%s: …%q", where, text[max(0, at-100):min(len(text), at+100)])
					}
				}
			})
		}
	}
}

// TestUnsignedAsksNobody: the API hears nothing of a delivery that is refused.
func TestUnsignedAsksNobody(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, name, codeHostRules, "token: "+hostToken, hosttest.Options{Token: hostToken})
			head, _ := s.grow(s.base, 1, 1, "api")
			s.repo.SetBranch("dev", head)
			h, body := s.sim.Webhook("acme/shop", "refs/heads/dev", "", head, false, "another secret")
			if status, answer := s.sendWith("/hooks/src", h, body); status != http.StatusUnauthorized {
				t.Errorf("%d %s", status, answer)
			}
			h, body = s.sim.Webhook("acme/shop", "refs/heads/dev", "", head, false, hostSecret)
			if name != rules.GitLab { // which signs no body
				if status, answer := s.sendWith("/hooks/src", h, append(body, ' ')); status != http.StatusUnauthorized {
					t.Errorf("another body: %d %s", status, answer)
				}
			}
			for k := range h {
				if strings.Contains(k, "Signature") || strings.Contains(k, "Token") {
					h.Set(k, "")
				}
			}
			if status, answer := s.sendWith("/hooks/src", h, body); status != http.StatusUnauthorized {
				t.Errorf("nothing: %d %s", status, answer)
			}
			s.settle()
			if asked := s.sim.Requests(); len(asked) != 0 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

// TestHostileNamesAskNobody: a push whose commits are no hashes is decided
// without its host, and says why.
func TestHostileNamesAskNobody(t *testing.T) {
	for _, name := range codeHosts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(codeHostRules, "secret: hook-secret", "insecure: true", 1)
			s := setUpHost(t, name, text, "token: "+hostToken, hosttest.Options{Token: hostToken})
			head, _ := s.grow(s.base, 30, 1, "docs")
			s.repo.SetBranch("main", head)
			h, body := s.sim.Webhook("acme/shop", "refs/heads/main", s.base, head, false, "")
			for _, evil := range []string{"HEAD..x", "--help", "../x", "a...b", "a..b", "%2e%2e", "x?y=z#", "\r\nX: y", "\x00", "\u202emain", "main"} {
				quoted, _ := json.Marshal(evil)
				in := string(quoted[1 : len(quoted)-1])
				for _, id := range []string{s.base, head} {
					h.Set("X-Request-Uuid", fmt.Sprint(len(s.pushes())))
					status, answer := s.sendWith("/hooks/src", h, []byte(strings.ReplaceAll(string(body), id, in)))
					if status != http.StatusAccepted && status != http.StatusBadRequest {
						t.Errorf("%q: %d %s", evil, status, answer)
					}
				}
			}
			s.until("decided", func() bool {
				deliveries, _, err := s.ledger.Unfinished(t.Context())
				return err == nil && deliveries == 0
			})
			pushes := s.pushes()
			if len(pushes) < 10 {
				t.Errorf("%d pushes", len(pushes))
			}
			for _, p := range pushes {
				if p.Push.Files.Completeness == rules.Complete && name == rules.GitHub {
					continue // by its own word, for which nobody is asked
				}
				if p.Push.Files.Completeness == rules.Complete || !strings.Contains(p.Push.Files.Note, "no hash") {
					t.Errorf("%q to %q: %s %q", p.Push.Before, p.Push.After, p.Push.Files.Completeness, p.Push.Files.Note)
				}
			}
			s.stop()
			for _, asked := range s.sim.Requests() {
				// A push whose one commit is honest may have a status there.
				if !strings.HasPrefix(asked, "POST ") || !strings.Contains(asked, head) {
					t.Errorf("asked %q", asked)
				}
			}
		})
	}
}

// manyRefs is a push of Bitbucket Cloud that creates so many branches.
func manyRefs(repo string, n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"repository":{"full_name":%q,"mainbranch":{"name":"main"}},"actor":{"nickname":"ann"},"push":{"changes":[`, repo)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"old":null,"new":{"type":"branch","name":"b%05d","target":{"hash":"%040x","message":"m"}}}`, i, i+1)
	}
	b.WriteString("]}}")
	return []byte(b.String())
}

// TestFloodOfRefs: while a push of 4,000 branches is asked about, a push of
// another repository of the same source is asked about and decided after a few
// requests, and never more than four are under way.
func TestFloodOfRefs(t *testing.T) {
	var mu sync.Mutex
	asked, now, most := 0, 0, 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked, now = asked+1, now+1
		most = max(most, now)
		mu.Unlock()
		defer func() { mu.Lock(); now--; mu.Unlock() }()
		if strings.Contains(r.URL.Path, "/refs/branches/") {
			_, _ = fmt.Fprintf(w, `{"name":"main","target":{"hash":"%040x"}}`, 1<<40)
			return
		}
		_, _ = io.WriteString(w, `{"pagelen":500,"values":[{"status":"added","old":null,"new":{"path":"docs/x"}}]}`)
	}))
	defer api.Close()
	text := strings.NewReplacer("HOST", rules.BitbucketCloud, "SIM", api.URL, "secret: hook-secret", "insecure: true", "CREDENTIALS", "token: t", "repos: acme/shop", "repos: acme/*", "report: {skipped: true}", "report: {skipped: false}").Replace(codeHostRules)
	s := setUp(t, text, func(o *Options) {
		o.Ledger.Close()
		l, err := ledger.Open(t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(t.TempDir(), "l.db")})
		if err != nil {
			t.Fatal(err)
		}
		o.Ledger = l // in which lookups have their usual time
	})
	s.ledger = s.gateway.o.Ledger
	h := host.PushHeader(rules.BitbucketCloud)
	count := func() int { mu.Lock(); defer mu.Unlock(); return asked }
	if status, answer := s.sendWith("/hooks/src", h, manyRefs("acme/shop", 4_000)); status != http.StatusAccepted {
		t.Fatal(status, answer)
	}
	s.until("the flood is being asked about", func() bool { return count() > 100 })
	for i := range 5 {
		before := count()
		if status, answer := s.sendWith("/hooks/src", h, manyRefs(fmt.Sprint("acme/other", i), 1)); status != http.StatusAccepted {
			t.Fatal(status, answer)
		}
		list, err := s.ledger.Deliveries(t.Context(), ledger.Filter{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.until("the other is decided", func() bool {
			p, err := s.ledger.Pushes(t.Context(), &list[0])
			if err != nil || len(p) != 1 || p[0].DecidedAt.IsZero() {
				return false
			}
			if p[0].Push.Files.Completeness != rules.Complete {
				t.Fatalf("decided without an answer: %q", p[0].Push.Files.Note)
			}
			return true
		})
		n := count() - before
		t.Logf("decided after %d requests", n)
		if n > 100 {
			t.Errorf("decided after %d requests", n)
		}
	}
	s.stop()
	mu.Lock()
	defer mu.Unlock()
	if most > maxAsked {
		t.Errorf("%d requests at once", most)
	}
}
