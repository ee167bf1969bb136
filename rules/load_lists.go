package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/pushgate/pushgate/rules/pattern"
)

// maxListEntries bounds a list of patterns, sets inserted; maxSetDepth how deep
// sets insert each other.
const (
	maxListEntries = 64
	maxSetDepth    = 64
)

// An item is an entry of a list as written, sets inserted.
type item struct {
	text string
	at   Pos
	set  string // that it came from, or ""
}

// A patternSet is a named list of patterns.
type patternSet struct {
	at    Pos
	items []item // as written
	used  bool
	flat  []item // with sets inserted, once that was done
	busy  bool
}

var setName = regexp.MustCompile(`^\$[A-Za-z0-9][A-Za-z0-9._-]*$`)

func (l *loader) readSets(n *yaml.Node) {
	l.named(n, "set", "sets", func(key *yaml.Node, name string, val *yaml.Node) {
		if first, again := l.sets[name]; again {
			l.fail(key, "names are unique across files", "the set %q is given twice, first at %s", name, first.at)
			return
		}
		s := &patternSet{at: l.pos(key)}
		nodes := l.items(val, "set "+name)
		if len(nodes) > maxListEntries {
			l.tooMany(val, "set "+name)
			nodes = nil
		}
		for _, n := range nodes {
			if text, ok := l.text(n, "a pattern in set "+name); ok {
				s.items = append(s.items, item{text, l.pos(n), name})
			}
		}
		l.sets[name] = s
	})
}

// insert replaces the names of sets in a list by what the sets hold. path are
// the sets on the way to it.
func (l *loader) insert(items []item, path ...string) []item {
	isSet := func(it item) bool {
		name := strings.TrimPrefix(it.text, "!")
		return strings.HasPrefix(name, "$") && setName.MatchString(name)
	}
	if !slices.ContainsFunc(items, isSet) {
		return items
	}
	var out []item
	for _, it := range items {
		if !isSet(it) {
			out = append(out, it)
			continue
		}
		name, negate := strings.CutPrefix(it.text, "!")
		name = name[1:]
		s := l.sets[name]
		switch {
		case s == nil:
			hint := ""
			if len(l.sets) <= maxEnds {
				hint = suggest(name, l.setNames())
			}
			if hint == "" {
				hint = `add it to sets, or write \$ for a literal dollar sign`
			}
			l.failAt(it.at, hint, "there is no set %q", name)
			continue
		case s.busy:
			l.failAt(it.at, "take one of them out", "the set %q contains itself: %s", name, strings.Join(append(path, name), " → "))
			continue
		case len(path) == maxSetDepth:
			l.failAt(it.at, "insert the sets side by side", "sets insert each other more than %d deep", maxSetDepth)
			return out
		case !s.used:
			s.used, s.busy = true, true
			s.flat = l.insert(s.items, append(path[:len(path):len(path)], name)...)
			s.busy = false
		}
		if negate && slices.ContainsFunc(s.flat, func(h item) bool { return strings.HasPrefix(h.text, "!") }) {
			l.failAt(it.at, "negate a set without !, or write its patterns out", `"!$%s" negates a set that has "!" in it`, name)
			continue
		}
		for _, h := range s.flat {
			if negate {
				h.text = "!" + h.text
			}
			if out = append(out, h); len(out) > maxListEntries {
				return out
			}
		}
	}
	return out
}

func (l *loader) setNames() []string {
	var names []string
	for name := range l.sets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type entryKey struct {
	dialect
	text string
}

type compiled struct {
	entry
	err error
}

// compile compiles each text once, however many rules have it.
func (l *loader) compile(d dialect, text string) *compiled {
	key := entryKey{d, text}
	c, seen := l.entries[key]
	if !seen {
		c = &compiled{}
		c.entry, c.err = d.newEntry(text)
		c.entry.id = int32(len(l.entries) + 1)
		l.entries[key] = c
		if c.err == nil {
			cost, _ := c.entry.size()
			l.spend(&l.room.size, cost)
		}
	}
	return c
}

func (l *loader) tooMany(n *yaml.Node, what string) {
	l.fail(n, "split the rule, or write broader patterns", "%s has more than %d patterns", what, maxListEntries)
}

// patterns reads a list of patterns of a field; nil after an error.
func (l *loader) patterns(n *yaml.Node, field, of string, d dialect) *list {
	what := field + " of " + of
	var written []item
	nodes := l.items(n, what)
	if len(nodes) > maxListEntries {
		l.tooMany(n, what)
		return nil
	}
	for _, n := range nodes {
		if isText(n) {
			written = append(written, item{text: n.Value, at: l.pos(n)})
		} else if text, ok := l.text(n, "a pattern in "+what); ok {
			written = append(written, item{text: text, at: l.pos(n)})
		}
	}
	items := l.insert(written)
	if len(items) > maxListEntries {
		l.tooMany(n, what)
		return nil
	}
	where := func(it item) string {
		if it.set != "" {
			return "in set " + it.set
		}
		return "in " + what
	}
	out := &list{entries: make([]entry, 0, len(items))}
	for _, it := range items {
		if l.room.full {
			return nil
		}
		c := l.compile(d, it.text)
		if c.err != nil {
			l.patternProblem(it.at, where(it), it.text, c.err, "")
			continue
		}
		if remark := remark(field, it.text); remark != nil {
			l.warn(it.at, remark.Hint, "%s: the pattern %q %s", where(it), it.text, remark.Text)
		}
		e := c.entry
		e.at, e.set = it.at, it.set
		out.entries = append(out.entries, e)
	}
	if len(out.entries) == 0 || len(out.entries) < len(items) {
		return nil
	}
	l.known(field, out)
	l.remarkOrder(out, what)
	return out
}

func (l *loader) patternProblem(at Pos, where, text string, err error, hint string) {
	var wrong *pattern.Error
	if errors.As(err, &wrong) && hint == "" {
		hint = wrong.Hint
	}
	if strings.Contains(text, "://") {
		hint = "write a name or a path, not an address: repositories are owner/name"
	}
	l.failAt(at, hint, "%s: the pattern %q %v", where, text, err)
}

// remarkOrder warns about entries whose place makes them useless.
func (l *loader) remarkOrder(out *list, what string) {
	if first := &out.entries[0]; first.negate && !out.negative {
		l.warn(first.at, "put it behind the pattern it takes away from", "in %s: %q has nothing to take away, as it comes first", what, first.text)
	}
	for i := range out.entries {
		e := &out.entries[i]
		if e.set != "" {
			continue
		}
		if !l.tryEntry(e, out) {
			return
		}
		for k := i + 1; k < len(out.entries); k++ {
			if later := &out.entries[k]; later.text == e.text {
				l.warn(e.at, "keep one of them", "in %s: %q is given twice", what, e.text)
				break
			} else if later.covers(e) {
				l.warn(e.at, "take one of them out, or change their order: the last pattern that matches decides", "in %s: %q changes nothing, since %q behind it decides whatever it matches", what, e.text, later.text)
				break
			}
		}
	}
}

// markers reads skip_markers: literal text; an empty list is none.
func (l *loader) markers(n *yaml.Node, what string) *list {
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		return nil
	}
	out := &list{}
	items := l.items(n, what)
	if len(items) > maxListEntries {
		l.fail(n, "keep those that people write", "%s has more than %d markers", what, maxListEntries)
		return nil
	}
	for _, n := range items {
		text, ok := l.text(n, "a marker in "+what)
		switch bare := strings.Trim(text, "[]"); {
		case ok && strings.TrimSpace(text) == "":
			l.fail(n, `name some text, such as "[skip ci]"`, "a marker in %s is blank", what)
		case ok && (n.Tag == "!!bool" || text == "none"):
			l.fail(n, "write [] for none", "%s cannot be %q", what, text)
		case bare == text && slices.Contains(defaultMarkers(), "["+strings.ToLower(text)+"]"):
			l.warn(l.pos(n), fmt.Sprintf("YAML took the brackets for a list: write %q", "["+text+"]"), "in %s: %q is no marker that people write", what, text)
		}
		out.entries = append(out.entries, entry{marker: text, text: text, at: l.pos(n)})
	}
	return l.known("skip_markers", out)
}

// sourceNames reads the sources of a rule; each must name some that exist.
func (l *loader) sourceNames(n *yaml.Node, of string) *list {
	out := l.patterns(n, "sources", of, dialect{})
	if out == nil {
		return nil
	}
	var names []string
	for _, s := range l.set.sources {
		names = append(names, s.Name)
	}
	for i := range out.entries {
		e := &out.entries[i]
		if l.namesSource[e.text] {
			continue
		}
		l.namesSource[e.text] = true
		if !slices.ContainsFunc(names, func(name string) bool { return e.glob.Match(pattern.NewValue(name)) }) {
			l.failAt(e.at, suggest(strings.TrimPrefix(e.text, "!"), names), "sources of %s: there is no source %q", of, e.text)
		}
	}
	return out
}
