package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContexts: every start that asks for a build has its own status, whatever
// becomes of the build.
func TestContexts(t *testing.T) {
	for name, c := range map[string]struct {
		rules string
		want  [][]string // by build
	}{
		"the default": {`
- {name: a, start: {server: ci, job: "x/{{.Branch}}"}}`,
			[][]string{{"pushgate/a/ci/x/main"}}},
		"a plan": {`
- {name: a, start: {server: bamboo, plan: A-B}}`,
			[][]string{{"pushgate/a/bamboo/A-B"}}},
		"rules that ask for one build": {`
- {name: a, start: {server: ci, job: x}}
- {name: b, start: {server: ci, job: x, report: {context: "{{.Rule}} of {{.Branch}}"}}}
- {name: c, start: {server: ci, job: y}}
- {name: d, start: {server: ci, job: x}}`,
			[][]string{{"pushgate/a/ci/x", "b of main", "pushgate/d/ci/x"}, {"pushgate/c/ci/y"}}},
		"the first is quiet": {`
- {name: a, start: {server: ci, job: x, report: false}}
- {name: b, start: {server: ci, job: x}}`,
			[][]string{{"pushgate/b/ci/x"}}},
		"all are quiet": {`
- {name: a, start: {server: ci, job: x, report: false}}`,
			[][]string{nil}},
		"starts of one rule that ask for one build": {`
- name: a
  start: [{server: ci, job: x}, {server: ci, job: x, report: {context: also}}, {server: ci, job: "{{lower .Name}}", report: {context: shop}}]`,
			[][]string{{"pushgate/a/ci/x", "also"}, {"shop"}}},
		"each once": {`
- {name: a, start: {server: ci, job: x, report: {context: "{{.Branch}}"}}}
- {name: b, start: {server: ci, job: x, report: {context: "{{.Ref}}{{.Tag}}"}}}`,
			nil}, // refused: they would be one
		"empty is the default": {`
- {name: a, start: {server: ci, job: x, report: {context: "{{.Tag}}"}}}`,
			[][]string{{"pushgate/a/ci/x"}}},
		"dead builds": {`
- {name: job, start: {server: ci, job: "x/{{.Tag}}"}}
- {name: plan, start: {server: bamboo, plan: "{{.Branch}}"}}
- {name: value, start: {server: ci, job: "{{.Branch}}", parameters: {A: "{{slice .Ref 3 9}}"}}}
- {name: named, start: {server: ci, job: "y/{{.Tag}}", report: {context: "{{.Branch}} build"}}}
- {name: unnamed, start: {server: ci, job: "z", report: {context: "{{slice .Ref 3 9}}"}}}`,
			[][]string{{"pushgate/job/ci/x/{{.Tag}}"}, {"pushgate/plan/bamboo/main"}, {"pushgate/value/ci/main"}, {"main build"}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := LoadFiles([]File{{"rules.yaml", ends + "rules:" + c.rules}}, Unresolved)
			if c.want == nil {
				if err == nil {
					t.Error("it loads")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got [][]string
			for _, b := range set.Decide(push(nil), nil).Builds() {
				got = append(got, b.Contexts)
				if dead := strings.Contains(name, "dead"); dead != (b.Error != "") {
					t.Errorf("error %q", b.Error)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSkips: what is told as skipped is what a required check waits for.
func TestSkips(t *testing.T) {
	s := load(t, strings.Replace(ends, "sources: {", "sources: {other: {host: github, secret: y}, ", 1)+`
rules:
- {name: docs, repos: acme/shop, paths: ["doc/**"], start: {server: ci, job: "docs/{{.Branch}}", report: {skipped: true}}}
- name: named
  repos: ["acme/*"]
  branches: [dev]
  start:
  - {server: ci, job: a, report: {skipped: true, context: "{{.Branch}} a"}}
  - {server: ci, job: b}
  - {server: bamboo, plan: "{{.Branch}}", report: {skipped: true}}
  - {server: ci, job: "{{.Tag}}", report: {skipped: true, context: tag}}
- {name: same, authors: [bob], start: {server: ci, job: c, report: {skipped: true, context: "same {{.Branch}}"}}}
- {name: matched, paths: ["src/**"], start: {server: ci, job: d, report: {context: same main, skipped: true}}}
- {name: quiet, paths: ["doc/**"], start: {server: ci, job: e}}
- {name: elsewhere, repos: acme/other, branches: [dev], start: {server: ci, job: f, report: {skipped: true}}}
- {name: from-other, sources: other, start: {server: ci, job: g, report: {skipped: true}}}
`)
	for name, c := range map[string]struct {
		push func(*Push)
		want []string
	}{
		"those that did not match":  {nil, []string{"pushgate/docs/ci/docs/main", "main a", "tag"}},
		"another source":            {func(p *Push) { p.Source = "other" }, []string{"pushgate/docs/ci/docs/main", "main a", "tag"}},
		"no rule of the repository": {func(p *Push) { p.Repo = "x/y" }, nil},
		"a marker": {func(p *Push) { p.Commits[0].Message = "[skip ci]" },
			[]string{"pushgate/docs/ci/docs/main", "main a", "tag", "same main"}},
		"a job that has no name": {func(p *Push) { p.Ref = "a\nb" }, []string{"a\nb a", "tag", "same a\nb"}},
		"a tag":                  {func(p *Push) { p.Kind, p.Ref = Tag, "v1" }, nil},
		"a deletion":             {func(p *Push) { p.Event = Deleted }, nil},
		"endless":                {func(p *Push) { p.Repo = strings.Repeat("a/", 200) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, s.Decide(push(c.push), nil).Skips()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSkipsOfNothing: a set without skipped: true has none, and looks at no rule.
func TestSkipsOfNothing(t *testing.T) {
	s := loadRules(t, 1000, 1)
	d := s.Decide(pushOf(3, 1, 1000, 1), nil)
	if n := testing.AllocsPerRun(10, func() {
		if d.Skips() != nil {
			t.Error("something is skipped")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
