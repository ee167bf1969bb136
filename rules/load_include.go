package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// included reads the files that the main file includes: each once, in the
// order of the patterns, and by name within one.
func (l *loader) included(fsys fs.FS) []File {
	if l.tops[0] == nil || l.tops[0]["include"] == nil {
		return nil
	}
	main := l.files[0].Name
	var names []string
	seen := map[string]bool{main: true}
	searched := 0
	for _, item := range l.items(l.tops[0]["include"], "include") {
		text, ok := l.text(item, "include")
		if !ok {
			continue
		}
		p, err := pattern.Compile(text, false)
		if err != nil {
			l.patternProblem(l.pos(item), "in include", text, err, "name files below the folder of this one: teams/*.yaml")
			continue
		}
		found, err := lookFor(fsys, p, &searched)
		literal, isLiteral := p.Literal()
		switch {
		case err != nil:
			l.fail(item, "", "include %q: %v", text, err)
			if searched > maxSearched {
				return nil
			}
		case isLiteral && len(found) == 0:
			l.fail(item, "names are taken from the folder of "+main, "include %q: there is no such file", text)
		case isLiteral && isTest(literal):
			l.warn(l.pos(item), "take it out: pushgate test finds it", "include %q: tests are not included", text)
		case len(found) == 0:
			l.warn(l.pos(item), "names are taken from the folder of "+main, "include %q: no file matches", text)
		}
		if i := slices.IndexFunc(found, func(name string) bool { return !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") }); i >= 0 {
			l.fail(item, "name them: teams/*.yaml", "include %q: %s is no .yaml or .yml file", text, found[i])
			continue
		}
		for _, name := range found {
			if !seen[name] && !isTest(name) {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	var files []File
	left := maxFileBytes - len(l.files[0].Content)
	for _, name := range names {
		content, err := read(fsys, name, left)
		if err != nil {
			l.fail(l.tops[0]["include"], "", "an included file cannot be read: %v", err)
			continue
		}
		if left -= len(content); left < 0 {
			l.failAt(Pos{File: name}, "", tooLargeFile)
			return nil
		}
		files = append(files, File{name, string(content)})
	}
	return files
}

func isTest(name string) bool { return strings.HasSuffix(name, TestSuffix) }

// read reads a file, and little more than limit of it.
func read(fsys fs.FS, name string, limit int) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}

// maxSearched bounds the files and folders that are looked at for includes.
const maxSearched = 100_000

// lookFor gives the names of the regular files that match, sorted; a pipe or a
// device might never end. Folders whose names
// begin with ".." are where mounted configuration maps keep their versions.
func lookFor(fsys fs.FS, p *pattern.Pattern, searched *int) ([]string, error) {
	if name, ok := p.Literal(); ok {
		if info, err := fs.Stat(fsys, name); err != nil || !info.Mode().IsRegular() {
			return nil, nil
		}
		return []string{name}, nil
	}
	var found []string
	depth := p.Depth()
	err := fs.WalkDir(fsys, searchRoot(p), func(name string, d fs.DirEntry, err error) error {
		if *searched++; *searched > maxSearched {
			return fmt.Errorf("more than %d files and folders to search; name a folder first", maxSearched)
		}
		if d != nil && d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), "..") || d.Name() == ".git") {
			return fs.SkipDir
		}
		if d != nil && d.IsDir() && name != "." && strings.Count(name, "/")+1 >= depth {
			return fs.SkipDir // what matches is not below
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if !d.IsDir() && p.Match(pattern.NewValue(name)) {
			if info, err := fs.Stat(fsys, name); err == nil && info.Mode().IsRegular() {
				found = append(found, name)
			}
		}
		return nil
	})
	return found, err
}

// searchRoot is the folder below which all matches lie.
func searchRoot(p *pattern.Pattern) string {
	if all := p.Alternatives(); len(all) == 1 {
		if keys := all[0].Keys(); len(keys) > 0 && (keys[0].Kind == pattern.Dir || keys[0].Kind == pattern.Below) {
			return keys[0].Text
		}
	}
	return "."
}
