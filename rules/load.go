package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxFileBytes bounds a rule file.
const maxFileBytes = 32 << 20

// A Lookup gives the value behind ${NAME} (ref is NAME) or file:/path (ref is
// the whole text). An error it returns becomes a problem of the file, except
// [ErrUnresolved].
type Lookup func(ref string) (string, error)

// ErrUnresolved, from a Lookup, leaves a value out: for those who load rules
// only to read or ask them, without the secrets that serving needs.
var ErrUnresolved = errors.New("not resolved")

// Unresolved is a Lookup that leaves every value out.
func Unresolved(string) (string, error) { return "", ErrUnresolved }

// Load reads the rule file name from fsys. The error is of type [Problems]
// where the file can be read but is wrong.
func Load(fsys fs.FS, name string, lookup Lookup) (*Set, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	if info.Size() > maxFileBytes {
		return nil, Problems{{At: Pos{File: name}, Text: fmt.Sprintf("the file is larger than %d MB", maxFileBytes>>20)}}
	}
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return LoadFiles([]File{{name, string(content)}}, lookup)
}

// LoadFiles is Load for files that were read already, as [Set.Files] gives
// them.
func LoadFiles(files []File, lookup Lookup) (*Set, error) {
	l := &loader{lookup: lookup, set: &Set{files: files, hash: hashFiles(files)}}
	for _, f := range files {
		l.file = f.Name
		l.load(f.Content)
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	l.warnings.sort()
	l.set.warnings = l.warnings
	return l.set, nil
}

func hashFiles(files []File) string {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%d:%s%d:%s", len(f.Name), f.Name, len(f.Content), f.Content)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A loader turns YAML nodes into a Set and gathers what is wrong on the way;
// it goes on after an error, so that a person sees all of them at once.
type loader struct {
	file     string
	lookup   Lookup
	set      *Set
	problems Problems
	warnings Problems
	used     map[string]bool // servers that a start names
}

func (l *loader) pos(n *yaml.Node) Pos { return Pos{l.file, n.Line, n.Column} }

func (l *loader) fail(n *yaml.Node, hint, format string, args ...any) {
	l.problems = append(l.problems, Problem{l.pos(n), fmt.Sprintf(format, args...), hint})
}

func (l *loader) warn(at Pos, hint, format string, args ...any) {
	l.warnings = append(l.warnings, Problem{at, fmt.Sprintf(format, args...), hint})
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

func (l *loader) load(content string) {
	at := Pos{File: l.file, Line: 1, Col: 1}
	if !utf8.ValidString(content) {
		l.problems = append(l.problems, Problem{at, "the file is not valid UTF-8", "save it as UTF-8"})
		return
	}
	var doc yaml.Node
	documents := yaml.NewDecoder(strings.NewReader(content))
	if err := documents.Decode(&doc); err != nil && err != io.EOF {
		msg := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			at.Line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		}
		l.problems = append(l.problems, Problem{at, "not YAML: " + msg, "check the indentation and quotes around this line; a pattern that begins with * or ! or holds { needs quotes"})
		return
	}
	if len(doc.Content) == 0 {
		l.problems = append(l.problems, Problem{at, "the file is empty", "it needs sources, servers and rules"})
		return
	}
	if second := new(yaml.Node); documents.Decode(second) != io.EOF {
		at.Line = max(second.Line, 1)
		l.problems = append(l.problems, Problem{at, "a second YAML document begins", "one file is one document; take the --- line out"})
	}
	top := l.fields(doc.Content[0], "the file", "sources", "servers", "defaults", "rules")
	if top == nil {
		return
	}
	l.used = map[string]bool{}
	l.sources(top["sources"])
	l.servers(top["servers"])
	defaults := &rule{}
	if n := top["defaults"]; n != nil {
		defaults = l.rule(n, "defaults", ruleFields[1:], &rule{})
	}
	if n := top["rules"]; n != nil {
		l.rules(n, defaults)
	} else {
		l.fail(doc.Content[0], "add a list: rules: [{name: …, repos: …, start: …}]", "there are no rules")
	}
	for _, s := range l.set.servers {
		if !l.used[s.Name] {
			l.warn(s.At, "", "no rule uses the server %q", s.Name)
		}
	}
}

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// fields reads a mapping whose keys must be among known; nil if it is none.
func (l *loader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		l.fail(n, "write "+known[0]+": … and so on", "%s must be a mapping, not %s", what, kindName(n))
		return nil
	}
	out := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, val := n.Content[i], resolve(n.Content[i+1])
		name := key.Value
		switch {
		case !slices.Contains(known, name):
			l.fail(key, unknownHint(name, known), "unknown field %q in %s", name, what)
		case out[name] != nil:
			l.fail(key, "keep one of them", "%q is given twice in %s", name, what)
		default:
			out[name] = val
		}
	}
	return out
}

// unknownHint knows the names that other systems use.
func unknownHint(name string, known []string) string {
	switch strings.ReplaceAll(name, "-", "_") {
	case "paths_ignore", "ignore_paths", "exclude", "exclude_paths", "paths_exclude":
		return `write paths: ["!docs/**"] for everything but docs`
	case "branches_ignore", "ignore_branches", "exclude_branches":
		return `write branches: ["!wip/**"] for everything but wip`
	case "tags_ignore":
		return `write tags: ["!nightly-*"] for everything but those`
	case "files", "changes", "only":
		if slices.Contains(known, "paths") {
			return `did you mean "paths"?`
		}
	case "<<":
		return "merge keys are not read; write the fields out, or use defaults"
	}
	return suggest(name, known)
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// text reads a non-empty scalar as it is written; numbers and yes are text too.
func (l *loader) text(n *yaml.Node, what string) (string, bool) {
	if n == nil {
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		l.fail(n, "write one value", "%s must be text, not %s", what, kindName(n))
		return "", false
	}
	if n.Value == "" {
		l.fail(n, "", "%s is empty", what)
		return "", false
	}
	return n.Value, true
}

func (l *loader) boolean(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		l.fail(n, "write true or false", "%s must be true or false, not %s", what, kindName(n))
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// choice reads one of the given words.
func (l *loader) choice(n *yaml.Node, what string, words ...string) string {
	s, ok := l.text(n, what)
	if ok && !slices.Contains(words, s) {
		l.fail(n, suggest(s, words), "%s cannot be %q", what, s)
		return ""
	}
	return s
}

// items gives the elements of a list, or a single value as a list of one.
func (l *loader) items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	if len(n.Content) == 0 {
		l.fail(n, "leave the field out, or name at least one", "%s is an empty list", what)
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = resolve(c)
	}
	return out
}

var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// checkName refuses names that would not read well in addresses and logs.
func (l *loader) checkName(n *yaml.Node, what, name string) {
	if !entryName.MatchString(name) || len(name) > 100 {
		l.fail(n, "use letters, digits, dots, dashes and underscores", "%q cannot be the name of a %s", name, what)
	}
}

var (
	envRef   = regexp.MustCompile(`\$\{([^}]*)\}`)
	shellRef = regexp.MustCompile(`^\$\w+$`)
)

// expand reads a value that may be ${NAME} or file:/path. ok is false where
// there is no value, said or left out on purpose.
func (l *loader) expand(n *yaml.Node, what string) (value string, ok bool) {
	s, ok := l.text(n, what)
	if !ok {
		return "", false
	}
	get := func(ref string) string {
		v, err := l.lookup(ref)
		switch {
		case errors.Is(err, ErrUnresolved):
			ok = false
		case err != nil:
			l.fail(n, "set it where pushgate starts, or write file:/path/of/a/file", "%s: %v", what, err)
			ok = false
		case strings.TrimSpace(v) == "":
			l.fail(n, "", "%s: %s is empty", what, ref)
			ok = false
		}
		return v
	}
	if strings.HasPrefix(s, "file:") {
		return strings.TrimRight(get(s), "\r\n"), ok
	}
	if strings.TrimSpace(s) == "" {
		l.fail(n, "", "%s is blank", what)
		return "", false
	}
	if shellRef.MatchString(s) {
		l.fail(n, "write ${"+s[1:]+"}", "%s is not expanded", what)
		return "", false
	}
	s = envRef.ReplaceAllStringFunc(s, func(m string) string { return get(m[2 : len(m)-1]) })
	if ok && strings.Contains(n.Value, "${") && !envRef.MatchString(n.Value) {
		l.fail(n, "write ${NAME}", "%s holds an unclosed ${", what)
	}
	return s, ok
}
