package rules

import (
	"maps"
	"slices"
)

// A Result is what became of a test. It passed where nothing is missing and
// nothing is unexpected.
type Result struct {
	Test     *Test
	Decision *Decision
	// Missing are expectations that no build is left for, Unexpected builds that
	// no expectation is left for. A build that cannot be started meets none.
	Missing    []*Expectation
	Unexpected []*Build
}

// Passed says that there is one build for each expectation, and no other.
func (r *Result) Passed() bool { return len(r.Missing)+len(r.Unexpected) == 0 }

// Run asks the set about the test's push.
func (t *Test) Run(s *Set) Result {
	r := Result{Test: t, Decision: s.Decide(&t.Push, nil)}
	builds := r.Decision.Builds()
	met := assign(len(t.Expect), len(builds), func(e, b int) bool { return t.Expect[e].metBy(&builds[b]) })
	for e := range t.Expect {
		if !slices.Contains(met, e) {
			r.Missing = append(r.Missing, &t.Expect[e])
		}
	}
	for b := range builds {
		if met[b] < 0 {
			r.Unexpected = append(r.Unexpected, &builds[b])
		}
	}
	return r
}

// Evidence is why the rules that the differences are about matched or did not,
// in file order. A missing expectation that names no rule is about those of the
// push's repository that start such builds.
func (r *Result) Evidence() []Verdict {
	asked := map[string]bool{}
	for _, b := range r.Unexpected {
		for _, name := range b.Rules {
			asked[name] = true
		}
	}
	q := r.Decision.question()
	for _, e := range r.Missing {
		asked[e.Rule] = true
		for _, rule := range r.Decision.set.rules {
			if e.Rule == "" && rule.askRepo(q).ok && slices.ContainsFunc(rule.starts, e.mayBe) {
				asked[rule.name] = true
			}
		}
	}
	var out []Verdict
	for _, rule := range r.Decision.set.rules {
		if asked[rule.name] {
			out = append(out, rule.verdict(q))
		}
	}
	return out
}

// mayBe says that the start is on the expected server, or of its kind.
func (e *Expectation) mayBe(st start) bool {
	switch {
	case e.Server != "":
		return st.server == e.Server
	case e.Job != "" || e.Parameters != nil:
		return st.kind == Jenkins
	}
	return st.kind == Bamboo
}

// metBy compares what the expectation says, and nothing else.
func (e *Expectation) metBy(b *Build) bool {
	branch := b.Branch
	if branch == "" {
		branch = "none"
	}
	switch {
	case b.Error != "",
		e.Rule != "" && !slices.Contains(b.Rules, e.Rule),
		e.Server != "" && e.Server != b.Server,
		e.Job != "" && e.Job != b.Job,
		e.Plan != "" && e.Plan != b.Plan,
		e.Branch != "" && (b.Plan == "" || e.Branch != branch),
		e.Parameters != nil && (b.Job == "" || !maps.Equal(e.Parameters, b.Parameters)),
		e.Variables != nil && (b.Plan == "" || !maps.Equal(e.Variables, b.Variables)):
		return false
	}
	return true
}

// assign gives as many builds as can be an expectation each that they meet: by
// build, the expectation or -1. Taking the first that fits would miss some
// assignments, since an expectation may say little: each build in turn looks
// for a way to free one (Kuhn's algorithm).
func assign(expectations, builds int, meets func(e, b int) bool) []int {
	taker := make([]int, expectations) // build, or -1
	for e := range taker {
		taker[e] = -1
	}
	var seek func(b int, tried []bool) bool
	seek = func(b int, tried []bool) bool {
		for e := range taker {
			if tried[e] || !meets(e, b) {
				continue
			}
			tried[e] = true
			if taker[e] < 0 || seek(taker[e], tried) {
				taker[e] = b
				return true
			}
		}
		return false
	}
	for b := range builds {
		seek(b, make([]bool, expectations))
	}
	met := make([]int, builds)
	for b := range met {
		met[b] = -1
	}
	for e, b := range taker {
		if b >= 0 {
			met[b] = e
		}
	}
	return met
}

// Coverage says which rules tests reach.
type Coverage struct {
	Rules int
	// Missed are the rules that matched no test's push, in file order.
	Missed []Place
}

// A Place is a rule and where it stands.
type Place struct {
	Rule string
	At   Pos
}

// Percent of the rules that are reached, rounded down.
func (c *Coverage) Percent() int {
	if c.Rules == 0 {
		return 100
	}
	return (c.Rules - len(c.Missed)) * 100 / c.Rules
}

// Coverage counts each rule that "each" makes.
func (s *Set) Coverage(results []Result) Coverage {
	reached := map[string]bool{}
	for i := range results {
		for _, name := range results[i].Decision.Matched() {
			reached[name] = true
		}
	}
	c := Coverage{Rules: len(s.rules)}
	for _, r := range s.rules {
		if !reached[r.name] {
			c.Missed = append(c.Missed, Place{r.name, r.at})
		}
	}
	return c
}
