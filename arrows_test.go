package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pushgate/pushgate"

// arrows says which of our packages each of our packages may import; "…" after
// a name stands for everything below it.
var arrows = map[string][]string{
	"":                             {"gateway/cli"},
	"gateway/cli":                  {"gateway", "gateway/host", "gateway/host/hosttest", "gateway/ledger", "gateway/web", "rules", "triggers/…"},
	"gateway":                      {"gateway/host", "gateway/host/api", "gateway/ledger", "gateway/web", "rules", "triggers", "triggers/jenkins", "triggers/bamboo"},
	"gateway/host":                 {"rules"},
	"gateway/host/api":             {"gateway/host", "internal/rest", "rules"},
	"gateway/host/hosttest":        {"internal/simfault"},
	"gateway/ledger":               {"rules"},
	"gateway/web":                  {"gateway/ledger", "rules"},
	"internal/rest":                {},
	"rules":                        {"rules/pattern"},
	"rules/pattern":                {},
	"triggers":                     {},
	"triggers/jenkins":             {"triggers", "internal/rest"},
	"triggers/jenkins/jenkinstest": {},
	"triggers/bamboo":              {"triggers", "internal/rest"},
	"triggers/bamboo/bambootest":   {"internal/simfault"},
	"internal/simfault":            {},
}

// TestArrows holds the imports between our packages to the arrows, keeps
// testing out of the program, and asks for a line for each new package.
func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		if pkg == "." {
			pkg = ""
		}
		seen[pkg] = true
		allowed, known := arrows[pkg]
		if !known {
			t.Errorf("%s: the package %q has no line in arrows", file, pkg)
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if name == "testing" || strings.HasPrefix(name, "testing/") {
				t.Errorf("%s: imports %s", file, name)
			}
			ours, is := strings.CutPrefix(name, module+"/")
			if is && !slices.ContainsFunc(allowed, func(a string) bool {
				if below, all := strings.CutSuffix(a, "…"); all {
					return strings.HasPrefix(ours, below)
				}
				return a == path.Clean(ours)
			}) {
				t.Errorf("%s: %q must not import %q", file, pkg, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range arrows {
		if !seen[pkg] {
			t.Errorf("arrows names the package %q, which does not exist", pkg)
		}
	}
}
