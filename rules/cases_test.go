package rules

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestLoadTests runs testdata/cases/*.txtar: a rules.yaml, an a.test.yaml and
// what LoadTests says of it.
func TestLoadTests(t *testing.T) {
	files, _ := filepath.Glob("testdata/cases/*.txtar")
	if len(files) == 0 {
		t.Fatal("no cases in testdata/cases")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil || len(ar.Files) != 3 {
				t.Fatalf("%d files, %v", len(ar.Files), err)
			}
			got := "ok\n"
			if _, err := load(t, string(ar.Files[0].Data)).LoadTests(File{ar.Files[1].Name, string(ar.Files[1].Data)}); err != nil {
				got = err.Error() + "\n"
			}
			want := &ar.Files[2].Data
			if *update {
				*want = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(*want), got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", ar.Comment, diff)
			}
		})
	}
}

func loadTests(t *testing.T, s *Set, content string) []Test {
	t.Helper()
	tests, err := s.LoadTests(File{"a.test.yaml", content})
	if err != nil {
		t.Fatalf("load tests:\n%v", err)
	}
	return tests
}

// TestTestPush: what a test's push leaves out is as in explain, but that no
// files means none.
func TestTestPush(t *testing.T) {
	s := load(t, ends+"rules: [{name: a, start: {server: ci, job: x}}]")
	tests := loadTests(t, s, `
tests:
- {name: a, push: {repo: o/r, branch: b}, expect: []}
- {name: b, push: {repo: o/r, tag: v1, event: create, files: x, message: m, author: Ann <a@b>, pusher: c@d, default_branch: main}, expect: []}
`)
	want := []Push{
		{Source: "broker", Repo: "o/r", Kind: Branch, Ref: "b", Event: Pushed, Files: Files{Completeness: Complete, Paths: []string{}}},
		{Source: "broker", Repo: "o/r", Kind: Tag, Ref: "v1", Event: Created, Files: Files{Completeness: Complete, Paths: []string{"x"}}, DefaultBranch: "main",
			Commits: []Commit{{Message: "m", Author: Person{"Ann", "a@b"}}}, Pusher: Person{"c@d", "c@d"}},
	}
	for i := range want {
		if diff := cmp.Diff(want[i], tests[i].Push); diff != "" {
			t.Error(diff)
		}
	}
}

// TestRun compares the names of what is missing and not expected.
func TestRun(t *testing.T) {
	s := load(t, ends+`
rules:
- {name: one, repos: o/r, start: [{server: ci, job: a, parameters: {P: "{{.Author.Name}}", Q: q}}, {server: bamboo, plan: A-B, variables: {V: v}}]}
- {name: two, repos: o/r, start: {server: ci, job: a, parameters: {P: "{{.Author.Name}}", Q: q}}}
- {name: dead, repos: o/r, tags: ["*"], start: {server: bamboo, plan: A-B}}
- {name: cut, repos: o/other, start: {server: ci, job: "{{.Commit}}"}}
`)
	for name, c := range map[string]struct {
		push, expect string
		missing      int
		unexpected   int
		evidence     string
	}{
		"all":                        {push: "branch: b", expect: "[{rule: one, server: ci}, {rule: one, server: bamboo}]"},
		"the other rule of a build":  {push: "branch: b", expect: "[{rule: two}, {plan: A-B}]"},
		"in any order, saying less":  {push: "branch: b", expect: "[{rule: one}, {rule: one, server: ci}]"},
		"saying less first":          {push: "branch: b", expect: "[{rule: one}, {rule: two}]"},
		"nothing":                    {push: "branch: b", expect: "[]", unexpected: 2, evidence: "one two"},
		"one too few":                {push: "branch: b", expect: "[{rule: two}]", unexpected: 1, evidence: "one"},
		"one build, two entries":     {push: "branch: b", expect: "[{rule: two}, {rule: two, job: a}, {plan: A-B}]", missing: 1, evidence: "two"},
		"all parameters":             {push: "branch: b, author: Ann", expect: "[{job: a, parameters: {P: Ann, Q: q}}, {plan: A-B}]"},
		"a parameter is missing":     {push: "branch: b, author: Ann", expect: "[{job: a, parameters: {Q: q}}, {plan: A-B}]", missing: 1, unexpected: 1, evidence: "one two"},
		"a parameter is another":     {push: "branch: b", expect: "[{job: a, parameters: {P: Ann, Q: q}}, {plan: A-B}]", missing: 1, unexpected: 1, evidence: "one two"},
		"variables":                  {push: "branch: b", expect: "[{rule: two}, {variables: {V: v}}]"},
		"no variables":               {push: "branch: b", expect: "[{rule: two}, {variables: {}}]", missing: 1, unexpected: 1, evidence: "one dead"},
		"the plan branch":            {push: "branch: b", expect: "[{rule: two}, {branch: b}]"},
		"not the plan":               {push: "branch: b", expect: "[{rule: two}, {branch: none}]", missing: 1, unexpected: 1, evidence: "one dead"},
		"the plan":                   {push: "branch: b, default-branch: b", expect: "[{rule: two}, {branch: none}]"},
		"no plan at all":             {push: "branch: b", expect: "[{plan: A-B}, {server: ci, job: b}]", missing: 1, unexpected: 1, evidence: "one two"},
		"a rule that does not match": {push: "branch: b", expect: "[{job: a}, {plan: A-B}, {rule: dead}]", missing: 1, evidence: "dead"},
		"a build that cannot be started meets nothing": {push: "tag: v1", expect: "[{rule: dead}]", missing: 1, unexpected: 1, evidence: "dead"},
	} {
		t.Run(name, func(t *testing.T) {
			test := loadTests(t, s, fmt.Sprintf("tests: [{name: t, push: {repo: o/r, %s}, expect: %s}]", c.push, c.expect))[0]
			r := test.Run(s)
			if len(r.Missing) != c.missing || len(r.Unexpected) != c.unexpected || r.Passed() != (c.missing+c.unexpected == 0) {
				t.Errorf("missing %+v, unexpected %+v", r.Missing, r.Unexpected)
			}
			var rules []string
			for _, v := range r.Evidence() {
				rules = append(rules, v.Name)
				if last := v.Checks[len(v.Checks)-1]; last.OK != v.Matched {
					t.Errorf("the last check does not tell: %+v", v)
				}
			}
			if got := strings.Join(rules, " "); got != c.evidence {
				t.Errorf("evidence of %q, want %q", got, c.evidence)
			}
		})
	}
}

// TestAssign holds the assignment to the best of all permutations.
func TestAssign(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		es, bs := random.IntN(6), random.IntN(6)
		fits := map[[2]int]bool{}
		for range random.IntN(12) {
			fits[[2]int{random.IntN(6), random.IntN(6)}] = true
		}
		meets := func(e, b int) bool { return fits[[2]int{e, b}] }
		met := assign(es, bs, meets)
		taken, n := map[int]bool{}, 0
		for b, e := range met {
			if e < 0 {
				continue
			}
			if taken[e] || !meets(e, b) {
				t.Fatalf("%v: %v", fits, met)
			}
			taken[e] = true
			n++
		}
		if want := most(es, bs, meets, nil); n != want {
			t.Fatalf("%d expectations, %d builds, %v: assigned %d of %d", es, bs, fits, n, want)
		}
	}
}

// most tries every assignment.
func most(es, bs int, meets func(e, b int) bool, used []int) int {
	if bs == 0 {
		return 0
	}
	best := most(es, bs-1, meets, used)
	for e := range es {
		if !slices.Contains(used, e) && meets(e, bs-1) {
			best = max(best, 1+most(es, bs-1, meets, append(used[:len(used):len(used)], e)))
		}
	}
	return best
}

func TestCoverage(t *testing.T) {
	s := load(t, ends+`
rules:
- {name: a, branches: main, start: {server: ci, job: a}}
- name: each
  each:
    web: w/**
    mail: m/**
  start: {server: ci, job: "{{.Each}}"}
`)
	var results []Result
	for _, test := range loadTests(t, s, "tests: [{name: t, push: {repo: o/r, branch: b, files: w/x}, expect: []}]") {
		results = append(results, test.Run(s))
	}
	got := s.Coverage(results)
	want := Coverage{Rules: 3, Missed: []Place{{"a", Pos{"rules.yaml", 6, 3}}, {"each/mail", Pos{"rules.yaml", 10, 5}}}}
	if diff := cmp.Diff(want, got); diff != "" || got.Percent() != 33 {
		t.Errorf("%d %%\n%s", got.Percent(), diff)
	}
}
