package rules

import (
	"strings"
	"testing"
	"testing/fstest"

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
		Files:   Files{Completeness: Complete, Paths: []string{"docs/a.md", "src/b.go"}},
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
		"repos by class in any case": {rule: `repos: "[[:upper:]]*/[!a-r]*"`, match: true, last: "repos"},
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
		"unknown builds":             {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files = Files{Completeness: Unknown} }, match: true, last: "paths", note: "unknown: unknown_files: build"},
		"unknown, and why":           {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files = Files{Completeness: Unknown, Note: "the API of broker answers 503"} }, match: true, last: "paths", note: "the list of changed files is unknown (the API of broker answers 503): unknown_files: build"},
		"partial, and why": {rule: "paths: [\"lib/**\"]\n  unknown_files: skip", push: func(p *Push) {
			p.Files = Files{Completeness: Partial, Paths: []string{"a", strings.Repeat("x", 5000)}, Note: "a: b"}
		}, last: "paths", note: "partial (a: b): unknown_files: skip"},
		"owed unknown, no reason":    {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files.Note = "x" }, owed: Owed{"r": {Completeness: Unknown, Note: "y"}}, match: true, last: "paths", note: "is unknown: unknown_files: build"},
		"unknown skips":              {rule: "paths: [\"lib/**\"]\n  unknown_files: skip", push: func(p *Push) { p.Files = Files{Completeness: Unknown} }, last: "paths", note: "unknown_files: skip"},
		"file beyond the limits":     {rule: `paths: ["lib/**"]`, push: func(p *Push) { p.Files.Paths = []string{strings.Repeat("x", 5000)} }, match: true, last: "paths", note: "partial"},
		"paths of a deletion":        {rule: "paths: [\"lib/**\"]\n  events: [delete]", push: func(p *Push) { p.Event = Deleted }, match: true, last: "paths", note: "not asked"},
		"owed file":                  {rule: `paths: ["lib/**"]`, owed: Owed{"r": {Completeness: Complete, Paths: []string{"lib/x"}}}, match: true, last: "paths", note: "owed"},
		"source":                     {rule: `sources: [broker]`, match: true, last: "sources"},
		"another source":             {rule: `sources: ["!broker"]`, last: "sources"},
		"author by name":             {rule: `authors: [ann]`, match: true, last: "authors"},
		"author by e-mail":           {rule: `authors: ["*@example.com"]`, match: true, last: "authors"},
		"author taken away":          {rule: `authors: ["*", "!ann@*"]`, last: "authors"},
		"bot by its brackets":        {rule: `authors: ["*[bot]"]`, push: func(p *Push) { p.Commits[0].Author = Person{Name: "renovate[bot]"} }, match: true, last: "authors"},
		"author not known":           {rule: `authors: ["*@example.com"]`, push: func(p *Push) { p.Commits = nil }, last: "authors", note: "is not known"},
		"everyone but a bot":         {rule: `authors: ["!*[bot]"]`, match: true, last: "authors", note: "everything but"},
		"pusher":                     {rule: `pushers: [p*]`, push: func(p *Push) { p.Pusher = Person{"", "p@example.com"} }, match: true, last: "pushers"},
		"another pusher":             {rule: `pushers: [p*]`, push: func(p *Push) { p.Pusher = Person{"q", ""} }, last: "pushers"},
		"message over lines":         {rule: `messages: ["*deploy*"]`, push: func(p *Push) { p.Commits[0].Message = "a\nplease deploy/now\n" }, match: true, last: "messages"},
		"message, newline trimmed":   {rule: `messages: ["m"]`, push: func(p *Push) { p.Commits[0].Message = "m\r\n" }, match: true, last: "messages"},
		"message in its case":        {rule: `messages: ["M"]`, last: "messages"},
		"message not known":          {rule: `messages: ["*x*"]`, push: func(p *Push) { p.Commits = nil }, last: "messages", note: "is not known"},
		"message of a tag":           {rule: "messages: [x]\n  tags: ['v*']", push: func(p *Push) { p.Kind, p.Ref = Tag, "v1" }, match: true, last: "tags"},
		"message of a deletion":      {rule: "messages: [x]\n  events: [delete]", push: func(p *Push) { p.Event = Deleted }, match: true, last: "events"},
		"skip marker in any case":    {rule: ``, push: func(p *Push) { p.Commits[0].Message = "words [Skip CI]" }, last: "skip_markers", note: "says so"},
		"skip marker below the head": {rule: ``, push: func(p *Push) { p.Commits = append([]Commit{{Message: "[ci skip]"}}, p.Commits...) }, match: true},
		"skip marker of a tag":       {rule: `tags: ["v*"]`, push: func(p *Push) { p.Kind, p.Ref, p.Commits[0].Message = Tag, "v1", "[ci skip]" }, match: true, last: "tags"},
		"no skip markers":            {rule: `skip_markers: []`, push: func(p *Push) { p.Commits[0].Message = "[ci skip]" }, match: true},
		"own skip markers":           {rule: `skip_markers: "NO BUILD"`, push: func(p *Push) { p.Commits[0].Message = "no build, [ci skip]" }, last: "skip_markers"},
		"owed unknown":               {rule: `paths: ["lib/**"]`, owed: Owed{"r": {Completeness: Unknown}}, match: true, last: "paths", note: "unknown"},
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

// TestWholeLanguage: sets, each, includes and their defaults, and options, down
// to what a decision says and carries.
func TestWholeLanguage(t *testing.T) {
	set, err := Load(fstest.MapFS{
		"rules.yaml": {Data: []byte(`
include: ["teams/**/*.yaml"]
sources: {broker: {host: bitbucket-post, token: x, api: {url: "https://api.bitbucket.org", token: t}}}
servers:
  ci: {jenkins: "https://ci.example.com", max_concurrent: 8, on_uncertain: hold}
  bamboo: {bamboo: "https://bamboo.example.com"}
sets:
  db: ["libs/db/**"]
  auth: ["libs/auth/**", $db]
defaults: {branches: [main], since: success}
rules:
- name: service
  each:
    web: ["services/web/**", $auth]
    mail: ["services/mail/**"]
  supersede: queued
  start: {server: ci, job: "shop/{{.Each}}", follow: false, report: {context: "{{.Each}} build", skipped: true}}
- name: all
  branches: ["**"]
  since: build
  paths: ["**", "!$auth"]
  start: {server: bamboo, plan: A-B, branch: none, report: false}
`)},
		"teams/a.yaml":        {Data: []byte("defaults: {supersede: running}\nrules: [{name: team-a, paths: [$db], start: {server: ci, job: a}}]")},
		"teams/deep/b.yaml":   {Data: []byte("rules: [{name: team-b, branches: dev, start: {server: ci, job: b}}]")},
		"teams/a.test.yaml":   {Data: []byte("no: rules")},
		"teams/..v/a.yaml":    {Data: []byte("no: rules")},
		"elsewhere/nope.yaml": {Data: []byte("no: rules")},
	}, "rules.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if w := set.Warnings(); len(w) > 0 {
		t.Error(Problems(w))
	}
	if diff := cmp.Diff([]string{"service/web", "service/mail", "all", "team-a", "team-b"}, set.Names()); diff != "" {
		t.Error(diff)
	}
	if s := set.Servers()[0]; s.MaxConcurrent != 8 || !s.HoldUncertain {
		t.Errorf("%+v", s)
	}
	d := set.Decide(push(func(p *Push) { p.Files.Paths = []string{"libs/db/schema.sql"} }), nil)
	want := []Build{
		{Rules: []string{"service/web"}, Server: "ci", Job: "shop/web", Dynamic: true, Parameters: map[string]string{}, NoFollow: true, Supersede: "queued", Since: "success", Contexts: []string{"web build"}},
		{Rules: []string{"team-a"}, Server: "ci", Job: "a", Parameters: map[string]string{}, Supersede: "running", Since: "success", Contexts: []string{"pushgate/team-a/ci/a"}},
	}
	if diff := cmp.Diff(want, d.Builds()); diff != "" {
		t.Error(diff)
	}
	for rule, want := range map[string]Check{
		"service/web":  {Field: "paths", Value: "libs/db/schema.sql", Pattern: "libs/db/**", At: Pos{"rules.yaml", 8, 8}, OK: true, Note: "from $db"},
		"service/mail": {Field: "paths", At: Pos{"rules.yaml", 15, 12}, Note: "the one changed file does not match"},
		"all":          {Field: "paths", Value: "libs/db/schema.sql", Pattern: "!libs/db/**", At: Pos{"rules.yaml", 8, 8}, Note: "the one changed file does not match; from $db"},
		"team-b":       {Field: "branches", Value: "main", At: Pos{"teams/deep/b.yaml", 1, 34}, Note: "no pattern matches"},
	} {
		v, _ := d.Verdict(rule)
		if diff := cmp.Diff(want, v.Checks[len(v.Checks)-1]); diff != "" {
			t.Errorf("%s: %s", rule, diff)
		}
	}
	again, err := LoadFiles(set.Files(), Unresolved)
	if err != nil || again.Hash() != set.Hash() || !cmp.Equal(again.Names(), set.Names()) {
		t.Errorf("the kept files make another set: %v", err)
	}
}

// TestSkipped: what stops a push as a whole is said once.
func TestSkipped(t *testing.T) {
	s := load(t, ends+"rules: [{name: a, repos: acme/shop, start: {server: ci, job: x}}, {name: b, repos: acme/shop, start: {server: ci, job: y}}]")
	for want, change := range map[string]func(*Push){
		"": nil,
		"the head commit's message says [skip ci]":                  func(p *Push) { p.Commits[0].Message = "x [skip ci]" },
		`no rule is for this repository; did you mean "acme/shop"?`: func(p *Push) { p.Repo = "acme/shopp" },
		"no rule is for this repository":                            func(p *Push) { p.Repo = "x/y" },
	} {
		if got := s.Decide(push(change), nil).Explain().Skipped; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestSkippedBeside: rules that are not for the push beside those that a marker
// stopped do not hide the marker.
func TestSkippedBeside(t *testing.T) {
	s := load(t, strings.Replace(ends, "sources: {", "sources: {other: {host: bitbucket-post, token: y}, ", 1)+
		"rules: [{name: a, sources: other, start: {server: ci, job: x}}, {name: b, start: {server: ci, job: y}}, {name: c, repos: [\"acme/*\", \"!acme/shop\"], start: {server: ci, job: z}}]")
	got := s.Decide(push(func(p *Push) { p.Commits[0].Message = "x [ci skip]" }), nil).Explain().Skipped
	if got != "the head commit's message says [ci skip]" {
		t.Errorf("%q", got)
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
			Contexts:   []string{"pushgate/api/ci/shop/release%2F1.2 {{.Commit}}"},
			Parameters: map[string]string{"C": "bbbb", "T": "", "D": "docs,src", "Q": "ann ACME"}},
		{Rules: []string{"api", "same"}, Server: "bamboo", Plan: "SHOP-API", Branch: "release/1.2 {{.Commit}}", Revision: "bbbb",
			Contexts:  []string{"pushgate/api/bamboo/SHOP-API", "pushgate/same/bamboo/SHOP-API"},
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
		{start: "", push: func(p *Push) { p.Ref = "" }, err: "names no branch"},
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
		`{{range slice .Files 0 1}}{{.}}{{end}}`:                     true,
		`{{if .Tag}}{{.Tag}}{{else}}{{.Branch}}{{end}}`:              true,
		`{{range 3000000000}}{{end}}`:                                false,
		`{{if .Tag}}{{range 3000000000}}{{end}}{{end}}`:              false,
		`{{if .Tag}}{{.Brunch}}{{end}}`:                              false,
		`{{if .Tag}}{{else}}{{with .Author}}{{.Mail}}{{end}}{{end}}`: false,
		`{{with .Author}}{{.Email}} {{$.Ref}}{{end}}`:                true,
		`{{if .Tag}}{{upper $.Nope}}{{end}}`:                         false,
		`{{define "x"}}{{.Ref}}{{end}}a`:                             false,
		`{{if .Tag}}a{{else}}{{template "" .}}{{end}}`:               false,
		`{{with .Author}}{{block "x" .}}{{.}}{{end}}{{end}}`:         false,
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
- {name: c, tags: ["v*"], start: {server: ci, job: c}}
`)
	if got := s.Decide(push(nil), nil).Matched(); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("main: %q", got)
	}
	tag := push(func(p *Push) { p.Kind, p.Ref = Tag, "v1" })
	if got := s.Decide(tag, nil).Matched(); !cmp.Equal(got, []string{"c"}) {
		t.Errorf("a tag: %q", got)
	}
	dev := push(func(p *Push) { p.Ref, p.Files = "dev", Files{Completeness: Unknown} })
	if got := s.Decide(dev, nil).Matched(); !cmp.Equal(got, []string{"b"}) {
		t.Errorf("dev: %q", got)
	}
}
