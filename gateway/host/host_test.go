package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

var broker = rules.Source{Name: "broker", Host: rules.BitbucketPost, Tokens: []rules.Secret{"t1", "t2"}}

func form(text string) []byte { return []byte("payload=" + url.QueryEscape(text)) }

const formType = "application/x-www-form-urlencoded"

func contentType(kind string) http.Header { return http.Header{"Content-Type": {kind}} }

func TestAdmit(t *testing.T) {
	for _, c := range []struct {
		target, user, password string
		ok                     bool
	}{
		{target: "/?token=t1", ok: true},
		{target: "/?token=t2", ok: true},
		{target: "/?token=bad&token=t2", ok: true},
		{target: "/", user: "hook", password: "t1", ok: true},
		{target: "/", user: "t2", ok: true},
		{target: "/"},
		{target: "/?token="},
		{target: "/?token=t"},
		{target: "/?token=t11"},
		{target: "/", user: "hook", password: "bad"},
	} {
		r := httptest.NewRequest("POST", c.target, nil)
		if c.user != "" {
			r.SetBasicAuth(c.user, c.password)
		}
		if err := Admit(broker, r); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	empty := rules.Source{Host: rules.BitbucketPost, Tokens: []rules.Secret{""}}
	if Admit(empty, httptest.NewRequest("POST", "/?token=", nil)) == nil {
		t.Error("an empty token opens a source")
	}
	if err := Admit(rules.Source{Host: rules.BitbucketPost, Insecure: true}, httptest.NewRequest("POST", "/", nil)); err != nil {
		t.Errorf("insecure source: %v", err)
	}
}

// TestAllow: a list of addresses refuses others, token or not, and suffices
// where there is no token.
func TestAllow(t *testing.T) {
	net := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		remote, target string
		tokens         []rules.Secret
		ok             bool
	}{
		{remote: "192.0.2.9:1234", target: "/", ok: true},
		{remote: "[::ffff:192.0.2.9]:1234", target: "/", ok: true},
		{remote: "[2001:db8::1%eth0]:1234", target: "/", ok: true},
		{remote: "198.51.100.1:1234", target: "/"},
		{remote: "pipe", target: "/"},
		{remote: "192.0.2.9:1234", target: "/", tokens: broker.Tokens},
		{remote: "192.0.2.9:1234", target: "/?token=t1", tokens: broker.Tokens, ok: true},
		{remote: "198.51.100.1:1234", target: "/?token=t1", tokens: broker.Tokens},
	} {
		r := httptest.NewRequest("POST", c.target, nil)
		r.RemoteAddr = c.remote
		if err := Admit(rules.Source{Host: rules.BitbucketPost, Allow: net, Tokens: c.tokens}, r); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A commit of a test body: id, branch ("" for null), parents, files.
type c struct {
	id, branch, parents, files string
}

func postText(t *testing.T, truncated bool, commits ...c) string {
	t.Helper()
	list := []map[string]any{}
	for _, c := range commits {
		m := map[string]any{
			"node": c.id, "raw_node": c.id + strings.Repeat("0", 40-len(c.id)), "author": "ann",
			"raw_author": "Ann Other <ann@example.com>", "message": "m " + c.id, "utctimestamp": "2013-12-22 02:54:39+00:00",
			"timestamp": "2013-12-22 03:54:39", "size": -1, "revision": nil, "branch": nil,
			"parents": strings.Fields(c.parents),
		}
		if c.branch != "" {
			m["branch"] = c.branch
		} else {
			m["branches"] = []string{"dev", "never-moved"}
		}
		files := []map[string]string{}
		for _, f := range strings.Fields(c.files) {
			files = append(files, map[string]string{"file": f, "type": "modified"})
		}
		m["files"] = files
		list = append(list, m)
	}
	b, err := json.Marshal(map[string]any{
		"canon_url": "https://bitbucket.org", "commits": list, "user": "ann", "truncated": truncated,
		"repository": map[string]any{"absolute_url": "/acme/shop/", "name": "The / Shop", "slug": "shop", "owner": "acme", "scm": "git", "website": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func id(digit string) string { return strings.Repeat(digit, 12) }

func TestBitbucketPostBranches(t *testing.T) {
	a, b, m, x, y := id("a"), id("b"), id("c"), id("d"), id("e")
	type want struct{ ref, before, after, files, completeness string }
	for name, tc := range map[string]struct {
		truncated bool
		commits   []c
		want      []want
		note      string
	}{
		"one commit": {commits: []c{{a, "master", x, "f"}}, want: []want{{"master", x, a, "f", "complete"}}},
		"only the head names the branch": {
			commits: []c{{a, "", x, "f"}, {b, "", a, "g"}, {m, "master", b, "f h"}},
			want:    []want{{"master", x, m, "f g h", "complete"}},
		},
		"a merged-in commit": {
			commits: []c{{a, "", y, "f"}, {m, "master", x + " " + a, "g"}},
			want:    []want{{"master", x, m, "f g", "complete"}},
		},
		"two branches": {
			commits: []c{{a, "dev", x, "f"}, {b, "master", y, "g"}},
			want:    []want{{"dev", x, a, "f", "complete"}, {"master", y, b, "g", "complete"}},
		},
		"a branch grown out of another in one push": {
			commits: []c{{a, "master", x, "f"}, {b, "dev", a, "g"}},
			want:    []want{{"master", x, a, "f", "complete"}, {"dev", x, b, "f g", "complete"}},
		},
		"a null commit that two branches reach": {
			commits: []c{{a, "", x, "f"}, {b, "dev", a, "g"}, {m, "master", a, "h"}},
			want:    []want{{"dev", x, b, "f g", "complete"}, {"master", x, m, "f h", "complete"}},
		},
		"a root commit":  {commits: []c{{a, "master", "", "f"}}, want: []want{{"master", "", a, "f", "complete"}}},
		"truncated":      {truncated: true, commits: []c{{a, "master", x, "f"}}, want: []want{{"master", x, a, "f", "unknown"}}},
		"no branch":      {commits: []c{{a, "", x, "f"}, {b, "", a, "g"}}, note: "none of the commits says"},
		"no commits":     {commits: nil, note: "the body has no commits"},
		"a parent cycle": {commits: []c{{a, "master", b, "f"}, {b, "master", a, "g"}}, want: []want{{"master", "", b, "f g", "complete"}}},
	} {
		t.Run(name, func(t *testing.T) {
			text := postText(t, tc.truncated, tc.commits...)
			for _, in := range []struct {
				kind string
				body []byte
			}{{formType, form(text)}, {"application/json", []byte(text)}, {"", []byte(text)}} {
				d, err := Parse(broker, contentType(in.kind), in.body)
				if err != nil {
					t.Fatal(err)
				}
				var got []want
				for _, p := range d.Pushes {
					got = append(got, want{p.Ref, p.Before, p.After[:12], strings.Join(p.Files.Paths, " "), string(p.Files.Completeness)})
					if p.Repo != "acme/shop" || p.Kind != rules.Branch || p.Event != rules.Pushed || p.Source != "broker" {
						t.Errorf("push %+v", p)
					}
				}
				if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(d.Note, tc.note) || (d.Note == "") != (tc.note == "") {
					t.Errorf("note %q, want %q", d.Note, tc.note)
				}
				if (d.Key == "") != (len(tc.commits) == 0) {
					t.Errorf("key %q of a body with %d commits", d.Key, len(tc.commits))
				}
			}
		})
	}
}

func TestBitbucketPostDetails(t *testing.T) {
	d, err := Parse(broker, contentType(formType), form(postText(t, false, c{id("a"), "master", id("b"), "f"})))
	if err != nil {
		t.Fatal(err)
	}
	full := id("a") + strings.Repeat("0", 28)
	want := rules.Push{
		Source: "broker", Repo: "acme/shop", Kind: rules.Branch, Ref: "master", Event: rules.Pushed,
		Before: id("b"), After: full,
		Commits: []rules.Commit{{ID: full, Message: "m " + id("a"), Author: rules.Person{Name: "Ann Other", Email: "ann@example.com"},
			Time: time.Date(2013, 12, 22, 2, 54, 39, 0, time.UTC)}},
		Pusher: rules.Person{Name: "ann"}, Files: rules.Files{Completeness: rules.Complete, Paths: []string{"f"}},
		CommitURL:  "https://bitbucket.org/acme/shop/commits/" + full,
		CompareURL: "https://bitbucket.org/acme/shop/branches/compare/" + full + ".." + id("b"),
	}
	if diff := cmp.Diff([]rules.Push{want}, d.Pushes); diff != "" {
		t.Error(diff)
	}
}

// TestLinksFromBodies: an address in a body becomes a link only if it is one.
func TestLinksFromBodies(t *testing.T) {
	for _, base := range []string{"javascript:alert(1)//x", "data:text/html,x", "", "//evil", "https://u:p@x", "\x00"} {
		if got := joinPage(base, "/a"); got != "" {
			t.Errorf("%q gives %q", base, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	good := postText(t, false, c{id("a"), "master", id("b"), "f"})
	for name, tc := range map[string]struct {
		kind, body string
		status     int
		reason     string
	}{
		"empty":                   {formType, "", 400, "the body is empty"},
		"not JSON":                {"application/json", "hello", 400, "not JSON"},
		"cut off":                 {"application/json", good[:len(good)/2], 400, "not JSON"},
		"not a form":              {formType, "%zz", 400, "not a form"},
		"form without payload":    {formType, "a=b", 400, "no field payload"},
		"form with empty payload": {formType, "payload=", 400, "no field payload"},
		"JSON called a form":      {formType, good, 400, "is JSON but its content type says form"},
		"unknown content type":    {"text/xml", "<a/>", 415, "content type"},
		"broken content type":     {"application/json; =", "{}", 415, "cannot be read"},
		"an array":                {"application/json", "[]", 400, "another shape"},
		"another host's":          {"application/json", `{"ref":"refs/heads/main","repository":{"full_name":"a/b"},"commits":[]}`, 400, "another shape"},
		"no repository":           {"application/json", `{"commits":[]}`, 400, "no repository"},
		"no commits":              {"application/json", `{"repository":{"absolute_url":"/a/b/"}}`, 400, "no list of commits"},
		"wrong type":              {"application/json", `{"repository":{"absolute_url":7},"commits":[]}`, 400, "another shape"},
		"a name twice":            {"application/json", `{"user":"a","user":"b","repository":{"absolute_url":"/a/b/"},"commits":[]}`, 400, "not JSON"},
		"deep":                    {"application/json", strings.Repeat("[", 101) + strings.Repeat("]", 101), 400, "nests deeper"},
		"very deep":               {"application/json", strings.Repeat(`{"a":`, 1_000_000), 400, "nests deeper"},
		"invalid UTF-8":           {"application/json", strings.Replace(good, "master", "m\xff", 1), 400, "not JSON"},
	} {
		d, err := Parse(broker, contentType(tc.kind), []byte(tc.body))
		r, ok := errors.AsType[*Refusal](err)
		if !ok || d != nil {
			t.Errorf("%s: %v %v", name, d, err)
			continue
		}
		if r.Status != tc.status || !strings.Contains(r.Reason, tc.reason) || r.Hint == "" || strings.ContainsAny(r.Reason, "\n\r") || !utf8.ValidString(r.Reason) {
			t.Errorf("%s: %d %q (hint %q), want %d %q", name, r.Status, r.Reason, r.Hint, tc.status, tc.reason)
		}
	}
}

// TestFieldsOfOtherTypes puts null, numbers, lists and objects into every field
// in turn: a push or a refusal, never a panic.
func TestFieldsOfOtherTypes(t *testing.T) {
	var good any
	if err := json.Unmarshal([]byte(postText(t, false, c{id("a"), "master", id("b"), "f"}, c{id("b"), "", "", ""})), &good); err != nil {
		t.Fatal(err)
	}
	tried := 0
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		for _, other := range []any{nil, true, -1, 1e300, "", "x", []any{}, []any{nil}, map[string]any{}} {
			set(other)
			text, err := json.Marshal(good)
			if err != nil {
				t.Fatal(err)
			}
			tried++
			d, err := Parse(broker, contentType("application/json"), text)
			if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
				t.Errorf("%s: %v %v", text, d, err)
			}
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(e, func(x any) { v[k] = x })
			}
		case []any:
			for i, e := range v {
				walk(e, func(x any) { v[i] = x })
			}
		}
	}
	walk(good, func(x any) { good = x })
	if tried < 200 {
		t.Errorf("only %d bodies tried", tried)
	}
}

// TestManyBranches: a body of many branches on one chain stays cheap, and what
// was not walked is called unknown.
func TestManyBranches(t *testing.T) {
	var commits []c
	hex := func(i int) string {
		const digits = "0123456789abcdef"
		s := make([]byte, 12)
		for k := range s {
			s[k] = digits[i>>(4*k)&15]
		}
		return string(s)
	}
	for i := range 5000 {
		commits = append(commits, c{hex(i + 1), "b" + hex(i), hex(i), "f"})
	}
	d, err := Parse(broker, contentType("application/json"), []byte(postText(t, false, commits...)))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Pushes) != 5000 {
		t.Fatalf("%d pushes", len(d.Pushes))
	}
	if got := d.Pushes[4999].Files.Completeness; got != rules.Unknown {
		t.Errorf("the last branch's list is %s", got)
	}
	if got := d.Pushes[10].Files.Completeness; got != rules.Complete {
		t.Errorf("an early branch's list is %s", got)
	}
}

// TestSharedCommits: a small body whose branches share a commit of many files
// and a long message does not become a large delivery.
func TestSharedCommits(t *testing.T) {
	var files strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&files, "some/folder/file%d ", i)
	}
	commits := []c{{id("f"), "", "", files.String()}}
	for i := range 1000 {
		commits = append(commits, c{fmt.Sprintf("%012x", i+1), fmt.Sprintf("b%d", i), id("f"), "own"})
	}
	text := strings.Replace(postText(t, false, commits...), "m ffffffffffff", strings.Repeat("long ", 40_000), 1)
	d, err := Parse(broker, contentType("application/json"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	size, unknown := 0, 0
	for _, p := range d.Pushes {
		if p.Files.Completeness == rules.Unknown {
			unknown++
		}
		for _, f := range p.Files.Paths {
			size += len(f)
		}
		for _, c := range p.Commits {
			size += len(c.Message)
		}
	}
	if len(d.Pushes) != 1000 || size > maxFileBytes+(1<<20) || unknown == 0 {
		t.Errorf("%d pushes hold %d bytes, %d lists unknown", len(d.Pushes), size, unknown)
	}
	if d.Pushes[0].Files.Completeness != rules.Complete {
		t.Error("the first branch's list is not complete")
	}
}

// TestRecordedBodies reads the documented samples where they lie beside the
// project.
func TestRecordedBodies(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/corpus/bitbucket-post/*.json")
	if len(files) == 0 {
		t.Skip("no recorded bodies beside the project (../shared/corpus/bitbucket-post)")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(broker, contentType(formType), form(string(text)))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(d.Pushes) != 1 || d.Repo != "marcus/project-x" || d.Pushes[0].Files.Completeness != rules.Complete {
			t.Errorf("%s: %+v", file, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(formType, form(`{"commits":[],"repository":{"absolute_url":"/a/b/"}}`))
	f.Add("application/json", []byte(`{"commits":[{"branch":"x","node":"a","parents":["a"]}],"repository":{"absolute_url":"/a/b/"}}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		d, err := Parse(broker, contentType(kind), body)
		if r, refused := errors.AsType[*Refusal](err); err != nil && (!refused || r.Status < 400 || r.Reason == "") {
			t.Fatalf("%v %v", d, err)
		}
		if err == nil && (d == nil || d.Repo == "" || len(d.Pushes) == 0 && d.Note == "") {
			t.Fatalf("a silent nothing: %+v", d)
		}
	})
}

func TestUnauthorizedIsOneAnswer(t *testing.T) {
	if r := Unauthorized(); r.Status != http.StatusUnauthorized || r.Hint == "" {
		t.Errorf("%+v", r)
	}
}

// TestOnlyPayload: the quick reading of a form gives what the thorough one
// gives, or nothing.
func TestOnlyPayload(t *testing.T) {
	for _, body := range []string{"payload=a", "payload=", "payload=%7B%22+%e2%9c%93", "payload=a&x=b", "x=b&payload=a", "payload=%", "payload=%4", "payload=%zz", "payload=a;b", "payload==", "Payload=a", "payload=a=b%26"} {
		got, ok := onlyPayload([]byte(body))
		form, err := url.ParseQuery(body)
		if ok && (err != nil || string(got) != form.Get("payload")) {
			t.Errorf("%q: %q, the thorough reading says %q %v", body, got, form.Get("payload"), err)
		}
	}
	if got, ok := onlyPayload(form(`{"a": "b+c"}`)); !ok || string(got) != `{"a": "b+c"}` {
		t.Errorf("%q %v", got, ok)
	}
}
