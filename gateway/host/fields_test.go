package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// sound says what is wrong with what became of a body, or "".
func sound(d *Delivery, err error, body []byte) string {
	if err != nil {
		r, refused := errors.AsType[*Refusal](err)
		if !refused || r.Status < 400 || r.Status >= 500 || r.Reason == "" || r.Hint == "" || d != nil {
			return fmt.Sprintf("refused with %#v", err)
		}
		return ""
	}
	if d.Ignored != "" {
		return ""
	}
	if d.Repo == "" || len(d.Pushes) == 0 && d.Note == "" {
		return fmt.Sprintf("a silent nothing: %+v", d)
	}
	size := 0
	for i := range d.Pushes {
		p := &d.Pushes[i]
		switch {
		case p.Repo != d.Repo || p.Source == "" || p.Ref == "" || p.Kind != rules.Branch && p.Kind != rules.Tag:
			return fmt.Sprintf("no ref: %+v", p)
		case p.Event != rules.Pushed && p.Event != rules.Created && p.Event != rules.Deleted && p.Event != rules.Forced:
			return fmt.Sprintf("no event: %+v", p)
		case p.Files.Paths == nil || p.Files.Completeness != rules.Complete && p.Files.Completeness != rules.Partial && p.Files.Completeness != rules.Unknown:
			return fmt.Sprintf("no completeness: %+v", p)
		case len(p.Commits) > maxCommits:
			return fmt.Sprintf("%d commits", len(p.Commits))
		case p.Event == rules.Created && p.Before != "" || p.Event == rules.Deleted && p.After != "":
			return fmt.Sprintf("commits of no ref: %+v", p)
		}
		if _, err := json.Marshal(p); err != nil {
			return fmt.Sprintf("cannot be recorded: %v", err)
		}
		size += len(p.Repo) + len(p.Ref) + len(p.Pusher.Name) + len(p.Pusher.Email) + len(p.DefaultBranch) + len(p.CommitURL) + len(p.CompareURL)
		for _, f := range p.Files.Paths {
			size += len(f)
		}
		for _, c := range p.Commits {
			size += len(c.Message) + len(c.ID)
		}
	}
	// Links may encode a byte as three.
	if limit := 3*maxFileBytes + 20*len(body); size > limit {
		return fmt.Sprintf("%d bytes out of %d", size, len(body))
	}
	return ""
}

// shapes are the bodies that TestOtherFields takes apart.
func shapes(hostName string) map[string]any {
	event := map[string]string{rules.Gitea: "X-Gitea-Event", rules.Gogs: "X-Gogs-Event"}[hostName]
	out := map[string]any{"": good(hostName)}
	if event != "" {
		out[event+" create"] = gone("tag", "v1", "sha", sha(2))
		out[event+" delete"] = gone("branch", "a")
	}
	return out
}

// TestOtherFields: each field of each host replaced by everything else; nothing
// panics, and what is not refused is a whole push.
func TestOtherFields(t *testing.T) {
	others := []any{
		nil, []any{}, m{}, 1, "x", "", true, []any{nil}, []any{1}, []any{m{}}, strings.Repeat("0", 40), strings.Repeat("é", 300), "a\x00b", -1,
		json.RawMessage("1e400"), json.RawMessage("12345678901234567890"), json.RawMessage("-0.0"),
		json.RawMessage(strings.Repeat("[", 90) + strings.Repeat("]", 90)),
	}
	deep := json.RawMessage(strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth))
	tried := 0
	for _, hostName := range signing {
		for event, shape := range shapes(hostName) {
			h := headers(hostName, strings.Fields(event)...)
			var body any
			if err := json.Unmarshal(mustJSON(t, shape), &body); err != nil {
				t.Fatal(err)
			}
			try := func(refused bool) {
				text := mustJSON(t, body)
				tried++
				d, err := Parse(rules.Source{Name: "s", Host: hostName}, h, text)
				if wrong := sound(d, err, text); wrong != "" || refused && err == nil {
					t.Errorf("%s: %.300s: %s", hostName, text, wrong)
				}
			}
			var walk func(v any, set func(any))
			walk = func(v any, set func(any)) {
				for _, x := range others {
					set(x)
					try(false)
				}
				set(deep)
				try(true)
				switch v := v.(type) {
				case map[string]any:
					text := mustJSON(t, v)
					for k := range v {
						// The same name twice, and the name in capitals.
						set(json.RawMessage(fmt.Sprintf(`{%q:null,%s`, k, text[1:])))
						try(true)
						set(json.RawMessage(fmt.Sprintf(`{%q:null,%s`, strings.ToUpper(k), text[1:])))
						try(false)
					}
					set(v)
					for k, e := range v {
						walk(e, func(x any) { v[k] = x })
					}
				case []any:
					set(v)
					for i, e := range v {
						walk(e, func(x any) { v[i] = x })
					}
				}
				set(v)
			}
			walk(body, func(x any) { body = x })
		}
	}
	if tried < 5000 {
		t.Errorf("only %d bodies tried", tried)
	}
}

// TestCapitals: a name in capitals is another name, first or last.
func TestCapitals(t *testing.T) {
	for _, hostName := range []string{rules.GitHub, rules.GitLab, rules.Gitea, rules.Gogs} {
		text := string(mustJSON(t, good(hostName)))
		want := told(t, hostName, headers(hostName), []byte(text))
		for _, evil := range []string{`{"Ref":"refs/heads/evil",` + text[1:], text[:len(text)-1] + `,"REF":"refs/heads/evil"}`} {
			if got := told(t, hostName, headers(hostName), []byte(evil)); got != want {
				t.Errorf("%s: %s", hostName, got)
			}
		}
	}
}

// TestRepeatedTexts: what every push of a body repeats does not make a large
// delivery of a small body.
func TestRepeatedTexts(t *testing.T) {
	long := strings.Repeat("n", 10_000)
	var cloud, dc []m
	var post []c
	for i := range 4_000 {
		name := fmt.Sprint("b", i)
		cloud = append(cloud, m{"new": m{"type": "branch", "name": name, "target": m{"hash": "1"}}})
		dc = append(dc, m{"refId": "refs/heads/" + name, "toHash": "1"})
		post = append(post, c{fmt.Sprintf("%012x", i+1), name, "", ""})
	}
	for hostName, build := range map[string]func(name string) []byte{
		rules.BitbucketCloud:      func(name string) []byte { return mustJSON(t, with(cloudBody(cloud...), "actor", m{"nickname": name})) },
		rules.BitbucketDataCenter: func(name string) []byte { return mustJSON(t, with(dcBody(1, 0, dc...), "actor", m{"name": name})) },
		rules.BitbucketPost: func(name string) []byte {
			return []byte(strings.Replace(postText(t, false, post...), `"user":"ann"`, `"user":"`+name+`"`, 1))
		},
	} {
		for name, status := range map[string]int{"ann": 0, long: http.StatusRequestEntityTooLarge} {
			body := build(name)
			d, err := Parse(rules.Source{Name: "s", Host: hostName}, headers(hostName), body)
			if wrong := sound(d, err, body); wrong != "" {
				t.Errorf("%s: %s", hostName, wrong)
			}
			if r, _ := errors.AsType[*Refusal](err); r != nil && r.Status != status || r == nil && (status != 0 || len(d.Pushes) != 4_000) {
				t.Errorf("%s, %.10s: %v", hostName, name, err)
			}
		}
	}
}

// TestManyFiles: the names of a body's files are bounded, and what was left out
// is said.
func TestManyFiles(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, strings.Repeat(string(rune('a'+i%26)), 1<<20)+fmt.Sprint(i))
	}
	f := filesOf([]commit{{Added: names, Removed: names, Modified: []string{"last"}}})
	if got := f.Files(true); got.Completeness != rules.Partial || len(got.Paths) != 31 || f.bytes > 3*maxFileBytes {
		t.Errorf("%d files, %s, %d bytes", len(got.Paths), got.Completeness, f.bytes)
	}
}

// FuzzHosts: whatever is sent to whichever host, nothing panics, nothing passes
// for signed, and what is read is whole.
func FuzzHosts(f *testing.F) {
	for i, hostName := range signing {
		for event, shape := range shapes(hostName) {
			_, event, _ = strings.Cut(event, " ")
			text := mustJSON(f, shape)
			f.Add(uint8(i), event, "application/json", "sha256="+sha(0), text)
			f.Add(uint8(i), event, formType, sha(0), form(string(text)))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, event, kind, signature string, body []byte) {
		src := rules.Source{Name: "s", Host: signing[int(n)%len(signing)], Secrets: []rules.Secret{"a secret that no input shows"}}
		h := PushHeader(src.Host)
		h.Set("Content-Type", kind)
		for name := range h {
			if strings.HasPrefix(name, "X-") && event != "" {
				h.Set(name, event)
			}
		}
		d, err := Parse(src, h, body)
		if wrong := sound(d, err, body); wrong != "" {
			t.Fatal(src.Host, wrong)
		}
		for _, p := range proofs {
			h.Set(p.header, signature)
		}
		if Verify(src, h, body) == nil {
			t.Fatalf("%s: signed by %q", src.Host, signature)
		}
	})
}
