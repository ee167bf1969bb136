package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// rulesFlag is the default of --rules.
func (p *program) rulesFlag() string { return p.envDefault("PUSHGATE_RULES", "rules.yaml") }

// loadRules loads a rule file; "-" is standard input, which includes files from
// the current folder.
func (p *program) loadRules(path string, lookup rules.Lookup) (*rules.Set, error) {
	if path == "-" {
		text, err := io.ReadAll(p.in)
		if err != nil {
			return nil, fmt.Errorf("read rules from standard input: %w", err)
		}
		return rules.LoadMain(os.DirFS("."), rules.File{Name: "stdin", Content: string(text)}, lookup)
	}
	return loadFrom(os.DirFS(filepath.Dir(path)), path, lookup)
}

// loadFrom loads a rule file from its folder.
func loadFrom(folder fs.FS, path string, lookup rules.Lookup) (*rules.Set, error) {
	set, err := rules.Load(folder, filepath.Base(path), lookup)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no rule file %s; name it, or write one: the README has an example", path)
	}
	return set, err
}

// ruleReader is for loading a rule file again and again; of standard input the
// first text stays.
func (p *program) ruleReader(path string) (*ruleReader, error) {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("find the folder of %s: %w", path, err)
	}
	var stdin []rules.File
	return &ruleReader{folder: folder, lookup: p.environment, load: func(folder fs.FS, lookup rules.Lookup) (*rules.Set, error) {
		if path != "-" {
			return loadFrom(folder, path, lookup)
		}
		if stdin != nil {
			return rules.LoadFiles(stdin, lookup)
		}
		set, err := p.loadRules(path, lookup)
		if err == nil {
			stdin = set.Files()
		}
		return set, err
	}}, nil
}

// environment looks values up for serving: all of them must be there.
func (p *program) environment(ref string) (string, error) {
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("cannot be read: %w", err)
		}
		return string(text), nil
	}
	v, ok := p.env(ref)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", ref)
	}
	return v, nil
}

// reading looks values up for reading rules only: what is missing is left out,
// and named once in missing.
func (p *program) reading(missing *[]string) rules.Lookup {
	return func(ref string) (string, error) {
		v, err := p.environment(ref)
		if err == nil && strings.TrimSpace(v) != "" {
			return v, nil
		}
		if missing != nil && !slices.Contains(*missing, ref) {
			*missing = append(*missing, ref)
		}
		return "", rules.ErrUnresolved
	}
}

// told is how many problems are printed: nobody reads more at once.
const told = 100

// tell prints problems of a rule file, their places as seen from here.
func (p *program) tell(kind, folder string, problems []rules.Problem) {
	for i, problem := range problems {
		if i == told {
			fmt.Fprintf(p.errOut, "and %d more\n", len(problems)-told)
			return
		}
		if problem.At.File != "" {
			problem.At.File = filepath.Join(folder, problem.At.File)
		}
		if kind != "" {
			problem.Text = kind + ": " + problem.Text
		}
		fmt.Fprintln(p.errOut, problem)
	}
}

// rulesError prints the problems of a rule file that does not load.
func (p *program) rulesError(path string, err error) error {
	problems, ok := errors.AsType[rules.Problems](err)
	if !ok {
		return err
	}
	p.tellErrors(filepath.Dir(path), path, problems)
	return errSaid
}

// tellErrors prints the problems of one file, and how many they are.
func (p *program) tellErrors(folder, path string, problems rules.Problems) {
	p.tell("", folder, problems)
	fmt.Fprintf(p.errOut, "%s: %s\n", path, count(len(problems), "error"))
}
