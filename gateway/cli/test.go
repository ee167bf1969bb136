package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/rules"
)

// A testedFile is a file of rule tests and what became of it.
type testedFile struct {
	path string // fit for a terminal
	// problems are why it does not load; nothing of it ran then.
	problems rules.Problems
	results  []rules.Result // of the tests that ran
}

func (f *testedFile) failed() int {
	n := 0
	for i := range f.results {
		if !f.results[i].Passed() {
			n++
		}
	}
	return n
}

func (p *program) test() *cobra.Command {
	var rulesPath, run, junit string
	var cover bool
	c := &cobra.Command{
		Use:   "test [FILE]...",
		Short: "run rule tests: pushes, and the builds they must call for",
		Long: "test asks the rules about the pushes in files of rule tests, and compares the builds. Without FILE\n" +
			"it takes every *.test.yaml in the folder of the rule file and below, but none of folders whose names\n" +
			"begin with a dot, nor of those with a rules.yaml of their own that is not included.",
		Example: "  pushgate test\n  pushgate test --cover --junit report.xml\n  pushgate test --run release teams/shop.test.yaml",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			only, err := regexp.Compile(run)
			if err != nil {
				return usagef("--run is a regular expression: %w", err)
			}
			if junit == "" && c.Flags().Changed("junit") {
				return usagef("--junit needs the name of a file")
			}
			set, err := p.loadRules(rulesPath, p.reading(nil))
			if err != nil {
				return p.rulesError(rulesPath, err)
			}
			paths := args
			if len(args) == 0 {
				if paths, err = findTests(set, rulesPath); err != nil {
					return err
				}
			}
			files, err := p.runTests(set, paths, only)
			if err != nil {
				return err
			}
			said := p.printTests(set, files, cover, run)
			if junit != "" {
				if err := writeJUnit(junit, files); err != nil {
					return err
				}
			}
			return said
		},
	}
	c.Flags().StringVar(&rulesPath, "rules", p.rulesFlag(), "rule file")
	c.Flags().StringVar(&run, "run", "", "run only tests whose name matches this regular expression")
	c.Flags().StringVar(&junit, "junit", "", "also write the results to this file, as JUnit XML")
	c.Flags().BoolVar(&cover, "cover", false, "list the rules that no test's push matched")
	return c
}

// runTests runs the files that load, and keeps what is wrong with the others.
func (p *program) runTests(set *rules.Set, paths []string, only *regexp.Regexp) ([]testedFile, error) {
	var files []testedFile
	for i, path := range paths {
		path = filepath.Clean(path)
		if slices.ContainsFunc(paths[:i], func(before string) bool { return filepath.Clean(before) == path }) {
			continue
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no file of rule tests %s", plain(path))
		} else if err != nil {
			return nil, fmt.Errorf("read rule tests: %w", err)
		}
		f := testedFile{path: plain(path)}
		tests, err := set.LoadTests(rules.File{Name: f.path, Content: string(content)})
		if err != nil && !errors.As(err, &f.problems) {
			return nil, fmt.Errorf("read rule tests: %w", err)
		}
		for i := range tests {
			if only.MatchString(tests[i].Name) {
				f.results = append(f.results, tests[i].Run(set))
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// printTests prints failures, coverage and the sum; the error is errSaid where
// something failed.
func (p *program) printTests(set *rules.Set, files []testedFile, cover bool, run string) error {
	var ran []rules.Result
	tested, failed, unread := 0, 0, 0
	for i := range files {
		f := &files[i]
		if len(f.problems) > 0 {
			unread++
			p.tellErrors("", f.path, f.problems)
		}
		if len(f.results) > 0 {
			tested++
		}
		failed += f.failed()
		ran = append(ran, f.results...)
		for j := range f.results {
			if r := &f.results[j]; !r.Passed() {
				fmt.Fprintf(p.out, "%s: %s\n%s\n", r.Test.At, plain(r.Test.Name), indent(difference(r)))
			}
		}
	}
	if len(ran) == 0 && unread == 0 {
		return fmt.Errorf("no test has a name that matches %q\n  hint: --run is a regular expression, and a is not A", run)
	}
	if cover && len(ran) > 0 {
		p.printCoverage(set.Coverage(ran))
	}
	sum := count(len(ran), "test") + ", " + count(tested, "file")
	if failed+unread == 0 {
		fmt.Fprintf(p.out, "ok: %s\n", sum)
		return nil
	}
	said := []string{fmt.Sprintf("%d of %s", failed, sum)}
	switch {
	case unread == 1:
		said = append(said, "1 file does not load")
	case unread > 1:
		said = append(said, fmt.Sprintf("%d files do not load", unread))
	}
	if len(ran) == 0 {
		said = said[1:]
	}
	fmt.Fprintf(p.out, "FAIL: %s\n", strings.Join(said, "; "))
	return errSaid
}

func (p *program) printCoverage(c rules.Coverage) {
	var t table
	for _, m := range c.Missed {
		t.row("  "+m.Rule, m.At.String())
	}
	if len(c.Missed) > 0 {
		fmt.Fprintf(p.out, "no test's push matches:\n%s", &t)
	}
	fmt.Fprintf(p.out, "covered %d of %s (%d %%)\n", c.Rules-len(c.Missed), count(c.Rules, "rule"), c.Percent())
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}
