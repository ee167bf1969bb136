package rules

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// The limits of what is loaded. A file of a hundred thousand rules stays within
// them; no text, however it multiplies itself, keeps a machine busy for more
// than such a file does, or fills its memory.
const (
	maxFileBytes = 32 << 20 // of all files together
	maxNodes     = 4 << 20  // YAML values in them, aliases followed
	maxSize      = 8 << 20  // what is made of them, in about 100 bytes
	maxEffort    = 16 << 20 // comparisons for remarks, in about 100 ns
	maxProblems  = 1000     // errors, and warnings, that are told
	maxEnds      = 1000     // sources, and servers
	maxShown     = 200      // bytes of a value in a problem
)

// room is what is left of the limits.
type room struct {
	bytes, nodes, size, effort int
	full                       bool // one of the first three is exceeded, and it was said
	problems, warnings         bool // more than are told
}

func newRoom() room {
	return room{bytes: maxFileBytes, nodes: maxNodes, size: maxSize, effort: maxEffort}
}

// spend takes n of what is left in which, and says once that nothing is.
func (l *loader) spend(which *int, n int) bool {
	if *which -= n; *which < 0 && !l.room.full {
		l.room.full = true
		text, hint := "the rules are too large: what they make of their lists, starts and templates is beyond all reason", "share lists by sets, and starts by each"
		switch which {
		case &l.room.bytes:
			text, hint = tooLargeFile, "split the rules over several gateways"
		case &l.room.nodes:
			text, hint = fmt.Sprintf("there are more than %d values in the rule files, aliases counted where they are used", maxNodes), "share lists by sets, and fields by defaults"
		}
		l.problems = append(l.problems, Problem{Pos{File: l.file}, text, hint})
	}
	return !l.room.full
}

// try takes n of the effort of remarks, which may miss what is wrong.
func (l *loader) try(n int) bool {
	l.room.effort -= n
	return l.room.effort >= 0
}

// tryEntry is try for comparing an entry with all of a list.
func (l *loader) tryEntry(e *entry, with *list) bool {
	_, n := e.size()
	sum := 0
	for i := range with.entries {
		_, m := with.entries[i].size()
		sum += n * m
	}
	return l.try(sum)
}

// marks is about how many YAML values a text holds, and no less.
func marks(content string) int {
	n := 1
	for _, mark := range []string{",", "\n", ":", "[", "{", "- ", "? "} {
		n += strings.Count(content, mark)
	}
	return n
}

// weigh counts the values below a node, aliases followed, long texts as
// several; -1 where an alias is within its own anchor. It counts to little more
// than limit.
func weigh(n *yaml.Node, limit int, known map[*yaml.Node]int) int {
	if n.Kind == yaml.AliasNode {
		w, seen := known[n.Alias]
		if !seen {
			known[n.Alias] = -1 // until it is known
			w = weigh(n.Alias, limit, known)
			known[n.Alias] = w
		}
		return w
	}
	sum := 1 + len(n.Value)/64
	for _, c := range n.Content {
		w := weigh(c, limit, known)
		if w < 0 {
			return -1
		}
		if sum += w; sum > limit {
			break
		}
	}
	return sum
}

// clip shortens long texts among the words of a problem.
func clip(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = short(s)
		}
	}
	return args
}

func short(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// size is what a rule adds to the set.
func (r *rule) size() int {
	n := 4
	for _, li := range []*list{r.sources, r.repos, r.branches, r.tags, r.authors, r.pushers, r.messages, r.paths, r.skip} {
		if li != nil {
			n += len(li.entries)
		}
	}
	return n + 4*len(r.starts)
}

// size is what an entry costs, and how many comparisons with it are.
func (e *entry) size() (cost, alternatives int) {
	if e.glob == nil {
		return 1, 1
	}
	return e.glob.Size(), len(e.glob.Alternatives())
}
