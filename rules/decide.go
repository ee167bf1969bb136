package rules

import (
	"fmt"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// A Decision is what a set makes of one push.
type Decision struct {
	set     *Set
	push    *Push
	owed    Owed
	files   Files   // of the push, within the limits
	matched []*rule // in file order
}

// Decide asks every rule about the push. The push must not change while the
// Decision is in use.
func (s *Set) Decide(p *Push, owed Owed) *Decision {
	d := &Decision{set: s, push: p, owed: owed, files: withinLimits(p.Files)}
	q := d.question()
	for _, r := range s.rules {
		if r.matches(q, nil) {
			d.matched = append(d.matched, r)
		}
	}
	return d
}

// Matched gives the names of the rules that matched, in file order.
func (d *Decision) Matched() []string {
	names := make([]string, len(d.matched))
	for i, r := range d.matched {
		names[i] = r.name
	}
	return names
}

// A Check is one condition of a rule as it was asked.
type Check struct {
	// Field is the condition's name in the rule file.
	Field string `json:"field"`
	// Value is what was seen: for paths the file that decided.
	Value string `json:"value"`
	// Pattern is the entry that decided, At its place; empty where none
	// matched.
	Pattern string `json:"pattern"`
	At      Pos    `json:"at"`
	OK      bool   `json:"ok"`
	Note    string `json:"note"`
}

// A Verdict is one rule's answer. Of a rule that did not match, the last check
// is the one that failed.
type Verdict struct {
	Name    string  `json:"name"`
	Matched bool    `json:"matched"`
	At      Pos     `json:"at"`
	Checks  []Check `json:"checks"`
}

// Verdicts is the evidence: the answer of every rule, in file order. It asks
// the same conditions as Decide did, by the same code.
func (d *Decision) Verdicts() []Verdict {
	out := make([]Verdict, len(d.set.rules))
	q := d.question()
	for i, r := range d.set.rules {
		checks := []Check{}
		ok := r.matches(q, &checks)
		out[i] = Verdict{Name: r.name, Matched: ok, At: r.at, Checks: checks}
	}
	return out
}

// An Explanation is a decision in the documented JSON shape.
type Explanation struct {
	Repo    string    `json:"repo"`
	Kind    Kind      `json:"kind"`
	Ref     string    `json:"ref"`
	Event   Event     `json:"event"`
	Before  string    `json:"before"`
	Commit  string    `json:"commit"`
	Files   Files     `json:"files"`
	Skipped string    `json:"skipped"`
	Builds  []Build   `json:"builds"`
	Rules   []Verdict `json:"rules"`
}

// Explain gives the whole decision.
func (d *Decision) Explain() Explanation {
	p := d.push
	return Explanation{
		Repo: p.Repo, Kind: p.Kind, Ref: p.Ref, Event: p.Event,
		Before: p.Before, Commit: p.Commit(), Files: d.files,
		Builds: d.Builds(), Rules: d.Verdicts(),
	}
}

// A question is a push prepared for asking all rules.
type question struct {
	*Decision
	repo  pattern.Value
	ref   pattern.Value
	paths []pattern.Value
}

func (d *Decision) question() *question {
	q := &question{Decision: d, repo: pattern.NewValue(strings.ToLower(d.push.Repo)), ref: pattern.NewValue(d.push.Ref)}
	for _, f := range d.files.Paths {
		q.paths = append(q.paths, pattern.NewValue(f))
	}
	return q
}

// matches asks one rule. With checks set it records what was asked; the answer
// is the same either way.
func (r *rule) matches(q *question, checks *[]Check) bool {
	for _, ask := range []func(*rule, *question) (Check, bool){
		(*rule).checkRepo, (*rule).checkRef, (*rule).checkEvent, (*rule).checkPaths,
	} {
		c, asked := ask(r, q)
		if !asked {
			continue
		}
		if checks != nil {
			*checks = append(*checks, c)
		}
		if !c.OK {
			return false
		}
	}
	return true
}

func (r *rule) checkRepo(q *question) (Check, bool) {
	if r.repos == nil {
		return Check{}, false
	}
	return r.repos.check("repos", q.push.Repo, q.repo), true
}

// checkRef asks a branch of branches and a tag of tags. With neither given
// every branch passes and no tag does; with one given, nothing of the other.
func (r *rule) checkRef(q *question) (Check, bool) {
	field, own, other := "branches", r.branches, r.tags
	if q.push.Kind == Tag {
		field, own, other = "tags", r.tags, r.branches
	}
	switch {
	case own != nil:
		return own.check(field, q.push.Ref, q.ref), true
	case q.push.Kind == Branch && other == nil:
		return Check{}, false
	case q.push.Kind == Branch:
		return Check{Field: field, Value: q.push.Ref, Note: "the rule names tags only"}, true
	case other != nil:
		return Check{Field: field, Value: q.push.Ref, Note: "the rule names branches only"}, true
	}
	return Check{Field: field, Value: q.push.Ref, Note: "a rule without tags is for branches"}, true
}

func (r *rule) checkEvent(q *question) (Check, bool) {
	c := Check{Field: "events", Value: string(q.push.Event), At: r.eventsAt}
	for _, e := range r.events {
		if e == q.push.Event || e == Pushed && q.push.Event == Forced {
			c.OK, c.Pattern = true, string(e)
			return c, r.eventsAt.Line != 0
		}
	}
	if r.eventsAt.Line == 0 {
		c.Note = "events not given: push and create only"
	}
	return c, true
}

// checkPaths looks for a changed or owed file. Without one, only a complete
// list proves that nothing relevant changed; otherwise unknown_files decides.
func (r *rule) checkPaths(q *question) (Check, bool) {
	if r.paths == nil {
		return Check{}, false
	}
	c := Check{Field: "paths", OK: true}
	switch {
	case q.push.Kind == Tag:
		c.Note = "not asked of tags"
		return c, true
	case q.push.Event == Deleted:
		c.Note = "not asked of deletions"
		return c, true
	}
	var taken *entry
	var takenFile string
	for _, v := range q.paths {
		ok, e := r.paths.ask(v)
		if ok {
			return r.paths.verdict("paths", v.Text, ok, e), true
		}
		if e != nil {
			taken, takenFile = e, v.Text
		}
	}
	owed := withinLimits(q.owed[r.name])
	for _, f := range owed.Paths {
		if ok, e := r.paths.ask(pattern.NewValue(f)); ok {
			c := r.paths.verdict("paths", f, ok, e)
			c.Note = "owed: changed by an earlier push that was not built"
			return c, true
		}
	}
	completeness := q.files.Completeness
	if _, some := q.owed[r.name]; some && owed.Completeness != Complete && completeness == Complete {
		completeness = owed.Completeness
	}
	if completeness != Complete {
		choice := "build"
		if r.skipUnknown {
			choice = "skip"
		}
		c.OK, c.At = !r.skipUnknown, r.unknownAt
		c.Note = fmt.Sprintf("the list of changed files is %s: unknown_files: %s", completeness, choice)
		return c, true
	}
	c.OK, c.At = false, r.paths.entries[0].at
	if taken != nil {
		c.Value, c.Pattern, c.At = takenFile, taken.text, taken.at
	}
	switch n := len(q.paths) + len(owed.Paths); n {
	case 0:
		c.Note = "no file changed"
	case 1:
		c.Note = "the one changed file does not match"
	default:
		c.Note = fmt.Sprintf("none of %d changed files matches", n)
	}
	return c, true
}

func (l *list) check(field, shown string, v pattern.Value) Check {
	ok, e := l.ask(v)
	return l.verdict(field, shown, ok, e)
}

func (l *list) verdict(field, shown string, ok bool, e *entry) Check {
	c := Check{Field: field, Value: shown, OK: ok, At: l.entries[0].at}
	switch {
	case e != nil:
		c.Pattern, c.At = e.text, e.at
	case ok:
		c.Note = "everything but the patterns given"
	default:
		c.Note = "no pattern matches"
	}
	return c
}

// withinLimits drops paths beyond the limits of matching; the list is partial
// then.
func withinLimits(f Files) Files {
	if f.Completeness == "" {
		f.Completeness = Unknown
	}
	keep := func(p string) bool {
		return len(p) <= pattern.MaxPathBytes && strings.Count(p, "/") < pattern.MaxPathLevels
	}
	for i, p := range f.Paths {
		if keep(p) {
			continue
		}
		out := Files{Partial, append([]string{}, f.Paths[:i]...)}
		for _, p := range f.Paths[i:] {
			if keep(p) {
				out.Paths = append(out.Paths, p)
			}
		}
		if f.Completeness == Unknown {
			out.Completeness = Unknown
		}
		return out
	}
	return f
}
