package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/ledger"
)

const signedRules = `
sources:
  hub: {host: github, secret: [old-secret, the-secret]}
  lab: {host: gitlab, secret: the-secret}
  tea: {host: gitea, secret: the-secret}
servers: {ci: {jenkins: JENKINS, user: u, token: t}}
rules:
- {name: api, repos: acme/shop, paths: ["api/**"], start: {server: ci, job: "mb/{{.Branch}}", parameters: {COMMIT: "{{.Commit}}", MESSAGE: "{{.Message}}"}}}
`

// githubPush is a push of one commit that changes api/x.
func githubPush(timestamp string) string {
	const one, two = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	return fmt.Sprintf(`{"ref":"refs/heads/main","before":%q,"after":%q,"commits":[{"id":%q,"message":"why","timestamp":%q,
		"author":{"name":"Ann","email":"ann@example.com"},"added":[],"removed":[],"modified":["api/x"]}],
		"repository":{"full_name":"acme/shop","html_url":"https://github.test/acme/shop"},"pusher":{"name":"pia"}}`, one, two, two, timestamp)
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// github posts an event to a source and gives status and answer.
func (s *stage) github(source, event, id, shown, body string) (int, string) {
	s.t.Helper()
	return s.send("/hooks/"+source, "application/json", body, "X-GitHub-Event", event, "X-GitHub-Delivery", id, "X-Hub-Signature-256", shown)
}

func (s *stage) deliveries() int {
	s.t.Helper()
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

// TestSignedPush: a signed push of GitHub is recorded, decided and started; its
// redelivery is the same delivery, and no repetition under other ids starts
// anything again.
func TestSignedPush(t *testing.T) {
	s := setUp(t, signedRules, nil)
	body := githubPush("2026-01-02T03:04:05Z")
	status, answer := s.github("hub", "push", "id-1", signature("the-secret", body), body)
	if status != http.StatusAccepted || !strings.Contains(answer, `"pushes":1,"duplicate":false`) {
		t.Fatalf("%d %s", status, answer)
	}
	s.settle()
	if status, again := s.github("hub", "push", "id-1", signature("old-secret", body), body); status != http.StatusAccepted || again != strings.Replace(answer, "false", "true", 1) {
		t.Errorf("delivered again: %d %s", status, again)
	}
	for i := range 20 {
		if status, _ := s.github("hub", "push", fmt.Sprint("replay-", i), signature("the-secret", body), body); status != http.StatusAccepted {
			t.Errorf("replayed: %d", status)
		}
	}
	s.settle()
	started := s.jenkins.Started()
	if len(started) != 1 {
		t.Fatalf("%d builds started", len(started))
	}
	got := started[0].Parameters
	delete(got, "PUSHGATE_BUILD")
	if diff := cmp.Diff(map[string]string{"COMMIT": "2222222222222222222222222222222222222222", "MESSAGE": "why"}, got); diff != "" || started[0].Job != "mb/main" {
		t.Errorf("job %s\n%s", started[0].Job, diff)
	}
}

// TestNoPush: what is no push gets 200, the reason, and no row.
func TestNoPush(t *testing.T) {
	s := setUp(t, signedRules, nil)
	zen := `{"zen": "x", "hook_id": 1}`
	for event, body := range map[string]string{"ping": zen, "issues": zen, "push": strings.Replace(githubPush(""), "refs/heads/main", "refs/notes/commits", 1)} {
		status, answer := s.github("hub", event, "id", signature("the-secret", body), body)
		if status != http.StatusOK || !strings.HasPrefix(answer, `{"ignored":"`) {
			t.Errorf("%s: %d %s", event, status, answer)
		}
	}
	if n := s.deliveries(); n != 0 {
		t.Errorf("%d deliveries", n)
	}
}

// TestStrangers: no proof, a wrong one, another host's and an unknown source are
// answered alike to the byte, leave no row, and claim no delivery's id.
func TestStrangers(t *testing.T) {
	s := setUp(t, signedRules, nil)
	body := githubPush("2026-01-02T03:04:05Z")
	right := signature("the-secret", body)
	answers := map[string]bool{}
	for name, c := range map[string]struct {
		path, event, kind, body string
		header                  []string
	}{
		"unknown source":    {path: "nobody", header: []string{"X-Hub-Signature-256", right}},
		"wrong signature":   {path: "hub", header: []string{"X-Hub-Signature-256", signature("x", body)}},
		"wrong, ping":       {path: "hub", event: "ping", header: []string{"X-Hub-Signature-256", signature("x", body)}},
		"no signature":      {path: "hub"},
		"another header":    {path: "hub", header: []string{"X-Hub-Signature", right}},
		"a token":           {path: "hub?token=the-secret", header: []string{"X-Gitlab-Token", "the-secret"}},
		"no JSON":           {path: "hub", body: "x", header: []string{"X-Hub-Signature-256", right}},
		"GitLab, none":      {path: "lab"},
		"GitLab, wrong":     {path: "lab", header: []string{"X-Gitlab-Token", "x"}},
		"GitLab, signed":    {path: "lab", header: []string{"webhook-signature", "v1,AAAA", "webhook-id", "1", "webhook-timestamp", "1"}},
		"GitLab, GitHub's":  {path: "lab", header: []string{"X-Hub-Signature-256", right}},
		"Gitea, none":       {path: "tea"},
		"Gitea, prefixed":   {path: "tea", header: []string{"X-Gitea-Signature", right}},
		"Gitea, empty":      {path: "tea", header: []string{"X-Gitea-Signature", ""}},
		"Gitea, other kind": {path: "tea", kind: "text/xml", header: []string{"X-Gitea-Signature", right[7:]}},
	} {
		if c.body == "" {
			c.body = body
		}
		if c.kind == "" {
			c.kind = "application/json"
		}
		if c.event == "" {
			c.event = "push"
		}
		status, answer := s.send("/hooks/"+c.path, c.kind, c.body, append(c.header, "X-GitHub-Event", c.event, "X-Gitea-Event", c.event, "X-GitHub-Delivery", "id-1")...)
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		answers[answer] = true
	}
	if len(answers) != 1 {
		t.Errorf("strangers can tell refusals apart: %v", answers)
	}
	if n := s.deliveries(); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	if status, answer := s.github("hub", "push", "id-1", right, body); status != http.StatusAccepted || !strings.Contains(answer, `"duplicate":false`) {
		t.Errorf("the true delivery: %d %s", status, answer)
	}
}

// TestEmptyForms: an empty form to each source is answered and panics nowhere.
func TestEmptyForms(t *testing.T) {
	var log bytes.Buffer
	s := setUp(t, signedRules, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, source := range []string{"hub", "lab", "tea"} {
		if status, answer := s.send("/hooks/"+source, formType, "", "X-Gitea-Signature", "x"); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", source, status, answer)
		}
	}
	s.stop()
	if strings.Contains(log.String(), "panic") {
		t.Error(log.String())
	}
}

// TestOddTimes: a time at the edge of the calendar keeps no push out.
func TestOddTimes(t *testing.T) {
	s := setUp(t, signedRules, nil)
	for _, stamp := range []string{"9999-12-31T23:59:59-23:00", "0000-01-01T00:00:00+23:00", "x", ""} {
		body := githubPush(stamp)
		if status, answer := s.github("hub", "push", "id", signature("the-secret", body), body); status != http.StatusAccepted {
			t.Errorf("%q: %d %s", stamp, status, answer)
		}
	}
}
