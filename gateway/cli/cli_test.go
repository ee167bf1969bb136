package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
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

// TestExitCodes: 0 done, 1 failed, 2 used wrongly.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{}, 0},
		{[]string{"version"}, 0},
		{[]string{"check", "../../rules.yaml"}, 0},
		{[]string{"check", "none.yaml"}, 1},
		{[]string{"explain", "--rules", "../../rules.yaml", "--repo", "a/b", "--branch", "c"}, 0},
		{[]string{"show", "--database", "sqlite:none.db", "d_1aaaaaaaa"}, 1},
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
