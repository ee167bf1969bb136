package rules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLacks(t *testing.T) {
	unknown := func(p *Push) { p.Files = Files{} }
	partial := func(p *Push) { p.Files.Completeness = Partial }
	headless := func(p *Push) { p.Commits = nil }
	tag := func(p *Push) { p.Kind, p.Ref, p.Commits, p.Files = Tag, "v1", nil, Files{} }
	deleted := func(p *Push) { p.Event, p.Commits, p.Files, p.DefaultBranch = Deleted, nil, Files{}, "" }
	elsewhere := func(p *Push) { p.Repo, p.Commits, p.Files, p.DefaultBranch = "x/y", nil, Files{}, "" }
	for name, c := range map[string]struct {
		rule  string // its fields
		push  func(*Push)
		lacks Lacks
	}{
		"all is known":                {rule: `paths: [x]`},
		"unknown files":               {rule: `paths: [x]`, push: unknown, lacks: Lacks{Files: true}},
		"partial files":               {rule: `paths: [x]`, push: partial, lacks: Lacks{Files: true}},
		"unknown files to skip":       {rule: "paths: [x], unknown_files: skip", push: unknown, lacks: Lacks{Files: true}},
		"a known file matches":        {rule: `paths: ["src/**"]`, push: partial},
		"a known file is taken away":  {rule: `paths: ["src/**", "!**/*.go"]`, push: partial, lacks: Lacks{Files: true}},
		"files nobody asks for":       {rule: `branches: main`, push: unknown},
		"files of another branch":     {rule: "paths: [x], branches: dev", push: unknown},
		"files of another source":     {rule: "paths: [x], sources: '!broker'", push: unknown},
		"files of a tag":              {rule: "paths: [x], tags: '*', skip_markers: []", push: tag},
		"files of a deletion":         {rule: "paths: [x], events: delete", push: deleted},
		"a file beyond the limits":    {rule: `paths: [x]`, push: func(p *Push) { p.Files.Paths = []string{strings.Repeat("x", 5000)} }},
		"files in a value":            {rule: `start: {server: ci, job: x, parameters: {A: "{{.Files | join \" \"}}"}}`, push: partial, lacks: Lacks{Files: true}},
		"files in a matching rule":    {rule: "paths: [src/*], start: {server: ci, job: 'x/{{range .Files}}a{{end}}'}", push: partial, lacks: Lacks{Files: true}},
		"files in a context":          {rule: `start: {server: ci, job: x, report: {context: "a {{len $.Files}}"}}`, push: unknown, lacks: Lacks{Files: true}},
		"files in a plan":             {rule: `start: {server: bamboo, plan: "{{if .Files}}A-B{{else}}A-C{{end}}", branch: none}`, push: unknown, lacks: Lacks{Files: true}},
		"files through the dot":       {rule: `start: {server: ci, job: x, parameters: {A: "{{printf \"%v\" .}}"}}`, push: unknown, lacks: Lacks{Files: true}},
		"another dot":                 {rule: `start: {server: ci, job: x, parameters: {A: "{{with .Branch}}{{.}}{{$.Ref}}{{end}}"}}`, push: unknown},
		"the dot behind another":      {rule: `start: {server: ci, job: x, parameters: {A: "{{with .Tag}}{{else}}{{print .}}{{end}}"}}`, push: unknown, lacks: Lacks{Files: true}},
		"a word":                      {rule: `start: {server: ci, job: .Files.Message, parameters: {A: "{{\".Files\"}}"}}`, push: func(p *Push) { unknown(p); headless(p) }, lacks: Lacks{Head: true}},
		"forced pushes only":          {rule: `events: force`, lacks: Lacks{Force: true}},
		"forced and created":          {rule: `events: [force, create]`, lacks: Lacks{Force: true}},
		"forced and others":           {rule: `events: [push, force]`},
		"it is forced":                {rule: `events: force`, push: func(p *Push) { p.Event = Forced }},
		"it is created":               {rule: `events: force`, push: func(p *Push) { p.Event = Created }},
		"forced, and no file":         {rule: "events: force, paths: [x]"},
		"forced, and unknown files":   {rule: "events: force, paths: [x]", push: unknown, lacks: Lacks{Force: true, Files: true}},
		"forced, by another":          {rule: "events: force, authors: bob"},
		"a tag that was moved":        {rule: "events: force, tags: '*', skip_markers: []", push: tag, lacks: Lacks{Force: true}},
		"no head":                     {push: headless, lacks: Lacks{Head: true}},
		"no head, and no marker":      {rule: `skip_markers: []`, push: headless},
		"no author":                   {rule: "skip_markers: [], authors: bob", push: headless, lacks: Lacks{Head: true}},
		"no message":                  {rule: "skip_markers: [], messages: ['!x']", push: headless, lacks: Lacks{Head: true}},
		"no head of another event":    {rule: `events: create`, push: headless},
		"no head, in a value":         {rule: `skip_markers: [], start: {server: ci, job: x, parameters: {A: "{{.Author.Name}}"}}`, push: headless, lacks: Lacks{Head: true}},
		"no head, in another value":   {rule: `skip_markers: [], start: {server: ci, job: x, parameters: {A: "{{.Name}}"}}`, push: headless},
		"no head of a tag":            {rule: `tags: "*"`, push: tag},
		"no author of a tag":          {rule: "tags: '*', authors: bob", push: tag, lacks: Lacks{Head: true}},
		"no head of a deletion":       {rule: "events: delete, authors: bob", push: deleted},
		"no default branch":           {rule: `start: {server: bamboo, plan: A-B}`, push: func(p *Push) { p.DefaultBranch = "" }, lacks: Lacks{DefaultBranch: true}},
		"no default branch for auto":  {rule: `start: {server: bamboo, plan: A-B, branch: auto}`, push: func(p *Push) { p.DefaultBranch = "" }, lacks: Lacks{DefaultBranch: true}},
		"a default branch of its own": {rule: "default_branch: main, start: {server: bamboo, plan: A-B}", push: func(p *Push) { p.DefaultBranch = "" }},
		"a branch of its own":         {rule: `start: {server: bamboo, plan: A-B, branch: dev}`, push: func(p *Push) { p.DefaultBranch = "" }},
		"default branch, and no file": {rule: "paths: [x], start: {server: bamboo, plan: A-B}", push: func(p *Push) { p.DefaultBranch = "" }},
		"default branch, unknown files": {rule: "paths: [x], unknown_files: skip, start: {server: bamboo, plan: A-B}", push: func(p *Push) { p.DefaultBranch, p.Files = "", Files{} },
			lacks: Lacks{DefaultBranch: true, Files: true}},
		"default branch of a job":       {push: func(p *Push) { p.DefaultBranch = "" }},
		"default branch of a tag":       {rule: "tags: '*', skip_markers: [], start: {server: bamboo, plan: A-B}", push: tag},
		"all that an author may settle": {rule: "skip_markers: [], authors: bob, events: force, paths: [x], start: {server: bamboo, plan: A-B}", push: func(p *Push) { headless(p); unknown(p); p.DefaultBranch = "" }, lacks: Lacks{true, true, true, true}},
		"another repository":            {rule: `repos: acme/shop, paths: [x], start: {server: bamboo, plan: A-B}`, push: elsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			fields := []string{"name: r"}
			if c.rule != "" {
				fields = append(fields, c.rule)
			}
			if !strings.Contains(c.rule, "start:") {
				fields = append(fields, "start: {server: ci, job: x}")
			}
			text := "- {" + strings.Join(fields, ", ") + "}\n"
			others := ""
			for i := range small + 1 { // the same of a bucket that has finders
				others += fmt.Sprintf("- {name: o%d, branches: other, start: {server: ci, job: o%d}}\n", i, i)
			}
			for _, rules := range []string{text, others + text} {
				p := push(func(p *Push) { p.DefaultBranch = "main" })
				if c.push != nil {
					c.push(p)
				}
				s := load(t, ends+"rules:\n"+rules)
				got := s.Lacks(p)
				if diff := cmp.Diff(c.lacks, got); diff != "" {
					t.Errorf("%s\n%s", diff, rules)
				}
				if got.Any() != (got != Lacks{}) {
					t.Error("Any is wrong")
				}
			}
		})
	}
}

// TestLacksOfTwo: one rule settles nothing for another.
func TestLacksOfTwo(t *testing.T) {
	s := load(t, ends+`
rules:
- {name: a, paths: ["src/**"], start: {server: ci, job: a}}
- {name: b, paths: ["lib/**"], skip_markers: [], start: {server: ci, job: b}}
- {name: c, repos: acme/shop, events: force, start: {server: ci, job: c}}
- {name: d, repos: ["acme/*"], branches: main, start: {server: bamboo, plan: A-B}}
`)
	if got := s.Lacks(push(func(p *Push) { p.Files.Completeness, p.Commits = Partial, nil })); got != (Lacks{true, true, true, true}) {
		t.Errorf("%+v", got)
	}
}

// TestLacksNothing: on generated rules and pushes, where nothing is lacking, what
// the code host's API might tell changes neither the rules that match nor their
// builds; and Lacks is the same by the index and by asking each rule alone.
func TestLacksNothing(t *testing.T) {
	asked, complete := 0, 0
	for seed := range uint64(150) {
		m := maker{rand.New(rand.NewPCG(seed, 11))}
		var b strings.Builder
		b.WriteString(strings.Replace(madeEnds, "servers: {", `servers: {bam: {bamboo: "http://bam"}, `, 1))
		var alone []*Set
		for i, n := 0, 1+m.IntN(40); i < n; i++ {
			rule := m.asking(fmt.Sprintf("r%d", i))
			if one, err := LoadFiles([]File{{"one.yaml", b.String()[:strings.Index(b.String(), "rules:\n")] + "rules:\n" + rule}}, Unresolved); err == nil {
				b.WriteString(rule)
				alone = append(alone, one)
			}
		}
		if len(alone) == 0 {
			continue
		}
		set, err := LoadFiles([]File{{"rules.yaml", b.String()}}, Unresolved)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			p, _ := m.push()
			p.DefaultBranch = m.one("", "main", "dev")
			lacks := set.Lacks(p)
			var want Lacks
			for _, one := range alone {
				l := one.Lacks(p)
				want = Lacks{want.Files || l.Files, want.Force || l.Force, want.Head || l.Head, want.DefaultBranch || l.DefaultBranch}
			}
			if diff := cmp.Diff(want, lacks); diff != "" {
				t.Fatalf("seed %d, push %+v: -rule by rule +set\n%s\n%s", seed, p, diff, b.String())
			}
			asked++
			if lacks.Files || lacks.Head || lacks.DefaultBranch {
				continue
			}
			told := m.told(p)
			if !cmp.Equal(told, p) {
				complete++
			}
			before, after := set.Decide(p, nil), set.Decide(told, nil)
			if diff := cmp.Diff(before.Matched(), after.Matched()); diff != "" {
				t.Fatalf("seed %d, push %+v, then %+v: other rules match\n%s\n%s", seed, p, told, diff, b.String())
			}
			if diff := cmp.Diff(before.Builds(), after.Builds()); diff != "" {
				t.Fatalf("seed %d, push %+v, then %+v: other builds\n%s\n%s", seed, p, told, diff, b.String())
			}
		}
	}
	t.Logf("%d pushes, %d of them told more though nothing was lacking", asked, complete)
	if complete < asked/20 {
		t.Error("there is hardly ever something to tell")
	}
}

// asking is a rule with starts that render what may be lacking.
func (m maker) asking(name string) string {
	values := func() string {
		return m.one("", "x", "{{.Branch}}", "{{.Name}}", "{{with .Pusher}}{{.}}{{end}}", "{{.Files | dirs \"\" | join \",\"}}",
			"{{.Message}}", "{{.Author.Email}}", "{{with .Author}}{{.Name}}{{end}}", "{{$}}", "{{$x := .}}{{$x.Files}}", "{{range .Files}}{{.}}{{end}}")
	}
	start := fmt.Sprintf("{server: ci, job: %s, parameters: {A: '%s'}, report: {context: '%s %s'}}", name, values(), name, values())
	if m.IntN(3) == 0 {
		start = fmt.Sprintf("{server: bam, plan: A-B, branch: %s, variables: {N: %s, A: '%s'}}", m.one("auto", "none", "dev"), name, values())
	}
	rule := strings.Replace(m.rule(name), fmt.Sprintf("{server: ci, job: %s}", name), start, 1)
	if !strings.Contains(rule, "skip_markers") && m.IntN(2) == 0 {
		rule += "  skip_markers: []\n"
	}
	if m.IntN(3) == 0 {
		rule += "  default_branch: main\n"
	}
	return rule
}

// told is a push with more that the API might tell about it.
func (m maker) told(p *Push) *Push {
	told := *p
	if p.Event == Deleted {
		return &told
	}
	if len(p.Commits) == 0 {
		told.Commits = []Commit{{Message: m.one("fix", "m", "[ci skip]", "NO"), Author: Person{m.one("ann", "bob"), "a@x"}}}
	}
	if p.Kind == Tag {
		return &told
	}
	if p.Files.Completeness != Complete {
		told.Files = Files{Completeness: Complete, Paths: append(slices.Clone(p.Files.Paths), m.some(8, m.path)...)}
	}
	if p.DefaultBranch == "" {
		told.DefaultBranch = m.one("main", "dev", "x/y")
	}
	return &told
}

// TestLacksIsQuick: a push that tells all there is costs nothing, and one that
// does not no more than a decision, whatever the number of rules.
func TestLacksIsQuick(t *testing.T) {
	s := loadRules(t, 10_000, 1)
	p := pushOf(300, 300, 10_000, 1)
	p.Commits, p.DefaultBranch = []Commit{{Message: "m"}}, "main"
	if n := testing.AllocsPerRun(100, func() { s.Lacks(p) }); n != 0 || s.Lacks(p).Any() {
		t.Errorf("%v allocations, %+v", n, s.Lacks(p))
	}
	p.Files.Completeness, p.Commits = Partial, nil
	within(t, 2*time.Second, "what is lacking", func() {
		for range 20 {
			if got := s.Lacks(p); got != (Lacks{Files: true, Head: true}) {
				t.Fatalf("%+v", got)
			}
		}
	})
}
