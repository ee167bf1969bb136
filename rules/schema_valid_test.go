package rules

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

// schemaObject is the schema as JSON values; TestSchema says that schema.json
// is the same.
func schemaObject(t *testing.T) map[string]any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(generateSchema(t)))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", schemaObject(t)); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// valueOf gives YAML as the JSON values that an editor's validator sees: dates
// are text, as in YAML 1.2, and merge keys are merged.
func valueOf(t *testing.T, text string) any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return nodeValue(t, doc.Content[0])
}

func nodeValue(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n = resolve(n); n.Kind {
	case yaml.MappingNode:
		out, merged := map[string]any{}, map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			value := nodeValue(t, n.Content[i+1])
			if fields, ok := value.(map[string]any); ok && n.Content[i].Tag == "!!merge" {
				maps.Copy(merged, fields)
			} else {
				out[n.Content[i].Value] = value
			}
		}
		maps.Copy(merged, out)
		return merged
	case yaml.SequenceNode:
		out := []any{}
		for _, item := range n.Content {
			out = append(out, nodeValue(t, item))
		}
		return out
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if _, ok := v.(time.Time); ok {
		return n.Value
	}
	return v
}

// TestSchemaDraft: the schema is valid draft-07, and says nothing in words that
// draft-07 does not know or ignores.
func TestSchemaDraft(t *testing.T) {
	meta, err := jsonschema.NewCompiler().Compile("http://json-schema.org/draft-07/schema")
	if err != nil {
		t.Fatal(err)
	}
	doc := schemaObject(t)
	if err := meta.Validate(doc); err != nil {
		t.Error(err)
	}
	if doc["$schema"] != "http://json-schema.org/draft-07/schema#" || doc["$id"] != nil {
		t.Errorf("$schema %v, $id %v", doc["$schema"], doc["$id"])
	}
	compileSchema(t) // finds what every $ref names
	known := meta.Properties
	var check func(at string, s any)
	check = func(at string, s any) {
		object, ok := s.(map[string]any)
		if !ok {
			return
		}
		if object["$ref"] != nil && len(object) > 1 {
			t.Errorf("%s: draft-07 ignores what stands beside $ref", at)
		}
		for word, value := range object {
			at := at + "/" + word
			if known[word] == nil {
				t.Errorf("%s: no word of draft-07", at)
			}
			switch word {
			case "properties", "definitions", "dependencies":
				for name, s := range value.(map[string]any) {
					check(at+"/"+name, s)
				}
			case "anyOf", "allOf", "oneOf":
				for _, s := range value.([]any) {
					check(at, s)
				}
			default:
				check(at, value)
			}
		}
	}
	check("", doc)
}

// TestSchemaAccepts: rule files that load are valid, and begin with the line
// that tells editors where the schema is.
func TestSchemaAccepts(t *testing.T) {
	compiled := compileSchema(t)
	files := []string{"../rules.yaml", "testdata/schema/rules.yaml"}
	for _, pattern := range []string{"../examples/*/rules.yaml", "testdata/schema/teams/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	here, err := os.Stat("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(valueOf(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		path, ok := strings.CutPrefix(line, "# yaml-language-server: $schema=")
		if named, err := os.Stat(filepath.Join(filepath.Dir(file), path)); !ok || err != nil || !os.SameFile(named, here) {
			t.Errorf("%s: the first line is %q: %v", file, line, err)
		}
		if filepath.Base(file) != "rules.yaml" {
			continue // an included one
		}
		set, err := Load(os.DirFS(filepath.Dir(file)), "rules.yaml", environment)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		} else if len(set.Warnings()) > 0 {
			t.Errorf("%s: %v", file, Problems(set.Warnings()))
		}
	}
}
