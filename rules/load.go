package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A Lookup gives the value behind ${NAME} (ref is NAME) or file:/path (ref is
// the whole text). An error it returns becomes a problem of the file, except
// [ErrUnresolved].
type Lookup func(ref string) (string, error)

// ErrUnresolved, from a Lookup, leaves a value out: for those who load rules
// only to read or ask them, without the secrets that serving needs.
var ErrUnresolved = errors.New("not resolved")

// Unresolved is a Lookup that leaves every value out.
func Unresolved(string) (string, error) { return "", ErrUnresolved }

// Load reads the rule file name from fsys, and those it includes. The error is
// of type [Problems] where the file can be read but is wrong.
func Load(fsys fs.FS, name string, lookup Lookup) (*Set, error) {
	content, err := read(fsys, name, maxFileBytes)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return LoadMain(fsys, File{name, string(content)}, lookup)
}

// LoadMain is Load for a main file that was read already; the files it includes
// come from fsys.
func LoadMain(fsys fs.FS, main File, lookup Lookup) (*Set, error) {
	l := newLoader(lookup)
	l.parse(main)
	for _, f := range l.included(fsys) {
		l.parse(f)
	}
	return l.build()
}

const tooLargeFile = "the rule files are larger than 32 MB"

// LoadFiles is Load for files that were read already, as [Set.Files] gives
// them: the main file, and those it includes.
func LoadFiles(files []File, lookup Lookup) (*Set, error) {
	l := newLoader(lookup)
	for _, f := range files {
		l.parse(f)
	}
	return l.build()
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
	file     string // that is being read
	files    []File
	tops     []map[string]*yaml.Node // fields of each file, nil where it has none
	docs     []*yaml.Node            // top mapping of each file
	lookup   Lookup
	set      *Set
	problems Problems
	warnings Problems
	room     room

	sets        map[string]*patternSet
	usedServers map[string]bool
	firstByName map[string]Pos // rules
	said        map[Problem]bool

	startFields []string
	namesSource map[string]bool // texts of patterns that were looked at

	ids       map[string]int32 // of lists, by key
	entries   map[entryKey]*compiled
	templates map[string]tmpl
	jobs      map[string]jobPath
}

func newLoader(lookup Lookup) *loader {
	return &loader{
		lookup: lookup, set: &Set{}, room: newRoom(), startFields: fieldsOf[startFormat](),
		sets: map[string]*patternSet{}, usedServers: map[string]bool{}, firstByName: map[string]Pos{}, said: map[Problem]bool{},
		namesSource: map[string]bool{},
		ids:         map[string]int32{}, entries: map[entryKey]*compiled{}, templates: map[string]tmpl{}, jobs: map[string]jobPath{},
	}
}

func (l *loader) pos(n *yaml.Node) Pos { return Pos{l.file, n.Line, n.Column} }

func (l *loader) fail(n *yaml.Node, hint, format string, args ...any) {
	l.failAt(l.pos(n), hint, format, args...)
}

func (l *loader) failAt(at Pos, hint, format string, args ...any) {
	if l.room.problems = len(l.problems) >= maxProblems; !l.room.problems {
		l.problems = l.say(l.problems, Problem{at, fmt.Sprintf(format, clip(args)...), hint})
	}
}

func (l *loader) warn(at Pos, hint, format string, args ...any) {
	if l.room.warnings = len(l.warnings) >= maxProblems; !l.room.warnings {
		l.warnings = l.say(l.warnings, Problem{at, fmt.Sprintf(format, clip(args)...), hint})
	}
}

// say adds a problem that was not told before: what stands in a set or in
// defaults is looked at more than once.
func (l *loader) say(list Problems, p Problem) Problems {
	if p = p.withoutCredentials(); l.said[p] {
		return list
	}
	l.said[p] = true
	return append(list, p)
}

// parse reads a file's YAML; the first file is the main one.
func (l *loader) parse(f File) {
	l.file = f.Name
	l.files = append(l.files, f)
	l.tops = append(l.tops, nil)
	l.docs = append(l.docs, nil)
	if !l.spend(&l.room.bytes, len(f.Content)) {
		return
	}
	if n := marks(f.Content); n > l.room.nodes && !l.spend(&l.room.nodes, n) {
		return
	}
	needs := "it needs sources, servers and rules"
	if len(l.files) > 1 {
		needs = "take it out of include, or write rules, sets or defaults"
	}
	doc := l.document(f.Content, needs)
	if doc == nil {
		return
	}
	w := weigh(doc, maxNodes, map[*yaml.Node]int{})
	if w < 0 {
		l.fail(doc, "write it out", "an alias is used within what it stands for")
		return
	}
	if !l.spend(&l.room.nodes, w) {
		return
	}
	here := len(l.files) - 1
	l.docs[here] = doc
	if here == 0 {
		l.tops[here] = l.fields(doc, "the file", fieldsOf[fileFormat]()...)
	} else {
		l.tops[here] = l.fields(doc, "an included file", fieldsOf[includedFormat]()...)
	}
}

// document gives the one mapping of a file, or nil after saying why not; needs
// is the hint where it is empty.
func (l *loader) document(content, needs string) *yaml.Node {
	at := Pos{File: l.file, Line: 1, Col: 1}
	if !utf8.ValidString(content) {
		l.failAt(at, "save it as UTF-8", "the file is not valid UTF-8")
		return nil
	}
	var doc yaml.Node
	documents := yaml.NewDecoder(strings.NewReader(content))
	if err := documents.Decode(&doc); err != nil && err != io.EOF {
		line, msg := yamlError(err)
		at.Line = locate(content, line)
		l.failAt(at, yamlHint(content, at.Line, msg), "not YAML: %s", msg)
		return nil
	}
	if len(doc.Content) == 0 {
		l.failAt(at, needs, "the file is empty")
		return nil
	}
	second := new(yaml.Node)
	if err := documents.Decode(second); err != io.EOF {
		at.Line = max(second.Line, 1)
		if err != nil {
			at.Line, _ = yamlError(err)
		}
		l.failAt(at, "one file is one document; take the --- line out", "a second YAML document begins")
	}
	return doc.Content[0]
}

// build makes the set of the files that were parsed.
func (l *loader) build() (*Set, error) {
	l.set.files, l.set.hash = l.files, hashFiles(l.files)
	l.each(func(top map[string]*yaml.Node) { l.readSets(top["sets"]) })
	base := l.baseRule()
	l.each(func(top map[string]*yaml.Node) {
		main := l.file == l.files[0].Name
		if main {
			l.sources(top["sources"])
			l.servers(top["servers"])
		}
		defaults := base
		if n := top["defaults"]; n != nil {
			defaults = l.rule(n, "defaults", fieldsOf[defaultsFormat](), base)
		}
		if main && defaults != nil {
			base = defaults
		}
		if n := top["rules"]; n != nil {
			l.rules(n, defaults)
		}
	})
	if len(l.files) == 0 {
		l.failAt(Pos{File: "rules"}, "", "there is no rule file")
	} else if len(l.problems) == 0 && len(l.set.rules) == 0 {
		l.fail(l.docs[0], "add a list: rules: [{name: …, repos: …, start: …}]", "there are no rules")
	}
	l.contexts()
	if len(l.problems) > 0 {
		return nil, l.told(l.problems, l.room.problems)
	}
	// The two need nothing of each other, and take a fifth of a load.
	var indexing sync.WaitGroup
	indexing.Go(func() { l.set.index = newIndex(l.set.rules, len(l.ids), maxSize) })
	l.remarks()
	l.set.warnings = l.told(l.warnings, l.room.warnings)
	indexing.Wait()
	return l.set, nil
}

// told sorts problems; with more, it says that there are.
func (l *loader) told(problems Problems, more bool) Problems {
	problems.sort(l.files)
	if more {
		problems = append(problems, Problem{Pos{File: l.files[0].Name}, fmt.Sprintf("there is more than these %d", maxProblems), ""})
	}
	return problems
}

// each visits every file that could be read.
func (l *loader) each(visit func(top map[string]*yaml.Node)) {
	for i, top := range l.tops {
		if top != nil {
			l.file = l.files[i].Name
			visit(top)
		}
	}
}

// baseRule is a rule before any defaults.
func (l *loader) baseRule() *rule {
	r := &rule{events: defaultEvents()}
	skip := &list{}
	for _, m := range defaultMarkers() {
		skip.entries = append(skip.entries, entry{marker: m, text: m})
	}
	r.skip = l.known("skip_markers", skip)
	return r
}

func defaultEvents() []Event   { return []Event{Pushed, Created} }
func defaultMarkers() []string { return []string{"[skip ci]", "[ci skip]"} }

// known finishes a list and gives it the id of those that read the same.
func (l *loader) known(field string, out *list) *list {
	out.finish()
	key := out.key(field)
	id, seen := l.ids[key]
	if !seen {
		id = int32(len(l.ids))
		l.ids[key] = id
	}
	out.id = id
	return out
}
