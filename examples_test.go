package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/cli"
)

var update = flag.Bool("update", false, "rewrite the .explain files of examples")

func run(args ...string) (code int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	code = cli.Main(files, args, &bytes.Buffer{}, &out, &errOut)
	return code, out.String(), errOut.String()
}

// TestExamples: each folder of examples checks clean without any environment,
// explains its pushes as the files beside them say, and its rule tests pass and
// reach every rule.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	folders := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		folders++
		t.Run(entry.Name(), func(t *testing.T) {
			folder := filepath.Join("examples", entry.Name())
			rulesPath := filepath.Join(folder, "rules.yaml")
			if code, _, stderr := run("check", "--strict", rulesPath); code != 0 {
				t.Errorf("check: %d\n%s", code, stderr)
			}
			testRules(t, rulesPath)
			bodies, err := filepath.Glob(filepath.Join(folder, "*.json"))
			if err != nil || len(bodies) == 0 {
				t.Fatalf("no pushes: %v", err)
			}
			if said, err := filepath.Glob(filepath.Join(folder, "*.explain")); err != nil || len(said) > len(bodies) {
				t.Errorf("an .explain file without a push: %q %v", said, err)
			}
			for _, body := range bodies {
				code, got, stderr := run("explain", "--rules", rulesPath, body)
				if code != 0 {
					t.Errorf("explain %s: %d\n%s", body, code, stderr)
				}
				want := body[:len(body)-len(".json")] + ".explain"
				if *update {
					if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				text, err := os.ReadFile(want)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(text), got); diff != "" {
					t.Errorf("%s\n%s", want, diff)
				}
			}
		})
	}
	if folders < 4 {
		t.Errorf("%d folders of examples; four were written", folders)
	}
}

// testRules runs the rule tests beside a rule file.
func testRules(t *testing.T, rulesPath string) {
	t.Helper()
	code, stdout, stderr := run("test", "--cover", "--rules", rulesPath)
	if code != 0 || !strings.Contains(stdout, "(100 %)") {
		t.Errorf("test: %d\n%s%s", code, stdout, stderr)
	}
}

// TestStarter: the starter file checks clean, its rule tests pass, and the
// README's command about it says what the README promises.
func TestStarter(t *testing.T) {
	testRules(t, "rules.yaml")
	if code, stdout, stderr := run("check", "--strict"); code != 0 || stdout != "ok: 3 rules, 2 servers, 1 source\n" {
		t.Errorf("%d %s %s", code, stdout, stderr)
	}
	if code, stdout, _ := run("explain", "--repo", "marcus/project-x", "--branch", "master", "--file", "docs/a.md"); code != 0 || !bytes.Contains([]byte(stdout), []byte("starts project-x-docs on ci")) {
		t.Errorf("%d %s", code, stdout)
	}
}
