package rules

import (
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// A list is an ordered list of patterns: the last one that matches decides,
// "!" takes away. A list of "!" only means "everything but these".
type list struct {
	entries []entry
	// negative says that every entry is a "!".
	negative bool
}

type entry struct {
	pattern *pattern.Pattern
	text    string // as written, "!" included
	negate  bool
	at      Pos
}

// ask says whether the value is in the list, and which entry decided; none did
// where nothing matched.
func (l *list) ask(v pattern.Value) (bool, *entry) {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if e := &l.entries[i]; e.pattern.Match(v) {
			return !e.negate, e
		}
	}
	return l.negative, nil
}

// newEntry compiles one entry of a list. Errors are [*pattern.Error].
func newEntry(text string, at Pos, fold, rooted bool) (entry, error) {
	e := entry{text: text, at: at}
	src, negated := strings.CutPrefix(text, "!")
	e.negate = negated
	if strings.HasPrefix(src, "$") {
		return e, &pattern.Error{Text: "names the unknown set " + src, Hint: `write \$ for a literal dollar sign`}
	}
	if fold {
		src = strings.ToLower(src)
	}
	var err error
	e.pattern, err = pattern.Compile(src, rooted)
	return e, err
}
