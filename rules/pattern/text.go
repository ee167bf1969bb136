package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Text is a compiled text pattern: only "*" is special and stands for any
// run of characters, slashes and newlines too.
type Text struct {
	parts []string // what stands between the stars; one: the text itself
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
	if n := strings.Count(src, "*"); n > maxStarsInSegment {
		return nil, bad(fmt.Sprintf("has more than %d *", maxStarsInSegment), "write a simpler pattern")
	}
	return &Text{strings.Split(src, "*")}, nil
}

// Match says whether the whole text matches. A part is taken where it is first
// found: a later place could only leave less for those behind it. So the cost
// is that of reading s once, however long it is.
func (t *Text) Match(s string) bool {
	last := len(t.parts) - 1
	if last == 0 {
		return s == t.parts[0]
	}
	s, ok := strings.CutPrefix(s, t.parts[0])
	if !ok {
		return false
	}
	for _, part := range t.parts[1:last] {
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return strings.HasSuffix(s, t.parts[last])
}

// Covers says that t matches whatever other matches. It may miss that it does.
func (t *Text) Covers(other *Text) bool {
	return strings.Join(t.parts, "*") == "*" || slices.Equal(t.parts, other.parts) || len(other.parts) == 1 && t.Match(other.parts[0])
}
