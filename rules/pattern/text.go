package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/glob"
)

// A Text is a compiled text pattern: only "*" is special and stands for any
// run of characters, slashes and newlines too.
type Text struct {
	source string
	glob   *glob.Pattern // nil: source is compared
}

// CompileText compiles a text pattern. An error is an [*Error].
func CompileText(src string) (*Text, error) {
	switch {
	case src == "":
		return nil, bad("is empty", `write "*" for anything`)
	case len(src) > maxBytes:
		return nil, bad(fmt.Sprintf("is longer than %d bytes", maxBytes), "write several shorter patterns")
	case !utf8.ValidString(src):
		return nil, bad("is not valid UTF-8", "save the file as UTF-8")
	}
	for strings.Contains(src, "**") {
		src = strings.ReplaceAll(src, "**", "*")
	}
	switch n := strings.Count(src, "*"); {
	case n > maxStarsInSegment:
		return nil, bad(fmt.Sprintf("has more than %d *", maxStarsInSegment), "write a simpler pattern")
	case n == 0:
		return &Text{source: src}, nil
	}
	var b strings.Builder
	for _, r := range src {
		if r == '*' {
			b.WriteByte('*')
		} else {
			writeEscaped(&b, r)
		}
	}
	g, err := glob.Compile(b.String())
	if err != nil {
		return nil, bad("cannot be compiled: "+err.Error(), "")
	}
	return &Text{src, g}, nil
}

// Match says whether the whole text matches.
func (t *Text) Match(s string) bool {
	if t.glob == nil {
		return t.source == s
	}
	return t.glob.Match(s)
}

// Covers says that t matches whatever other matches. It may miss that it does.
func (t *Text) Covers(other *Text) bool {
	return t.source == "*" || t.source == other.source || other.glob == nil && t.Match(other.source)
}
