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
sources: {broker: {host: bitbucket-post, token: "${HOOK}"}}
servers: {ci: {jenkins: "${CI_URL}", user: u, token: "${CI}"}}
rules: [{name: a, start: {server: ci, job: x}}]
`)
	src, srv := s.Sources()[0], s.Servers()[0]
	if string(src.Tokens[0]) != "value of HOOK" || string(srv.Token) != "value of CI" || srv.URL != "https://ci.example.com" {
		t.Fatalf("secrets and addresses are not expanded: %q %q %q", string(src.Tokens[0]), string(srv.Token), srv.URL)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if out := fmt.Sprintf(format, []any{src, srv}); strings.Contains(out, "value of") {
			t.Errorf("%s prints a secret: %s", format, out)
		}
	}
	for _, f := range s.Files() {
		if strings.Contains(f.Content, "value of") {
			t.Error("the kept file holds an expanded secret")
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
