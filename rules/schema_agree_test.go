package rules

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// surroundings are rule files that are right but for what is put in place of
// the dots, which is what a case of wrong.txt gives.
func surroundings() map[string]string {
	const (
		source = `sources: {s: {host: github, secret: x}}` + "\n"
		server = `servers: {ci: {jenkins: "https://ci.example.com"}, b: {bamboo: "https://b.example.com"}}` + "\n"
		rule   = "rules: [{name: a, start: [{server: ci, job: x}, {server: b, plan: A-B}]}]\n"
	)
	return map[string]string{
		"file":     "…",
		"source":   "sources: {s: {…}}\n" + server + rule,
		"api":      "sources: {s: {host: github, secret: x, api: {…}}}\n" + server + rule,
		"server":   source + "servers: {…}\nrules: [{name: a, start: {server: ci, job: x}}]\n",
		"sets":     source + server + "sets: {…}\n" + rule,
		"defaults": source + server + "defaults: {…}\n" + rule,
		"rules":    source + server + "rules: [{name: other, start: {server: ci, job: other}}, …]",
		"rule":     source + server + "rules: [{name: a, start: {server: ci, job: x}, …}]",
		"start":    source + server + "rules: [{name: a, start: {…}}]",
		"jenkins":  source + server + "rules: [{name: a, start: {server: ci, job: x, …}}]",
		"bamboo":   source + server + "rules: [{name: a, start: {server: b, plan: A-B, …}}]",
		"included": source + server + "include: included.yaml\n" + rule,
	}
}

// TestSchemaAgrees holds wrong.txt to what the loader and the schema say of
// each case, and that to the heading it stands under.
func TestSchemaAgrees(t *testing.T) {
	const name = "testdata/schema/wrong.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	compiled, files := compileSchema(t), surroundings()
	var got strings.Builder
	heading, cases := "", 0
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue // what was said
		}
		fmt.Fprintln(&got, line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = h
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		place, given, _ := strings.Cut(line, " ")
		file, known := files[place]
		if !known {
			t.Fatalf("%s: no surroundings %q", name, place)
		}
		given = strings.TrimSpace(given)
		file = strings.Replace(file, "…", given, 1)
		fsys := fstest.MapFS{"rules.yaml": {Data: []byte(file)}}
		if place == "included" {
			fsys["included.yaml"], file = &fstest.MapFile{Data: []byte(given)}, given
		}
		loader, schema := loaderSays(t, fsys), schemaSays(t, compiled, file)
		who := map[[2]bool]string{{true, true}: "both refuse", {true, false}: "the loader alone refuses", {false, true}: "the schema alone refuses"}
		if is := who[[2]bool{len(loader) > 0, len(schema) > 0}]; is != heading {
			t.Errorf("%s: %s, under the heading %q", line, is, heading)
		}
		for _, s := range loader {
			fmt.Fprintln(&got, "  loader:", s)
		}
		for _, s := range schema {
			fmt.Fprintln(&got, "  schema:", s)
		}
		cases++
	}
	if cases < 100 {
		t.Errorf("%d cases; there were a hundred", cases)
	}
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Errorf("%s is stale: go test ./rules -run TestSchema -update\n-want +got\n%s", name, diff)
	}
}

func loaderSays(t *testing.T, fsys fstest.MapFS) []string {
	t.Helper()
	_, err := Load(fsys, "rules.yaml", environment)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var out []string
	for _, p := range problems {
		out = append(out, p.Text)
	}
	return out
}

// schemaSays gives each error at its place, without those that only sum up. Of
// several forms, those of another type tell nothing about what was meant.
func schemaSays(t *testing.T, compiled *jsonschema.Schema, file string) []string {
	t.Helper()
	err := compiled.Validate(valueOf(t, file))
	var invalid *jsonschema.ValidationError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	otherType := func(e *jsonschema.ValidationError) bool {
		for len(e.Causes) == 1 {
			e = e.Causes[0]
		}
		_, is := e.ErrorKind.(*kind.Type)
		return is
	}
	var out []string
	var visit func(e *jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		causes := e.Causes
		if _, forms := e.ErrorKind.(*kind.AnyOf); forms {
			if meant := slices.DeleteFunc(slices.Clone(causes), otherType); len(meant) > 0 {
				causes = meant
			}
		}
		if len(causes) == 0 {
			out = append(out, e.Error())
		}
		for _, cause := range causes {
			visit(cause)
		}
	}
	if invalid != nil {
		visit(invalid)
	}
	slices.Sort(out)
	return out
}
