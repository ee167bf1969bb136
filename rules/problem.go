package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Pos is a place in a rule file; lines and columns count from 1, and 0 means
// unknown.
type Pos struct {
	File      string
	Line, Col int
}

func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// MarshalText writes the position as "file:line:column".
func (p Pos) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// credentials are those in an address.
var credentials = regexp.MustCompile(`(://)[^/\s"]*@`)

// withoutCredentials is p as people may read it: whoever writes an address with
// credentials in a wrong place must not find them in a log.
func (p Problem) withoutCredentials() Problem {
	p.Text = credentials.ReplaceAllString(p.Text, "$1"+hidden+"@")
	p.Hint = credentials.ReplaceAllString(p.Hint, "$1"+hidden+"@")
	return p
}

// A Problem is an error or a warning about a rule file.
type Problem struct {
	At   Pos
	Text string
	// Hint says what to write instead; may be empty.
	Hint string
}

func (p Problem) String() string {
	s := p.At.String() + ": " + p.Text
	if p.Hint != "" {
		s += "\n  hint: " + p.Hint
	}
	return s
}

// Problems is the error that [Load] returns: everything wrong with the files,
// sorted by place.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sort orders by place; files in the order given.
func (ps Problems) sort(files []File) {
	order := map[string]int{}
	for i, f := range files {
		order[f.Name] = i
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		if c := order[a.At.File] - order[b.At.File]; c != 0 {
			return c
		}
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Col - b.At.Col
	})
}

// suggest gives a "did you mean" hint for a word that is close to a known one,
// or the list of what is known where that is short.
func suggest(word string, known []string) string {
	best, dist := "", 3
	for _, k := range known {
		if n := len(word) - len(k); n > dist || n < -dist {
			continue // as far apart, at least
		}
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < dist || (d == dist && best == "") {
			best, dist = k, d
		}
	}
	if best != "" && dist <= 1+len(word)/4 {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(known) == 0 {
		return ""
	}
	if more := len(known) - 25; more > 0 {
		return fmt.Sprintf("known here: %s and %d more", strings.Join(known[:25], ", "), more)
	}
	return "known here: " + strings.Join(known, ", ")
}

// distance is the Levenshtein distance of two words, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
