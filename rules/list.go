package rules

import (
	"encoding/binary"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// A list is an ordered list of patterns: the last one that matches decides,
// "!" takes away. A list of "!" only means "everything but these".
type list struct {
	entries []entry
	// negative says that every entry is a "!".
	negative bool
	// id is the same for lists of one field whose entries read the same.
	id int32
}

// An entry matches by glob, by text, or by holding a marker.
type entry struct {
	glob   *pattern.Pattern
	words  *pattern.Text
	marker string
	text   string // as written, "!" included
	set    string // the set it was inserted from, or ""
	id     int32  // the same for equal texts of one dialect; 0: a marker
	negate bool
	// final says that no later entry can take away what this one matched.
	final bool
	at    Pos
}

func (e *entry) match(v pattern.Value) bool {
	switch {
	case e.glob != nil:
		return e.glob.Match(v)
	case e.words != nil:
		return e.words.Match(v.Text)
	}
	return containsFold(v.Text, e.marker)
}

// containsFold looks for sub in s in any case.
func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

// ask says whether one of the values, which are names of one thing, is in the
// list, and which entry decided; none did where nothing matched.
func (l *list) ask(vs ...pattern.Value) (bool, *entry) {
	for i := len(l.entries) - 1; i >= 0; i-- {
		e := &l.entries[i]
		for _, v := range vs {
			if e.match(v) {
				return !e.negate, e
			}
		}
	}
	return l.negative, nil
}

// A dialect is how the entries of a field are read.
type dialect struct {
	fold   bool // patterns and values are in lower case
	rooted bool // a leading "/" is ignored
	text   bool // only "*" is special
}

// newEntry compiles one entry that names no set.
func (d dialect) newEntry(text string) (entry, error) {
	e := entry{text: text}
	src, negated := strings.CutPrefix(text, "!")
	e.negate = negated
	if d.fold {
		src = strings.ReplaceAll(strings.ToLower(src), "[:upper:]", "[:lower:]")
	}
	var err error
	if d.text {
		e.words, err = pattern.CompileText(src)
	} else {
		e.glob, err = pattern.Compile(src, d.rooted)
	}
	return e, err
}

// covers says that e matches whatever other matches; it may miss that it does.
func (e *entry) covers(other *entry) bool {
	switch {
	case e.glob != nil:
		return e.glob.Covers(other.glob)
	case e.words != nil:
		return e.words.Covers(other.words)
	}
	return containsFold(other.marker, e.marker)
}

// apart says that no push is matched by both; it may miss that. Two texts are
// asked of two names of one person, so that they never are.
func (e *entry) apart(other *entry) bool {
	return e.glob != nil && e.glob.Apart(other.glob)
}

// finish marks what the order of entries means.
func (l *list) finish() {
	l.negative = true
	later := false // a later entry takes away
	for i := len(l.entries) - 1; i >= 0; i-- {
		e := &l.entries[i]
		e.final = !later
		later = later || e.negate
		l.negative = l.negative && e.negate
	}
}

// key is the same for lists of one field that decide the same.
func (l *list) key(field string) string {
	key := append([]byte(field), 0)
	for i := range l.entries {
		e := &l.entries[i]
		key = binary.AppendUvarint(key, uint64(e.id))
		if e.id == 0 {
			key = append(binary.AppendUvarint(key, uint64(len(e.text))), e.text...)
		}
	}
	return string(key)
}

// literal gives a value that is in the list, where its first entry is one.
func (l *list) literal() (string, bool) {
	if l == nil || l.entries[0].negate {
		return "", false
	}
	return l.entries[0].glob.Literal()
}
