package rules

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// TestSuffix is what the names of files of rule tests end with.
const TestSuffix = ".test.yaml"

// A Test is a push and the builds it must call for, from a file of rule tests.
type Test struct {
	// Name is unique in its file.
	Name string
	At   Pos
	Push Push
	// Expect holds one entry for each build, in any order.
	Expect []Expectation
}

// An Expectation says what is known of one build; what it leaves empty may be
// anything.
type Expectation struct {
	At     Pos
	Rule   string // one of those that ask for the build
	Server string
	Job    string
	Plan   string
	// Branch is that of the plan branch; "none" is the plan itself.
	Branch string
	// Parameters and Variables are compared whole, unless they are nil.
	Parameters, Variables map[string]string
}

// The format of files of rule tests; as in rule files, names of fields come
// from here.
type (
	testsFormat struct {
		Tests []testFormat `json:"tests" jsonschema_description:"Pushes, and the builds they must call for."`
	}
	testFormat struct {
		Name   string         `json:"name" jsonschema_description:"What the test holds, in words; unique in its file."`
		Push   sketchFormat   `json:"push" jsonschema_description:"The push, by the names of explain's flags."`
		Expect []expectFormat `json:"expect" jsonschema_description:"One entry for each build, in any order; [] for none."`
	}
	sketchFormat struct {
		Repo              string               `json:"repo" jsonschema_description:"owner/name"`
		Branch            string               `json:"branch,omitempty" jsonschema_description:"The branch that was pushed; or tag."`
		Tag               string               `json:"tag,omitempty" jsonschema_description:"The tag that was pushed; or branch."`
		Event             string               `json:"event,omitempty" jsonschema_description:"push (default), create, delete or force."`
		Files             oneOrMore[plainText] `json:"files,omitempty" jsonschema_description:"All changed files; none by default."`
		Message           string               `json:"message,omitempty" jsonschema_description:"Message of the head commit."`
		Author            string               `json:"author,omitempty" jsonschema_description:"Author of the head commit: a name, an e-mail, or Name <e-mail>."`
		Pusher            string               `json:"pusher,omitempty" jsonschema_description:"Who pushed: a name, an e-mail, or Name <e-mail>."`
		Source            string               `json:"source,omitempty" jsonschema_description:"The source it came through; the first by default."`
		DefaultBranch     string               `json:"default_branch,omitempty" jsonschema_description:"The repository's default branch, where the host would tell."`
		DefaultBranchFlag string               `json:"default-branch,omitempty" jsonschema_description:"The same as default_branch."`
	}
	expectFormat struct {
		Rule       string            `json:"rule,omitempty" jsonschema_description:"One of the rules that ask for the build."`
		Server     string            `json:"server,omitempty"`
		Job        string            `json:"job,omitempty" jsonschema_description:"Jenkins: the job's path, rendered."`
		Parameters map[string]scalar `json:"parameters,omitempty" jsonschema_description:"Jenkins: all of them."`
		Plan       string            `json:"plan,omitempty" jsonschema_description:"Bamboo: the plan's key."`
		Branch     string            `json:"branch,omitempty" jsonschema_description:"Bamboo: branch of the plan branch, or none for the plan itself."`
		Variables  map[string]scalar `json:"variables,omitempty" jsonschema_description:"Bamboo: all of them."`
	}
)

const testHint = "write - {name: …, push: {repo: …, branch: …}, expect: [{rule: …}]}"

// LoadTests reads a file of rule tests, which are about the set. The error is
// of type [Problems].
func (s *Set) LoadTests(f File) ([]Test, error) {
	if len(f.Content) > maxFileBytes {
		return nil, Problems{{At: Pos{File: f.Name}, Text: tooLargeFile}}
	}
	l := newLoader(Unresolved)
	l.file, l.set = f.Name, s
	tests := l.tests(f.Content)
	if len(l.problems) > 0 {
		l.problems.sort([]File{f})
		return nil, l.problems
	}
	return tests, nil
}

func (l *loader) tests(content string) []Test {
	doc := l.document(content, "it needs a list: tests: ["+strings.TrimPrefix(testHint, "write - ")+"]")
	if doc == nil {
		return nil
	}
	top := l.fields(doc, "a file of rule tests", fieldsOf[testsFormat]()...)
	if top == nil {
		return nil
	}
	list := top["tests"]
	switch {
	case list == nil:
		l.fail(doc, "begin it with tests:, and a dash before each test", "the file has no tests")
		return nil
	case list.Kind != yaml.SequenceNode:
		l.fail(list, testHint, "tests must be a list, not %s", kindName(list))
		return nil
	case len(list.Content) == 0:
		l.fail(list, testHint, "there are no tests")
	}
	var tests []Test
	first := map[string]Pos{}
	for _, n := range list.Content {
		n = resolve(n)
		what := "a test without a name"
		name := scalarField(n, "name")
		if name != "" {
			what = fmt.Sprintf("test %q", name)
		}
		f := l.fields(n, what, fieldsOf[testFormat]()...)
		if f == nil {
			continue
		}
		switch at, again := first[name]; {
		case f["name"] == nil:
			l.fail(n, "write name: …; it is how reports speak of it", "a test has no name")
		case again:
			l.fail(f["name"], "names are unique in a file", "the test %q is given twice, first at %s", name, at)
		default:
			if text, ok := l.text(f["name"], "name of a test"); ok && strings.TrimSpace(text) == "" {
				l.fail(f["name"], "say what the test holds", "name of a test is blank")
			} else if ok {
				first[name] = l.pos(n)
			}
		}
		tests = append(tests, Test{Name: name, At: l.pos(n), Push: l.sketch(n, f["push"], what), Expect: l.expectations(n, f["expect"], what)})
	}
	return tests
}

// sketch reads the push of a test.
func (l *loader) sketch(test, n *yaml.Node, of string) Push {
	if n == nil {
		l.fail(test, "write push: {repo: owner/name, branch: …, files: […]}", "%s has no push", of)
		return Push{}
	}
	what := "push of " + of
	f := l.fields(n, what, fieldsOf[sketchFormat]()...)
	if f == nil {
		return Push{}
	}
	if again := f["default-branch"]; again != nil && f["default_branch"] != nil {
		l.fail(again, "keep one of them", "%q is given twice in %s", "default_branch", what)
	}
	// A field that is wrong in itself is not to be missed as well.
	unread := map[string]bool{}
	text := func(field string) string {
		s, ok := l.text(f[field], field+" of "+what)
		unread[field] = f[field] != nil && !ok
		return s
	}
	k := Sketch{
		Repo: text("repo"), Branch: text("branch"), Tag: text("tag"), Event: text("event"), Source: text("source"),
		Message: text("message"), Author: text("author"), Pusher: text("pusher"),
		DefaultBranch: text("default_branch") + text("default-branch"),
		Files:         Files{Completeness: Complete, Paths: l.changed(f["files"], "files of "+what)},
	}
	if f["event"] == nil {
		k.Event = string(Pushed)
	}
	for _, p := range k.Problems(l.set) {
		if slices.ContainsFunc(p.Fields, func(field string) bool { return unread[field] }) {
			continue
		}
		at := n
		for _, field := range p.Fields {
			if f[field] != nil {
				at = f[field]
			}
		}
		l.fail(at, p.Hint, "%s: %s", what, p.Text)
	}
	return k.Push(l.set)
}

// changed reads a list of files; there may be none.
func (l *loader) changed(n *yaml.Node, what string) []string {
	paths := []string{}
	if n == nil || n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		return paths
	}
	for _, item := range l.items(n, what) {
		if path, ok := l.text(item, "one of the "+what); ok {
			paths = append(paths, path)
		}
	}
	return paths
}
