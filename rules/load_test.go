package rules

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// environment is the Lookup of tests: every name has a value but MISSING and
// EMPTY.
func environment(ref string) (string, error) {
	switch {
	case ref == "MISSING":
		return "", fmt.Errorf("the environment variable %s is not set", ref)
	case ref == "EMPTY":
		return "", nil
	case ref == "BITBUCKET_API_URL":
		return "https://api.bitbucket.org", nil
	case ref == "LINES":
		return "a line\n", nil
	case ref == "file:/lines":
		return "two\nlines\n", nil
	case strings.HasSuffix(ref, "_URL"):
		return "https://" + strings.ToLower(strings.TrimSuffix(ref, "_URL")) + ".example.com", nil
	}
	return "value of " + ref, nil
}

func load(t *testing.T, content string) *Set {
	t.Helper()
	s, err := Load(fstest.MapFS{"rules.yaml": {Data: []byte(content)}}, "rules.yaml", environment)
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return s
}

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

// TestLoad runs testdata/load/*.txtar: a rules.yaml and what Load says of it,
// errors or, where there are none, warnings.
func TestLoad(t *testing.T) {
	files, _ := filepath.Glob("testdata/load/*.txtar")
	if len(files) == 0 {
		t.Fatal("no cases in testdata/load")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsys := fstest.MapFS{}
			want := ""
			for _, f := range ar.Files {
				if f.Name == "want" {
					want = string(f.Data)
				} else {
					fsys[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			got := "ok\n"
			set, err := Load(fsys, "rules.yaml", environment)
			var problems Problems
			switch {
			case errors.As(err, &problems):
				got = problems.Error() + "\n"
			case err != nil:
				t.Fatal(err)
			case len(set.Warnings()) > 0:
				got = Problems(set.Warnings()).Error() + "\n"
			}
			if *update {
				for i := range ar.Files {
					if ar.Files[i].Name == "want" {
						ar.Files[i].Data = []byte(got)
					}
				}
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", ar.Comment, diff)
			}
		})
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	s := load(t, `
sources: {broker: {host: bitbucket-post, token: "${HOOK}", api: {url: "${API_URL}", user: u, password: "${PW}"}}}
servers: {ci: {jenkins: "${CI_URL}", user: u, token: "${CI}"}}
rules: [{name: a, start: {server: ci, job: x}}]
`)
	src, srv := s.Sources()[0], s.Servers()[0]
	if string(src.Tokens[0]) != "value of HOOK" || string(srv.Token) != "value of CI" || srv.URL != "https://ci.example.com" {
		t.Fatalf("secrets and addresses are not expanded: %q %q %q", string(src.Tokens[0]), string(srv.Token), srv.URL)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if out := fmt.Sprintf(format, []any{src, srv, s, *src.API}) + fmt.Sprintf(format, s) + fmt.Sprintf(format, src.Tokens); strings.Contains(out, "value of") {
			t.Errorf("%s prints a secret: %s", format, out)
		}
	}
	for _, f := range s.Files() {
		if strings.Contains(f.Content, "value of") {
			t.Error("the kept file holds an expanded secret")
		}
	}
}

// TestSecretsNotInProblems: what is wrong about a secret is said without it.
func TestSecretsNotInProblems(t *testing.T) {
	for _, file := range []string{
		`servers: {ci: "https://me:hunter2@ci.example.com"}`,
		`servers: {ci: {jenkins: "https://me:hunter2@ci.example.com/x"}}`,
		`servers: {ci: {jenkins: "https://ci.example.com:hunter2"}}`,
		`servers: {ci: {jenkins: "https://ci.example.com", token: !hunter2 }}`,
		`servers: {ci: {jenkins: "https://ci.example.com", token: $hunter2}}`,
		`servers: {ci: {jenkins: "https://ci.example.com", token: [hunter2]}}`,
		`servers: {ci: {jenkins: "https://ci.example.com", token: "hunter2${"}}`,
		`servers: {ci: {jenkins: "https://${HUNTER}@x y"}}`,
		`sources: {hub: {host: github, secret: {hunter2: x}, token: hunter2}}`,
		`sources: {hub: {host: github, secret: x, api: "https://hunter2@api.example.com"}}`,
		`sources: {hub: {host: github, secret: x, api: {url: "https://x:hunter2@api.example.com", user: x}}}`,
		`rules: [{name: a, repos: "https://me:hunter2@example.com/a/b", start: {server: "http://me:hunter2@ci"}}]`,
	} {
		_, err := Load(fstest.MapFS{"rules.yaml": {Data: []byte(file)}}, "rules.yaml", func(string) (string, error) { return "hunter2", nil })
		var problems Problems
		if !errors.As(err, &problems) {
			t.Errorf("%s loads: %v", file, err)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s:\n%v", file, err)
		}
	}
}

func TestLoadNothing(t *testing.T) {
	if _, err := LoadFiles(nil, Unresolved); err == nil {
		t.Error("no file makes a set")
	}
}

// TestLoadFiles: the set that a ledger keeps decides as the one that was loaded.
func TestLoadFiles(t *testing.T) {
	s := load(t, `
sources: {broker: {host: bitbucket-post, token: "${HOOK}"}}
servers: {ci: {jenkins: "${CI_URL}"}}
rules: [{name: a, repos: o/r, start: {server: ci, job: "x/{{.Branch}}"}}]
`)
	again, err := LoadFiles(s.Files(), Unresolved)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != s.Hash() {
		t.Errorf("hash %s, then %s", s.Hash(), again.Hash())
	}
	p := samplePushes()[0]
	p.Repo = "o/r"
	if diff := cmp.Diff(s.Decide(p, nil).Explain(), again.Decide(p, nil).Explain()); diff != "" {
		t.Error(diff)
	}
}
