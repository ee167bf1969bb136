package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// within fails a test whose work takes longer than any of it should.
func within(t *testing.T, limit time.Duration, what string, work func()) {
	t.Helper()
	from := time.Now()
	work()
	if took := time.Since(from); took > limit {
		t.Errorf("%s took %v", what, took)
	}
}

// TestEndlessNames: no rule is for a repository or a ref whose name is beyond
// the limits of matching, and finding that out takes no time.
func TestEndlessNames(t *testing.T) {
	s := load(t, ends+`
rules:
- {name: any, start: {server: ci, job: x}}
- {name: some, repos: ["!x/y"], branches: ["**/*a*/*b*/*c*"], start: {server: ci, job: y}}
`)
	for _, name := range []string{strings.Repeat("a/", 4<<20), strings.Repeat("a", 5000), strings.Repeat("/", 128)} {
		for what, change := range map[string]func(*Push){
			"repo": func(p *Push) { p.Repo = name }, "ref": func(p *Push) { p.Ref = name },
		} {
			within(t, 3*time.Second, what, func() {
				e := s.Decide(push(change), Owed{"any": {Completeness: Complete}}).Explain()
				if len(e.Builds)+len(e.Rules) > 0 || !strings.Contains(e.Skipped, "beyond 4096 bytes") {
					t.Errorf("%s: %d builds, %d rules, %s", what, len(e.Builds), len(e.Rules), e.Skipped)
				}
			})
		}
	}
}

// TestNearestIsCheap: a repository that nobody named is not compared with
// thousands of others letter by letter, where its length says enough.
func TestNearestIsCheap(t *testing.T) {
	var b strings.Builder
	b.WriteString(ends + "rules:\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "- {name: r%d, repos: owner-of-it/name%d, start: {server: ci, job: x}}\n", i, i)
	}
	s := load(t, b.String())
	within(t, 2*time.Second, "the hint", func() {
		s.Decide(push(func(p *Push) { p.Repo = "o/" + strings.Repeat("n", 4000) }), nil).Explain()
	})
}

// TestEvidenceIsBounded: the evidence of a huge push agrees with the decision,
// and does not ask every rule about every file.
func TestEvidenceIsBounded(t *testing.T) {
	s := loadRules(t, 300, 1)
	p := pushOf(1, 0, 300, 1)
	p.Files.Paths = nil
	for i := range 20_000 {
		p.Files.Paths = append(p.Files.Paths, fmt.Sprintf("services/s%d/%s%d.go", i%3, strings.Repeat("deep/", 100), i))
	}
	d := s.Decide(p, nil)
	var matched []string
	given := 0
	for _, v := range d.Verdicts() {
		if v.Matched {
			matched = append(matched, v.Name)
		}
		if strings.Contains(v.Checks[len(v.Checks)-1].Note, "too many files") {
			given++
		}
	}
	if want := d.Matched(); len(want) == 0 || !slices.Equal(matched, want) {
		t.Errorf("the evidence has %d rules, the decision %d", len(matched), len(want))
	}
	if given < 100 {
		t.Errorf("only %d rules are not asked about every file", given)
	}
}
