package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// maxTestSearch bounds the files and folders that are looked at for tests.
const maxTestSearch = 100_000

const noTests = `there are no rule tests: no *.test.yaml in %s or below
  hint: write rules.test.yaml beside the rule file, such as
    tests:
      - name: a change of the code starts its build
        push: { repo: acme/shop, branch: main, files: [src/main.go] }
        expect: [{ rule: shop, server: ci }]
      - name: a change of the documentation starts nothing
        push: { repo: acme/shop, branch: main, files: [README.md] }
        expect: []`

// findTests gives the files of rule tests that belong to a rule file, sorted.
func findTests(set *rules.Set, rulesPath string) ([]string, error) {
	folder := filepath.Dir(rulesPath)
	names, err := testsBelow(os.DirFS(folder), set)
	if err != nil {
		return nil, fmt.Errorf("look for rule tests in %s: %w; name the files instead", folder, err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf(noTests, folder)
	}
	for i, name := range names {
		names[i] = filepath.Join(folder, filepath.FromSlash(name))
	}
	return names, nil
}

func testsBelow(fsys fs.FS, set *rules.Set) ([]string, error) {
	var found, own []string
	for _, f := range set.Files() {
		own = append(own, f.Name)
	}
	main := own[0]
	// Another rule file has tests of its own.
	foreign := func(folder string) bool {
		for _, name := range []string{path.Join(folder, main), path.Join(folder, "rules.yaml")} {
			if _, err := fs.Stat(fsys, name); err == nil && !slices.Contains(own, name) {
				return true
			}
		}
		return false
	}
	searched := 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if searched++; searched > maxTestSearch {
			return fmt.Errorf("more than %d files and folders", maxTestSearch)
		}
		switch {
		case err != nil:
			return err
		case !d.IsDir() && strings.HasSuffix(name, rules.TestSuffix):
			found = append(found, name)
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || foreign(name)):
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Included files may stand where the walk does not go.
	for _, name := range own {
		beside, err := fs.ReadDir(fsys, path.Dir(name))
		if err != nil {
			return nil, err
		}
		for _, d := range beside {
			if !d.IsDir() && strings.HasSuffix(d.Name(), rules.TestSuffix) {
				found = append(found, path.Join(path.Dir(name), d.Name()))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
