package pattern

import (
	"regexp"
	"slices"
	"strings"
)

// Covers says that p matches whatever other matches. It may miss that it does,
// and never claims it wrongly.
func (p *Pattern) Covers(other *Pattern) bool {
	return !slices.ContainsFunc(other.alternatives, func(o Alternative) bool {
		return !slices.ContainsFunc(p.alternatives, func(a Alternative) bool { return a.covers(o) })
	})
}

// covers walks as Match does, over the segments of another alternative: a
// globstar of a takes any of them, every other segment one it covers.
func (a Alternative) covers(o Alternative) bool {
	i, j := 0, 0
	star, mark := -1, 0
	for j < len(o) {
		switch {
		case i < len(a) && a[i].globstar:
			star, mark = i, j
			i++
		case i < len(a) && a[i].covers(o[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(a) && a[i].globstar {
		i++
	}
	return i == len(a)
}

func (s segment) covers(o segment) bool {
	switch {
	case o.globstar || s.globstar:
		return false
	case o.fixed():
		return s.match(o.literal)
	}
	return s.any() || s.text == o.text
}

// Literal gives the one value that the pattern matches, where it is but one.
func (p *Pattern) Literal() (string, bool) {
	if len(p.alternatives) != 1 {
		return "", false
	}
	key := p.alternatives[0].Keys()
	if len(key) != 1 || key[0].Kind != Exact {
		return "", false
	}
	return key[0].Text, true
}

var (
	quantifiedClass = regexp.MustCompile(`[^\\\]]\]\+`)
	commaAndSpace   = regexp.MustCompile(`(^|[^\\]), `)
	expression      = regexp.MustCompile(`\{\{[- ]*\.`)
)

// Remark gives a warning about a source that compiles and probably does not
// mean what its author thinks; nil if there is none.
func Remark(src string) *Error {
	switch {
	case strings.Contains(src, "]+") && quantifiedClass.MatchString(src):
		return bad("holds ]+, which is no quantifier here: + is a plus sign", "repeat the class, or write * behind it")
	case strings.HasPrefix(src, "^") || strings.HasSuffix(src, "$") && !strings.HasSuffix(src, `\$`):
		return bad("looks like a regular expression, and is read as a glob", "write a glob: main, release/*, **/*.go")
	case strings.Contains(src, "{{") && expression.MatchString(src):
		return bad("looks like a template, and is read as a glob", "patterns hold no {{…}}; write the names out")
	case strings.Contains(src, ", ") && commaAndSpace.MatchString(src):
		return bad("holds a comma and a space", `write a list: [main, dev], or braces without spaces: {main,dev}; \, for a literal comma`)
	case strings.HasSuffix(src, "?") && !strings.HasSuffix(src, `\?`):
		return bad("ends with ?, which is exactly one character here, not an optional one", `write {x,} for an optional x`)
	}
	return nil
}
