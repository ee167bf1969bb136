package host

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// corpus is where recorded bodies lie beside the project.
const corpus = "../../../shared/corpus"

// recordedHeader guesses the headers of a body that was recorded without.
func recordedHeader(hostName, file string) http.Header {
	h := PushHeader(hostName)
	name := filepath.Base(file)
	event := ""
	switch {
	case strings.Contains(name, "ping"):
		event = "ping"
	case strings.Contains(name, "push_"):
	case strings.HasSuffix(name, "_create.json") || strings.HasSuffix(name, "create.json") || strings.Contains(name, "create-event"):
		event = "create"
	case strings.HasSuffix(name, "_delete.json") || strings.HasSuffix(name, "delete.json") || strings.Contains(name, "delete-event"):
		event = "delete"
	}
	for _, prefix := range []string{"X-GitHub-Event", "X-Gitea-Event", "X-Gogs-Event"} {
		if h.Get(prefix) != "" && event != "" {
			h.Set(prefix, event)
		}
	}
	if hostName == rules.BitbucketDataCenter {
		switch {
		case event == "ping":
			h.Set("X-Event-Key", "diagnostics:ping")
		case strings.Contains(name, "prOpen"):
			h.Set("X-Event-Key", "pr:opened")
		}
	}
	return h
}

// TestCorpus: every recorded body is read as the pushes it stands for, or said
// to be none. The log is a table of what each became.
func TestCorpus(t *testing.T) {
	folders := map[string]string{
		"bitbucket-post": rules.BitbucketPost, "bitbucket-cloud": rules.BitbucketCloud, "bitbucket-dc": rules.BitbucketDataCenter,
		"github": rules.GitHub, "gitlab": rules.GitLab, "gitea": rules.Gitea, "gogs": rules.Gogs,
	}
	if _, err := os.Stat(corpus); err != nil {
		t.Skip("no recorded bodies beside the project (../shared/corpus)")
	}
	for folder, name := range folders {
		files, err := filepath.Glob(filepath.Join(corpus, folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no bodies (%v)", folder, err)
		}
		for _, file := range files {
			if strings.HasPrefix(filepath.Base(file), "API_") {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(rules.Source{Name: "s", Host: name, Insecure: true}, recordedHeader(name, file), body)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			t.Logf("%-16s %-70s %s", folder, filepath.Base(file), became(d))
		}
	}
}

func became(d *Delivery) string {
	if d.Ignored != "" {
		return "ignored: " + d.Ignored
	}
	var said []string
	for _, p := range d.Pushes {
		said = append(said, fmt.Sprintf("%s %s %s %.7s→%.7s, %d commits, %d files %s", p.Event, p.Kind, p.Ref, p.Before, p.After, len(p.Commits), len(p.Files.Paths), p.Files.Completeness))
	}
	return d.Repo + ": " + strings.Join(said, "; ") + d.Note
}

// TestGiteaLive: what a real Gitea sent is verified by its own signature, and
// read.
func TestGiteaLive(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpus, "gitea-live", "*.headers.txt"))
	if len(files) == 0 {
		t.Skip("no recorded bodies beside the project (../shared/corpus/gitea-live)")
	}
	for _, file := range files {
		stem := strings.TrimSuffix(file, ".headers.txt")
		body, err := os.ReadFile(stem + ".json")
		if err != nil {
			if body, err = os.ReadFile(stem + ".form"); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for line := range bytes.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimRight(string(line), "\r\n"), ": "); ok {
				h.Add(name, value)
			}
		}
		hook := strings.Split(filepath.Base(stem), "__")[2]
		src := rules.Source{Name: "s", Host: rules.Gitea}
		switch hook {
		case "form":
			src.Secrets = []rules.Secret{"s3cr3t-form"}
		case "gogs":
			src.Host, src.Secrets = rules.Gogs, []rules.Secret{"old", "s3cr3t-gogs"}
		case "nosecret":
			src.Insecure = true
		default:
			src.Secrets = []rules.Secret{"s3cr3t-json"}
		}
		if err := Verify(src, h, body); err != nil {
			t.Errorf("%s: its own signature is refused", filepath.Base(stem))
		}
		if len(src.Secrets) > 0 {
			wrong := src
			wrong.Secrets = []rules.Secret{"another"}
			if Verify(wrong, h, body) == nil {
				t.Errorf("%s: a signature by another secret is taken", filepath.Base(stem))
			}
		}
		d, err := Parse(src, h, body)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(stem), err)
			continue
		}
		if hook == "json" {
			t.Logf("%-70s %s", filepath.Base(stem), became(d))
		}
	}
}
