package rules

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// schemaAt finds a part of the schema by its JSON pointer.
func schemaAt(t *testing.T, doc map[string]any, pointer string) map[string]any {
	t.Helper()
	for _, name := range strings.Split(pointer, "/")[1:] {
		doc, _ = doc[name].(map[string]any)
	}
	if doc == nil {
		t.Fatalf("the schema has no %s", pointer)
	}
	return doc
}

// places are where the schema has fields, by JSON pointer, with a file that has
// one there that does not exist.
func places() map[string]string {
	const nonsense = "nonsensical_field: 1"
	return map[string]string{
		"":                                     nonsense,
		"/definitions/source":                  "sources: {s: {" + nonsense + "}}",
		"/definitions/source/properties/api":   "sources: {s: {api: {" + nonsense + "}}}",
		"/definitions/server":                  "servers: {s: {" + nonsense + "}}",
		"/properties/defaults":                 "defaults: {" + nonsense + "}",
		"/definitions/rule":                    "rules: [{" + nonsense + "}]",
		"/definitions/start":                   "rules: [{start: {" + nonsense + "}}]",
		"/definitions/start/properties/report": "rules: [{start: {report: {" + nonsense + "}}}]",
	}
}

// TestSchemaNames asks the loader which fields it knows at each place, by the
// hint it gives about one it does not know; the schema must know the same.
func TestSchemaNames(t *testing.T) {
	for pointer, file := range places() {
		_, err := Load(fstest.MapFS{"rules.yaml": {Data: []byte(file)}}, "rules.yaml", environment)
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatal(err)
		}
		i := slices.IndexFunc(problems, func(p Problem) bool { return strings.HasPrefix(p.Text, "unknown field") })
		if i < 0 {
			t.Fatalf("%s: %v", pointer, problems)
		}
		known, _ := strings.CutPrefix(problems[i].Hint, "known here: ")
		fields := schemaAt(t, schemaObject(t), pointer+"/properties")
		if diff := cmp.Diff(slices.Sorted(strings.SplitSeq(known, ", ")), slices.Sorted(maps.Keys(fields))); diff != "" {
			t.Errorf("%s\n-loader +schema\n%s", pointer, diff)
		}
		for name, field := range fields {
			if field.(map[string]any)["description"] == nil {
				t.Errorf("%s/%s has no description", pointer, name)
			}
		}
	}
}

// TestSchemaEveryField: each field of the schema stands somewhere in the files
// of testdata/schema, which load without a warning.
func TestSchemaEveryField(t *testing.T) {
	doc := schemaObject(t)
	given := map[string]bool{} // pointer/field
	var visit func(at string, s, value any)
	visit = func(at string, s, value any) {
		object, ok := s.(map[string]any)
		if !ok {
			return
		}
		if ref, ok := object["$ref"].(string); ok {
			at = strings.TrimPrefix(ref, "#")
			visit(at, schemaAt(t, doc, at), value)
			return
		}
		forms, _ := object["anyOf"].([]any)
		for _, form := range forms {
			visit(at, form, value)
		}
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				visit(at, object["items"], item)
			}
		case map[string]any:
			fields, _ := object["properties"].(map[string]any)
			for name, value := range value {
				if field, ok := fields[name]; ok {
					given[at+"/"+name] = true
					visit(at+"/properties/"+name, field, value)
				} else {
					visit(at, object["additionalProperties"], value)
				}
			}
		}
	}
	files, err := filepath.Glob("testdata/schema/teams/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "testdata/schema/rules.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		visit("", doc, valueOf(t, string(text)))
	}
	for pointer := range places() {
		for name := range schemaAt(t, doc, pointer+"/properties") {
			if !given[pointer+"/"+name] {
				t.Errorf("testdata/schema has no %s/%s", pointer, name)
			}
		}
	}
}
