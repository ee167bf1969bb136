package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/glob"
)

// A Text is a compiled text pattern: only "*" is special and stands for any
// run of characters, slashes and newlines too. A match costs one pass over the
// text, however long that is.
type Text struct {
	source string
	glob   *glob.Pattern // with one star
	pieces []piece       // with more: what stands between them; neither: source is compared
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
	t := &Text{source: src}
	if strings.Count(src, "*") == 1 {
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
		t.glob = g
		return t, nil
	}
	for _, literal := range strings.Split(src, "*") {
		t.pieces = append(t.pieces, piece{literal: literal})
	}
	return t, nil
}

// Match says whether the whole text matches.
func (t *Text) Match(s string) bool {
	switch {
	case t.glob != nil:
		return t.glob.Match(s)
	case t.pieces != nil:
		return matchPieces(t.pieces, s)
	}
	return t.source == s
}

// Covers says that t matches whatever other matches: only a star of t can take
// a star of other's source, and then it takes whatever that stands for.
func (t *Text) Covers(other *Text) bool { return t.Match(other.source) }
