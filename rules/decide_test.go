package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ends = `
sources: {broker: {host: bitbucket-post, token: x}}
servers: {ci: {jenkins: "https://ci.example.com"}, bamboo: {bamboo: "https://bamboo.example.com"}}
`

func push(change func(*Push)) *Push {
	p := &Push{
		Source: "broker", Delivery: "d_1", Repo: "Acme/Shop", Kind: Branch, Ref: "main", Event: Pushed,
		Before: "aaaa", After: "bbbb",
		Commits: []Commit{{ID: "bbbb", Message: "m", Author: Person{"ann", "ann@example.com"}}},
		Files:   Files{Complete, []string{"docs/a.md", "src/b.go"}},
	}
	if change != nil {
		change(p)
	}
	return p
}

// TestConditions asks a one-rule set about a push and compares the last check.
func TestConditions(t *testing.T) {
	for name, c := range map[string]struct {
		rule  string
		push  func(*Push)
		owed  Owed
		match bool
		last  string // field of the last check
		note  string // part of its note
	}{
		"no condition":               {rule: ``, match: true},
		"repos in any case":          {rule: `repos: ACME/shop`, match: true, last: "repos"},
		"another repo":               {rule: `repos: acme/other`, last: "repos", note: "no pattern matches"},
		"branch":                     {rule: `branches: [main]`, match: true, last: "branches"},
		"branches are case-sensible": {rule: `branches: [Main]`, last: "branches"},
		"last pattern decides":       {rule: `branches: ["**", "!m*", main]`, match: true, last: "branches"},
		"taken away":                 {rule: `branches: ["**", "!m*"]`, last: "branches"},
		"only negative":              {rule: `branches: "!wip/**"`, match: true, last: "branches", note: "everything but"},
		"tag rule and branch":        {rule: `tags: ["v*"]`, last: "branches", note: "tags only"},
		"tag":                        {rule: `tags: ["v*"]`, push: func(p *Push) { p.Kind, p.Ref = Tag, "v1" }, match: true, last: "tags"},
		"tag and no tags":            {rule: ``, push: func(p *Push) { p.Kind, p.Ref = Tag, "v1" }, last: "tags"},
		"tag and branches":           {rule: `branches: ["**"]`, push: func(p *Push) { p.Kind, p.Ref = Tag, "v1" }, last: "tags", note: "branches only"},
		"created":                    {rule: ``, push: func(p *Push) { p.Event = Created }, match: true},
		"deleted":                    {rule: ``, push: func(p *Push) { p.Event = Deleted }, last: "events", note: "push and create only"},
		"deleted, asked for":         {rule: `events: delete`, push: func(p *Push) { p.Event = Deleted }, match: true, last: "events"},
		"forced is a push":           {rule: ``, push: func(p *Push) { p.Event = Forced }, match: true},
		"only forced":                {rule: `events: [force]`, last: "events"},
		"path":                       {rule: `paths: ["src/**"]`, match: true, last: "paths"},
		"path with leading slash":    {rule: `paths: ["/src/**"]`, match: true, last: "paths"},
		"path taken away":            {rule: `paths: ["src/**", "!**/*.go"]`, last: "paths", note: "none of 2"},
		"no path":                    {rule: `paths: ["lib/**"]`, last: "paths", note: "none of 2"},
		"everything but docs":        {rule: `paths: ["!docs/**"]`, match: true, last: "paths"},
		"partial, known file":        {rule: "paths: [\"src/**\"]\n  unknown_files: skip", push: func(p *Push) { p.Files.Completeness = Partial }, match: true, last: "paths"},
		"unknown builds":             {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files = Files{Unknown, nil} }, match: true, last: "paths", note: "unknown: unknown_files: build"},
		"unknown skips":              {rule: "paths: [\"lib/**\"]\n  unknown_files: skip", push: func(p *Push) { p.Files = Files{Unknown, nil} }, last: "paths", note: "unknown_files: skip"},
		"file beyond the limits":     {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files.Paths = []string{strings.Repeat("x", 5000)} }, match: true, last: "paths", note: "partial"},
		"paths of a deletion":        {rule: "paths: [\"lib/**\"]\n  events: [delete]", push: func(p *Push) { p.Event = Deleted }, match: true, last: "paths", note: "not asked"},
		"owed file":                  {rule: `paths: ["lib/**"]`, owed: Owed{"r": {Complete, []string{"lib/x"}}}, match: true, last: "paths", note: "owed"},
		"owed unknown":               {rule: `paths: ["lib/**"]`, owed: Owed{"r": {Unknown, nil}}, match: true, last: "paths", note: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, ends+"rules:\n- name: r\n  start: {server: ci, job: x}\n  "+c.rule+"\n")
			d := s.Decide(push(c.push), c.owed)
			v, _ := d.Verdict("r")
			if v.Matched != c.match || len(d.Matched()) == 1 != c.match {
				t.Fatalf("matched %v, want %v: %+v", v.Matched, c.match, v)
			}
			last := Check{}
			if len(v.Checks) > 0 {
				last = v.Checks[len(v.Checks)-1]
			}
			if last.Field != c.last || !strings.Contains(last.Note, c.note) || last.OK != c.match && c.last != "" {
				t.Errorf("last check %+v, want field %q, note %q", last, c.last, c.note)
			}
		})
	}
}

func TestBuilds(t *testing.T) {
	s := load(t, ends+`
rules:
- name: api
  repos: acme/*
  start:
  - {server: ci, job: "shop/{{.Branch}}", parameters: {C: "{{.Commit}}", T: "{{.Tag}}", D: "{{.Files | dirs \"\" | join \",\"}}", Q: "{{.Author.Name}} {{.Owner | upper}}"}, delay: 5s}
  - {server: bamboo, plan: SHOP-API, variables: {b: "{{.Branch | slug}}"}}
- name: same
  start: {server: bamboo, plan: SHOP-API, variables: {b: "{{.Branch | slug}}"}}
`)
	p := push(func(p *Push) { p.Ref = "release/1.2 {{.Commit}}" })
	want := []Build{
		{Rules: []string{"api"}, Server: "ci", Job: "shop/release%2F1.2 {{.Commit}}", Dynamic: true, DelaySeconds: 5,
			Parameters: map[string]string{"C": "bbbb", "T": "", "D": "docs,src", "Q": "ann ACME"}},
		{Rules: []string{"api", "same"}, Server: "bamboo", Plan: "SHOP-API", Branch: "release/1.2 {{.Commit}}", Revision: "bbbb",
			Variables: map[string]string{"b": "release-1-2-commit"}},
	}
	if diff := cmp.Diff(want, s.Decide(p, nil).Builds()); diff != "" {
		t.Error(diff)
	}
}

// TestHostileJobSegments: what a push says fills one segment, or kills that
// build and no other.
func TestHostileJobSegments(t *testing.T) {
	s := load(t, ends+`
rules:
- name: r
  start:
  - {server: ci, job: "mb/{{.Branch}}"}
  - {server: ci, job: "mb/.{{.Branch}}"}
  - {server: ci, job: "mb/{{if .Tag}}{{.Tag}}{{end}}"}
  - {server: ci, job: fixed}
`)
	for branch, want := range map[string][]string{
		"../../../scriptText": {"mb/..%2F..%2F..%2FscriptText", "mb/...%2F..%2F..%2FscriptText"},
		"a?b#c%2F":            {"mb/a%3Fb%23c%252F", "mb/.a%3Fb%23c%252F"},
		".":                   {"mb/%2E", "mb/.%2E"},
		"..":                  {"mb/%2E.", "mb/.%2E."},
		"a\nb":                {"", ""},
		"":                    {"", ""},
		"{{.Commit}}":         {"mb/{{.Commit}}", "mb/.{{.Commit}}"},
	} {
		builds := s.Decide(push(func(p *Push) { p.Ref = branch }), nil).Builds()
		if len(builds) != 4 {
			t.Fatalf("%q: %d builds", branch, len(builds))
		}
		if builds[0].Job != want[0] || builds[1].Job != want[1] {
			t.Errorf("%q: jobs %q and %q, want %q", branch, builds[0].Job, builds[1].Job, want)
		}
		for _, b := range builds[:3] {
			if (b.Job == "") != (b.Error != "") {
				t.Errorf("%q: job %q with error %q", branch, b.Job, b.Error)
			}
		}
		if builds[2].Error == "" || builds[3].Job != "fixed" || builds[3].Error != "" {
			t.Errorf("%q: an empty segment must kill its build and no other: %+v", branch, builds[2:])
		}
	}
}

func TestPlanBranch(t *testing.T) {
	for _, c := range []struct {
		start, ruleField string
		push             func(*Push)
		branch, err      string
	}{
		{start: "", branch: "main"},
		{start: "", ruleField: "default_branch: main", branch: ""},
		{start: "", push: func(p *Push) { p.DefaultBranch = "main" }, branch: ""},
		{start: "", ruleField: "default_branch: other", push: func(p *Push) { p.DefaultBranch = "main" }, branch: "main"},
		{start: ", branch: none", branch: ""},
		{start: ", branch: stable", branch: "stable"},
		{start: "", ruleField: `tags: ["**"]`, push: func(p *Push) { p.Kind = Tag }, err: "a tag has no plan branch"},
	} {
		s := load(t, ends+"rules:\n- name: r\n  "+c.ruleField+"\n  start: {server: bamboo, plan: A-B"+c.start+"}\n")
		b := s.Decide(push(c.push), nil).Builds()[0]
		if b.Branch != c.branch || !strings.Contains(b.Error, c.err) || (b.Error == "") != (c.err == "") {
			t.Errorf("%+v: branch %q, error %q", c, b.Branch, b.Error)
		}
	}
}

// TestCutCharacters: a value cut within a character kills its build and no
// other, and YAML's other spellings of true are true.
func TestCutCharacters(t *testing.T) {
	s := load(t, ends+`
rules:
- name: r
  start:
  - {server: ci, job: a, parameters: {B: "{{slice .Ref 0 1}}"}}
  - {server: ci, job: b, parameters: {C: "{{.ShortCommit}}"}}
  - {server: bamboo, plan: A-B, create_branch: True, all_stages: TRUE}
`)
	b := s.Decide(push(func(p *Push) { p.Ref, p.After = "über", "aaaaaaaaaaa€zz" }), nil).Builds()
	if !strings.Contains(b[0].Error, "within a character") || b[1].Error != "" || b[1].Parameters["C"] != "aaaaaaaaaaa" {
		t.Errorf("%+v", b[:2])
	}
	if !b[2].CreateBranch || !b[2].AllStages {
		t.Errorf("%+v", b[2])
	}
}

// TestTemplateLanguage: what templates may hold, also inside branches.
func TestTemplateLanguage(t *testing.T) {
	for text, ok := range map[string]bool{
		`{{range slice .Files 0 1}}{{.}}{{end}}`:             true,
		`{{if .Tag}}{{.Tag}}{{else}}{{.Branch}}{{end}}`:      true,
		`{{range 3000000000}}{{end}}`:                        false,
		`{{if .Tag}}{{range 3000000000}}{{end}}{{end}}`:      false,
		`{{define "x"}}{{.Ref}}{{end}}a`:                     false,
		`{{if .Tag}}a{{else}}{{template "" .}}{{end}}`:       false,
		`{{with .Author}}{{block "x" .}}{{.}}{{end}}{{end}}`: false,
	} {
		for _, encode := range []bool{true, false} {
			if _, err := compileTemplate(text, encode); (err == nil) != ok {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	s := load(t, ends+`
defaults: {branches: [main], unknown_files: skip}
rules:
- {name: a, start: {server: ci, job: a}}
- {name: b, branches: [dev], unknown_files: build, paths: [x], start: {server: ci, job: b}}
`)
	if got := s.Decide(push(nil), nil).Matched(); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("main: %q", got)
	}
	dev := push(func(p *Push) { p.Ref, p.Files = "dev", Files{Unknown, nil} })
	if got := s.Decide(dev, nil).Matched(); !cmp.Equal(got, []string{"b"}) {
		t.Errorf("dev: %q", got)
	}
}
