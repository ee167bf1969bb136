package pattern

import (
	"regexp"
	"strings"
)

var (
	quantifiedClass = regexp.MustCompile(`[^\\]\]\+`)
	commaOutside    = regexp.MustCompile(`(^|[^\\]),`)
	expression      = regexp.MustCompile(`\{\{[- ]*\.`)
	needlessEscape  = regexp.MustCompile(`(^|[^\\])\\([A-Za-z0-9])`)
	alternation     = regexp.MustCompile(`(^|[^\\])\|`)
	braces          = regexp.MustCompile(`\{[^{}]*\}`)
)

// Remark gives a warning about a source that compiles and probably does not
// mean what its author thinks; nil if there is none.
func Remark(src string) *Error {
	const glob = "write a glob: main, release/*, **/*.go, {main,dev}"
	switch {
	case strings.Contains(src, "]+") && quantifiedClass.MatchString(src):
		return bad("holds ]+, which is no quantifier here: + is a plus sign", "repeat the class, or write * behind it")
	case strings.HasPrefix(src, "^"), strings.HasSuffix(src, "$") && !strings.HasSuffix(src, `\$`),
		strings.Contains(src, ".+"), strings.Contains(src, "|") && alternation.MatchString(src):
		return bad("looks like a regular expression, and is read as a glob", glob)
	case strings.Contains(src, `\`) && needlessEscape.MatchString(src):
		return bad(`holds \ before a letter or digit, which means just that`, glob)
	case strings.Contains(src, "{{") && expression.MatchString(src):
		return bad("looks like a template, and is read as a glob", "patterns hold no {{…}}; write the names out")
	case strings.Contains(src, ", ") && commaOutside.MatchString(src):
		return bad("holds a comma and a space", `write a list: [main, dev], or braces without spaces: {main,dev}; \, for a literal comma`)
	case strings.Contains(src, ",") && commaOutside.MatchString(withoutBraces(src)):
		return bad("holds a comma outside braces", `write a list: [main, dev], or braces: {main,dev}; \, for a literal comma`)
	case strings.TrimSpace(src) != src:
		return bad("begins or ends with a space", `take the space out, or write it as \ followed by it`)
	case strings.HasPrefix(src, "!"):
		return bad("begins with !!, and only the first ! negates", `write one !, or \! for a literal one`)
	case strings.Trim(src, `"'`) != src:
		return bad("begins or ends with a quotation mark, which is part of it", "quote the whole entry, or take the mark out")
	case strings.HasSuffix(src, "?") && !strings.HasSuffix(src, `\?`):
		return bad("ends with ?, which is exactly one character here, not an optional one", `write {x,} for an optional x`)
	}
	return nil
}

// withoutBraces takes alternatives out, the inner ones first.
func withoutBraces(src string) string {
	for range maxBraceDepth + 1 {
		src = braces.ReplaceAllString(src, "")
	}
	return src
}
