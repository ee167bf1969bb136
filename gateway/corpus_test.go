package gateway

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// corpus is where recorded bodies lie beside the project.
const corpus = "../../shared/corpus"

const corpusRules = `
sources:
  bitbucket-post: {host: bitbucket-post, token: the-secret}
  bitbucket-cloud: {host: bitbucket-cloud, secret: the-secret}
  bitbucket-dc: {host: bitbucket-datacenter, secret: the-secret}
  github: {host: github, secret: the-secret}
  gitlab: {host: gitlab, secret: the-secret}
  gitea: {host: gitea, secret: the-secret}
  gogs: {host: gogs, secret: the-secret}
  live-json: {host: gitea, secret: s3cr3t-json}
  live-form: {host: gitea, secret: s3cr3t-form}
  live-gogs: {host: gogs, secret: [old, s3cr3t-gogs]}
  live-nosecret: {host: gitea, insecure: true}
servers: {ci: {jenkins: JENKINS, user: u, token: t}}
rules:
- {name: none, repos: nobody/nothing, start: {server: ci, job: mb/main}}
`

// recordedHeader guesses the headers of a body that was recorded without, and
// signs it.
func recordedHeader(hostName, file string, body []byte) http.Header {
	h := host.PushHeader(hostName)
	name := filepath.Base(file)
	event := ""
	switch {
	case strings.Contains(name, "ping"):
		event = "ping"
	case strings.Contains(name, "push_"):
	case strings.HasSuffix(name, "create.json") || strings.Contains(name, "create-event"):
		event = "create"
	case strings.HasSuffix(name, "delete.json") || strings.Contains(name, "delete-event"):
		event = "delete"
	}
	for _, prefix := range []string{"X-GitHub-Event", "X-Gitea-Event", "X-Gogs-Event"} {
		if h.Get(prefix) != "" && event != "" {
			h.Set(prefix, event)
		}
	}
	mac := hmac.New(sha256.New, []byte("the-secret"))
	mac.Write(body)
	sum := hex.EncodeToString(mac.Sum(nil))
	switch hostName {
	case rules.BitbucketDataCenter:
		if event == "ping" {
			h.Set("X-Event-Key", "diagnostics:ping")
		} else if strings.Contains(name, "prOpen") {
			h.Set("X-Event-Key", "pr:opened")
		}
		h.Set("X-Hub-Signature", "sha256="+sum)
	case rules.BitbucketCloud:
		h.Set("X-Hub-Signature", "sha256="+sum)
	case rules.GitHub:
		h.Set("X-Hub-Signature-256", "sha256="+sum)
	case rules.GitLab:
		h.Set("X-Gitlab-Token", "the-secret")
	case rules.Gitea:
		h.Set("X-Gitea-Signature", sum)
	case rules.Gogs:
		h.Set("X-Gogs-Signature", sum)
	}
	return h
}

// recordedLive reads the headers that a real Gitea sent, its signatures among
// them.
func recordedLive(t *testing.T, file string) http.Header {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for line := range bytes.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), ": "); ok && name != "Host" && name != "Content-Length" {
			h.Add(name, value)
		}
	}
	return h
}

// TestCorpus: every recorded body, sent to a running gateway, becomes the pushes
// it stands for or is said to be none; what a real Gitea sent is taken under its
// own signature, and refused under another secret. The log is a table.
func TestCorpus(t *testing.T) {
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no recorded bodies beside the project (../shared/corpus)")
	}
	s := setUp(t, corpusRules, nil)
	folders := []struct{ folder, host string }{
		{"bitbucket-post", rules.BitbucketPost}, {"bitbucket-cloud", rules.BitbucketCloud}, {"bitbucket-dc", rules.BitbucketDataCenter},
		{"github", rules.GitHub}, {"gitlab", rules.GitLab}, {"gitea", rules.Gitea}, {"gogs", rules.Gogs}, {"gitea-live", rules.Gitea},
	}
	for _, f := range folders {
		files, err := filepath.Glob(filepath.Join(corpus, f.folder, "*.*"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no bodies (%v)", f.folder, err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if strings.HasPrefix(name, "API_") || strings.HasSuffix(name, ".headers.txt") {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path := "/hooks/" + f.folder + "?token=the-secret"
			h := recordedHeader(f.host, file, body)
			if f.folder == "gitea-live" {
				hook := strings.Replace(strings.Split(name, "__")[2], "filtered", "json", 1)
				h, path = recordedLive(t, strings.TrimSuffix(file, filepath.Ext(file))+".headers.txt"), "/hooks/live-"+hook
				if hook != "nosecret" {
					if status, _ := s.sendWith("/hooks/gitea", h, body); status != http.StatusUnauthorized {
						t.Errorf("%s: %d under another secret", name, status)
					}
				}
			}
			status, answer := s.sendWith(path, h, body)
			if status != http.StatusAccepted && status != http.StatusOK {
				t.Errorf("%s: %d %s", file, status, answer)
			}
			t.Logf("%-15s %-78s %d %s", f.folder, name, status, s.became(answer))
		}
	}
	s.settle()
}

// sendWith posts a body with headers.
func (s *stage) sendWith(path string, h http.Header, body []byte) (int, string) {
	s.t.Helper()
	var flat []string
	for name, values := range h {
		if name != "Content-Type" {
			flat = append(flat, name, values[0])
		}
	}
	return s.send(path, h.Get("Content-Type"), string(body), flat...)
}

// became tells in a line what an answered delivery became.
func (s *stage) became(answer string) string {
	s.t.Helper()
	var said struct {
		Delivery string `json:"delivery"`
		Ignored  string `json:"ignored"`
	}
	if err := json.Unmarshal([]byte(answer), &said); err != nil {
		s.t.Errorf("%v: %s", err, answer)
	}
	if said.Ignored != "" {
		return "ignored: " + said.Ignored
	}
	d, err := s.ledger.Delivery(s.t.Context(), said.Delivery)
	if err != nil {
		s.t.Fatal(err)
	}
	pushes, err := s.ledger.Pushes(s.t.Context(), &d)
	if err != nil || len(pushes) == 0 && d.Note == "" {
		s.t.Errorf("%s: neither a push nor a reason, %v", said.Delivery, err)
	}
	line := fmt.Sprintf("%d pushes", len(pushes))
	for _, q := range pushes {
		p := q.Push
		line += fmt.Sprintf("; %s %s %s %.7s→%.7s, %d commits, %d files %s", p.Event, p.Kind, p.Ref, p.Before, p.After, len(p.Commits), len(p.Files.Paths), p.Files.Completeness)
	}
	if d.Note != "" {
		line += "; " + d.Note
	}
	return line
}
