package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// A stage is a gateway with simulated servers, all on real HTTP.
type stage struct {
	t       *testing.T
	gateway *Gateway
	ledger  *ledger.Ledger
	jenkins *jenkinstest.Controller
	bamboo  *bambootest.Server
	url     string
	stop    func()
}

const stageRules = `
sources: {hook: {host: bitbucket-post, token: secret}, other: {host: bitbucket-post, token: other-secret}}
servers: {ci: {jenkins: JENKINS, user: u, token: t}, bamboo: {bamboo: BAMBOO, token: t}}
rules:
- {name: api, repos: acme/shop, paths: ["api/**"], start: {server: ci, job: "mb/{{.Branch}}", parameters: {COMMIT: "{{.Commit}}", MESSAGE: "{{.Message}}"}}}
- {name: plan, repos: acme/shop, branches: [main], start: {server: bamboo, plan: SHOP-API, branch: none, variables: {message: "{{.Message}}"}}}
`

// set up starts everything; tune may change the options.
func setUp(t *testing.T, text string, tune func(*Options)) *stage {
	t.Helper()
	s := &stage{t: t,
		jenkins: jenkinstest.New(jenkinstest.Options{Users: map[string]jenkinstest.User{"u": {Token: "t"}}, Executors: 100}),
		bamboo:  bambootest.New(bambootest.Options{Tokens: map[string]bambootest.Permission{"t": bambootest.Trigger}}),
	}
	job := jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "COMMIT"}, {Name: "MESSAGE"}, {Name: "PUSHGATE_BUILD"}}}
	s.jenkins.AddJob("mb", jenkinstest.Job{Multibranch: true})
	for _, name := range []string{"main", "dev", "..%2F..%2F..%2FscriptText", "a%3Fb%23c%252F"} {
		s.jenkins.AddJob("mb/"+name, job)
	}
	s.bamboo.AddPlan("SHOP-API", bambootest.Plan{})
	j, b := httptest.NewServer(s.jenkins), httptest.NewServer(s.bamboo)
	t.Cleanup(func() { j.Close(); b.Close() })
	text = strings.NewReplacer("JENKINS", j.URL, "BAMBOO", b.URL).Replace(text)
	set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", rules.Unresolved)
	if err != nil {
		t.Fatal(err)
	}
	if s.ledger, err = ledger.Open(t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(t.TempDir(), "l.db"), LookupTime: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	o := Options{Rules: set, Ledger: s.ledger, PublicURL: "http://127.0.0.1:1", Pages: true, FollowEvery: 10 * time.Millisecond,
		Transport: transport, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if tune != nil {
		tune(&o)
	}
	if s.gateway, err = New(o); err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(s.gateway.Handler())
	s.url = front.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.gateway.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(func() {
		s.stop()
		front.Close()
		transport.CloseIdleConnections()
		s.ledger.Close()
	})
	return s
}

// payload is a push of one commit.
func payload(branch, before, after, file, message string) string {
	return fmt.Sprintf(`{"canon_url":"https://bitbucket.org","user":"ann","repository":{"absolute_url":"/acme/shop/"},"commits":[{"node":%[3]q,"raw_node":%[3]q,"parents":[%[2]q],"branch":%[1]q,"raw_author":"Ann <ann@example.com>","message":%[5]q,"files":[{"file":%[4]q,"type":"modified"}]}]}`,
		branch, before, after, file, message)
}

// send posts a body and gives status and answer.
func (s *stage) send(path, contentType, body string, header ...string) (int, string) {
	s.t.Helper()
	return s.sendFrom(path, contentType, strings.NewReader(body), header...)
}

func (s *stage) sendFrom(path, contentType string, body io.Reader, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest("POST", s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const formType = "application/x-www-form-urlencoded"

// push sends a push that must be accepted.
func (s *stage) push(text string) string {
	s.t.Helper()
	status, answer := s.send("/hooks/hook?token=secret", formType, "payload="+url.QueryEscape(text))
	if status != http.StatusAccepted {
		s.t.Fatalf("answered %d %s", status, answer)
	}
	return answer
}

// until waits for something to become true, a minute at most.
func (s *stage) until(what string, ok func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			s.t.Fatalf("never: %s", what)
		}
	}
}

// settle waits until everything is decided and every build has ended.
func (s *stage) settle() {
	s.t.Helper()
	s.until("all builds ended", func() bool {
		deliveries, builds, err := s.ledger.Unfinished(s.t.Context())
		return err == nil && deliveries+builds == 0
	})
}

// builds gives all builds, oldest delivery first.
func (s *stage) builds() []ledger.Build {
	s.t.Helper()
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []ledger.Build
	for i := len(list) - 1; i >= 0; i-- {
		b, err := s.ledger.Builds(s.t.Context(), &list[i])
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}
