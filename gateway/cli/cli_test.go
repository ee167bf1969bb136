package cli

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pushgate/pushgate/gateway"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/gateway/web"
	"github.com/pushgate/pushgate/rules"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pushgate": func() { os.Exit(Main(os.DirFS(os.Getenv("STARTER")), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/*.txtar against the command line.
func TestScripts(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("STARTER", root+"/../..")
			e.Setenv("ESC", "\x1b")
			return nil
		},
		RequireExplicitExec: true,
	})
}

// TestDemo runs the demo whole: both samples are decided, and their builds
// started once with the values the starter rules declare, and ended.
func TestDemo(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main(os.DirFS("../.."), []string{"demo", "--once", "--json", "--listen", "127.0.0.1:0"}, &bytes.Buffer{}, &out, &errOut); code != 0 {
		t.Fatalf("exit %d\n%s", code, errOut.String())
	}
	var page struct {
		Items []struct {
			Pushes []struct {
				Ref, State string
				Decision   struct {
					Rules []struct {
						Name    string
						Matched bool
					}
				}
			}
			Builds []struct {
				Server, Job, Plan, State string
				Values                   map[string]string
				Uncertain                bool
				Tried                    int
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &page); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	type build struct {
		Ref, Server, Target, State string
		Values                     map[string]string
		Tried                      int
	}
	var got []build
	for _, item := range page.Items {
		for _, b := range item.Builds {
			got = append(got, build{item.Pushes[0].Ref, b.Server, b.Job + b.Plan, b.State, b.Values, b.Tried})
		}
		if len(item.Pushes[0].Decision.Rules) != 3 {
			t.Errorf("the decision does not show every rule: %+v", item.Pushes)
		}
	}
	const git, hg = "620ade18607ac42d872b568bb92acaa9a28620e9", "d14d26a93fd28d3166fa81c0cd3b6f339bb95bfe"
	want := []build{
		{"master", "ci", "project-x/master", "succeeded", map[string]string{"COMMIT": git, "AUTHOR": "marcus"}, 1},
		{"featureA", "ci", "project-x/featureA", "succeeded", map[string]string{"COMMIT": hg, "AUTHOR": "marcus"}, 1},
		{"featureA", "bamboo", "PROJ-X", "succeeded", map[string]string{"commit": hg}, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDemoText: without --json the same is said for people.
func TestDemoText(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Main(os.DirFS("../.."), []string{"demo", "--once", "--listen", "127.0.0.1:0"}, &bytes.Buffer{}, &out, &errOut); code != 0 || errOut.Len() > 0 {
		t.Fatalf("exit %d\n%s", code, errOut.String())
	}
	for _, want := range []string{"a simulated Jenkins at http://127.0.0.1:", "project-x/master on ci: succeeded", "project-x/featureA on ci: succeeded", "PROJ-X on bamboo: succeeded"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out.String())
		}
	}
}

// TestSamplesAsJSON holds explain --json to its documented shape, for both
// samples: the documented fields, and of a build's options those that are set.
func TestSamplesAsJSON(t *testing.T) {
	type build struct {
		Rules      []string          `json:"rules"`
		Server     string            `json:"server"`
		Job        string            `json:"job,omitempty"`
		Parameters map[string]string `json:"parameters,omitempty"`
		Plan       string            `json:"plan,omitempty"`
		Branch     string            `json:"branch,omitempty"`
		Revision   string            `json:"revision,omitempty"`
		Dynamic    bool              `json:"dynamic,omitempty"`
		Variables  map[string]string `json:"variables,omitempty"`
	}
	type push struct {
		Repo, Kind, Ref, Event, Before, Commit, Skipped string
		Files                                           struct {
			Completeness string
			Paths        []string
		}
		Builds []build
		Rules  []struct {
			Name    string
			Matched bool
			At      string
			Checks  []struct {
				Field, Value, Pattern, At, Note string
				OK                              bool
			}
		}
	}
	const git, hg = "620ade18607ac42d872b568bb92acaa9a28620e9", "d14d26a93fd28d3166fa81c0cd3b6f339bb95bfe"
	for name, want := range map[string]push{
		"git": {Repo: "marcus/project-x", Kind: "branch", Ref: "master", Event: "push", Before: "702c70160afc", Commit: git, Builds: []build{
			{Rules: []string{"project-x"}, Server: "ci", Job: "project-x/master", Parameters: map[string]string{"COMMIT": git, "AUTHOR": "marcus"}, Dynamic: true},
		}},
		"mercurial": {Repo: "marcus/project-x", Kind: "branch", Ref: "featureA", Event: "push", Before: "1b458191f31a", Commit: hg, Builds: []build{
			{Rules: []string{"project-x"}, Server: "ci", Job: "project-x/featureA", Parameters: map[string]string{"COMMIT": hg, "AUTHOR": "marcus"}, Dynamic: true},
			{Rules: []string{"project-x-features"}, Server: "bamboo", Plan: "PROJ-X", Branch: "featureA", Revision: hg, Variables: map[string]string{"commit": hg}},
		}},
	} {
		var out, errOut bytes.Buffer
		if code := Main(os.DirFS("../.."), []string{"explain", "--json", "--rules", "../../rules.yaml", "../../examples/bitbucket-post/" + name + ".json"}, &bytes.Buffer{}, &out, &errOut); code != 0 {
			t.Fatalf("exit %d\n%s", code, errOut.String())
		}
		var got struct{ Pushes []push }
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got.Pushes) != 1 {
			t.Fatalf("%s: %d pushes, %v", name, len(got.Pushes), err)
		}
		p := got.Pushes[0]
		if len(p.Rules) != 3 || p.Files.Completeness != "complete" || !cmp.Equal(p.Files.Paths, []string{"somefile.py"}) {
			t.Errorf("%s: rules %+v, files %+v", name, p.Rules, p.Files)
		}
		for _, r := range p.Rules {
			if n := len(r.Checks); n == 0 || r.Checks[n-1].OK != r.Matched || !strings.HasPrefix(r.At, "rules.yaml:") {
				t.Errorf("%s: the last check does not tell of the rule: %+v", name, r)
			}
		}
		p.Rules, p.Files = nil, want.Files
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
}

// TestHostileText: nothing in a push steers the terminal, as text or as JSON.
func TestHostileText(t *testing.T) {
	const nasty = "a\x1b[31m\u009b2J\u202e\u2028\x7f\r\U000e0001z"
	for _, args := range [][]string{
		{"--branch", nasty}, {"--branch", nasty, "--json"}, {"--branch", "b\xff", "--json"},
		{"--tag", nasty, "--file", nasty, "--message", nasty, "--author", nasty, "--json"},
		{"--branch", "b", "--event", nasty}, {"--branch", "b", "--source", nasty}, {"--branch", "b", "--rule", nasty},
	} {
		var out, errOut bytes.Buffer
		code := Main(os.DirFS("../.."), append([]string{"explain", "--rules", "../../rules.yaml", "--repo", "marcus/project-x"}, args...), &bytes.Buffer{}, &out, &errOut)
		if said := out.String() + errOut.String(); strings.ContainsFunc(said, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q: exit %d, prints %q", args, code, said)
		}
		if !slices.Contains(args, "--json") {
			continue
		}
		var got struct {
			Pushes []struct{ Ref string }
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != 0 {
			t.Errorf("%q: exit %d, %v, %s", args, code, err, errOut.String())
		} else if want := strings.ToValidUTF8(args[1], "\ufffd"); got.Pushes[0].Ref != want {
			t.Errorf("%q: ref %q", args, got.Pushes[0].Ref)
		}
	}
}

// TestHostileDelivery: what a code host says, names of branches among it, does not
// steer the terminal of those who list deliveries.
func TestHostileDelivery(t *testing.T) {
	const nasty = "a\x1b[31m\u009b2J\u202e\u2028\x7f\r\U000e0001z"
	var out bytes.Buffer
	p := &program{out: &out, errOut: &out}
	files := rules.Files{Completeness: rules.Unknown, Note: nasty}
	d := web.DeliveryView{
		ID: "d_1", Repo: nasty, Note: nasty + ": moved: " + nasty,
		Pushes: []web.PushView{
			{Ref: nasty, Before: nasty, Commit: nasty, State: ledger.PushWaiting, Waits: nasty + "; so far: " + nasty},
			{Ref: nasty, State: ledger.PushDecided, Unanswered: nasty, Decision: &rules.Explanation{
				Repo: nasty, Ref: nasty, Files: files, Rules: []rules.Verdict{{Name: "a", Checks: []rules.Check{{Field: "paths", Note: "unknown (" + nasty + "): " + nasty}}}},
			}},
		},
		Statuses: []web.StatusView{{Context: nasty, State: "success", Reason: nasty}},
	}
	p.printDelivery(&d)
	p.printDeliveries([]web.DeliveryView{d})
	if said := out.String(); strings.ContainsFunc(said, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("prints %q", said)
	}
}

// TestDeliveries: a line says what became of each push, what one waits for, and
// that the code host did not tell the files.
func TestDeliveries(t *testing.T) {
	build := []web.BuildView{{Job: "api", State: ledger.Succeeded}}
	for want, d := range map[string]web.DeliveryView{
		"names no branch, api succeeded": {
			Note: "names no branch: the body has no commits; the code host was asked: moved: main", Builds: build,
			Pushes: []web.PushView{{State: ledger.PushDecided, Matched: []string{"api"}}},
		},
		"files not known, api succeeded": {Builds: build, Pushes: []web.PushView{{State: ledger.PushDecided, Matched: []string{"api"}, Unanswered: "compare: no"}}},
		"undecided: the host is asked":   {Pushes: []web.PushView{{State: ledger.PushWaiting, Waits: "the host is asked; so far: no answer"}}},
		"undecided":                      {Pushes: []web.PushView{{State: ledger.PushWaiting}}},
	} {
		if got := outcome(d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPagesAnswerGetOnly asks the routes that serve puts before the pages.
func TestPagesAnswerGetOnly(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	l, err := ledger.Open(t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(t.TempDir(), "l.db"), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g, err := gateway.New(gateway.Options{Rules: &rules.Set{}, Ledger: l, PublicURL: "http://localhost", Pages: true, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.Handler())
	defer server.Close()
	for _, path := range []string{"/", "/deliveries/d_1aaaaaaaa", "/static/style.css"} {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusNotFound || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%s %s: %s", method, path, resp.Status)
			}
		}
	}
}

// TestExitCodes: 0 done, 1 failed, 2 used wrongly.
func TestExitCodes(t *testing.T) {
	unset := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(unset, []byte(`{servers: {ci: {jenkins: "${NO_SUCH_VARIABLE_HERE}"}}, rules: [{name: a, start: {server: ci, job: x}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{}, 0},
		{[]string{"version"}, 0},
		{[]string{"check", "../../rules.yaml"}, 0},
		{[]string{"check", "none.yaml"}, 1},
		{[]string{"explain", "--rules", "../../rules.yaml", "--repo", "a/b", "--branch", "c"}, 0},
		{[]string{"test", "--rules", "../../rules.yaml"}, 0},
		{[]string{"test", "--rules", "../../rules.yaml", "--run", "no test is named so"}, 1},
		{[]string{"test", "--rules", "../../rules.yaml", "none.test.yaml"}, 1},
		{[]string{"test", "--rules", unset}, 1},
		{[]string{"test", "--rules", "../../rules.yaml", "--run", "("}, 2},
		{[]string{"test", "--rules", "../../rules.yaml", "--junit", ""}, 2},
		{[]string{"show", "--database", "sqlite:none.db", "d_1aaaaaaaa"}, 1},
		{[]string{"serve", "--rules", unset}, 1},
		{[]string{"serve", "--rules", unset, "x"}, 2},
		{[]string{"nothing"}, 2},
		{[]string{"--nothing"}, 2},
		{[]string{"check", "--nothing"}, 2},
		{[]string{"check", "a", "b"}, 2},
		{[]string{"explain", "--rules", "../../rules.yaml"}, 2},
		{[]string{"show", "123"}, 2},
		{[]string{"deliveries", "--limit", "0"}, 2},
	} {
		var out, errOut bytes.Buffer
		if code := Main(os.DirFS("../.."), c.args, &bytes.Buffer{}, &out, &errOut); code != c.code || (code == 0) == (errOut.Len() > 0 && out.Len() == 0) {
			t.Errorf("%q: exit %d, want %d; stdout %q, stderr %q", c.args, code, c.code, out.String(), errOut.String())
		}
	}
}
