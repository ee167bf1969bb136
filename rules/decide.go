package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	d.matched = s.match(d)
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

// Verdicts is the evidence: the answer of every rule of the push's repository,
// in file order, by the conditions that Decide asks.
func (d *Decision) Verdicts() []Verdict {
	out := []Verdict{}
	q := d.question()
	q.bounded, q.matched, q.left = true, d.matched, maxEvidence
	for _, r := range d.set.rules {
		if a := r.askRepo(q); a.ok || a.entry != nil {
			out = append(out, r.verdict(q))
		}
	}
	return out
}

// Verdict is the answer of the named rule, whatever repository it is for.
func (d *Decision) Verdict(name string) (Verdict, bool) {
	n, known := d.set.index.byName[name]
	if !known {
		return Verdict{}, false
	}
	return d.set.rules[n].verdict(d.question()), true
}

func (d *Decision) question() *question {
	q := &question{}
	q.ask(d.push, d.files, d.owed)
	return q
}

func (r *rule) verdict(q *question) Verdict {
	v := Verdict{Name: r.name, At: r.at, Checks: []Check{}, Matched: true}
	for _, c := range conditions() {
		a := c.ask(r, q)
		if c.field == "branches" && q.push.Kind == Tag {
			c.field = "tags"
		}
		if a.asked {
			v.Checks = append(v.Checks, a.check(c.field))
		}
		if !a.ok {
			v.Matched = false
			break
		}
	}
	return v
}

func (a answer) check(field string) Check {
	c := Check{Field: field, Value: a.value, OK: a.ok, At: a.at, Note: a.note}
	if a.list != nil {
		c.At = a.list.entries[0].at
	}
	switch {
	case a.why != "":
		c.Note = strings.Replace(c.Note, ":", " ("+a.why+"):", 1)
	case a.files == 1:
		c.Note = "the one changed file does not match"
	case a.files > 1:
		c.Note = fmt.Sprintf("none of %d changed files matches", a.files)
	}
	switch {
	case a.entry != nil:
		c.Pattern, c.At = a.entry.text, a.entry.at
		if a.entry.set != "" {
			c.Note = strings.TrimPrefix(c.Note+"; from $"+a.entry.set, "; ")
		}
	case a.list != nil && c.Note == "" && a.ok:
		c.Note = "everything but the patterns given"
	case a.list != nil && c.Note == "":
		c.Note = "no pattern matches"
	}
	return c
}

// An Explanation is a decision in the documented JSON shape.
type Explanation struct {
	Repo   string `json:"repo"`
	Kind   Kind   `json:"kind"`
	Ref    string `json:"ref"`
	Event  Event  `json:"event"`
	Before string `json:"before"`
	Commit string `json:"commit"`
	Files  Files  `json:"files"`
	// Skipped says why the push as a whole starts nothing; empty where its rules
	// say it one by one.
	Skipped string `json:"skipped"`
	// Builds have Contexts only where they are not the default ones.
	Builds []Build   `json:"builds"`
	Rules  []Verdict `json:"rules"`
}

// Explain gives the whole decision.
func (d *Decision) Explain() Explanation {
	p := d.push
	e := Explanation{
		Repo: p.Repo, Kind: p.Kind, Ref: p.Ref, Event: p.Event,
		Before: p.Before, Commit: p.Commit(), Files: d.files,
		Builds: d.Builds(), Rules: d.Verdicts(),
	}
	for i, b := range e.Builds {
		e.Builds[i] = b.shown()
	}
	e.Skipped = skipped(e.Rules)
	switch {
	case !fits(p.Repo) || !fits(p.Ref):
		e.Skipped = endless
	case len(e.Rules) == 0:
		e.Skipped = strings.TrimSuffix("no rule is for this repository; "+d.set.index.nearest(p.Repo), "; ")
	}
	return e
}

// nearest suggests a repository that rules name.
func (x *index) nearest(repo string) string {
	hint := suggest(strings.ToLower(repo), slices.Sorted(maps.Keys(x.repos)))
	if !strings.HasPrefix(hint, "did you mean") {
		return ""
	}
	return hint
}

// skipped tells the marker that stopped every rule of the repository.
func skipped(verdicts []Verdict) string {
	said := ""
	for _, v := range verdicts {
		last := Check{}
		if len(v.Checks) > 0 {
			last = v.Checks[len(v.Checks)-1]
		}
		switch {
		case !v.Matched && (last.Field == "repos" || last.Field == "sources"):
			continue
		case v.Matched || last.Field != "skip_markers":
			return ""
		}
		said = "the head commit's message says " + last.Pattern
	}
	return said
}
