package rules

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
)

// TestSchema: schema.json is what the types of format.go give.
func TestSchema(t *testing.T) {
	want := generateSchema(t)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(Schema())); diff != "" {
		t.Errorf("schema.json is stale: go test ./rules -run TestSchema -update\n-types +file\n%s", diff)
	}
	Schema()[0] = 'x'
	if Schema()[0] == 'x' {
		t.Error("Schema gives the text itself, not a copy")
	}
}

// generateSchema reflects the types. What the library writes for newer drafts
// is put into the words of draft-07, the newest that editors know well.
func generateSchema(t *testing.T) []byte {
	t.Helper()
	reflector := jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true,
		Namer: func(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "Format") },
	}
	s := reflector.Reflect(fileFormat{})
	s.Version = "http://json-schema.org/draft-07/schema#"
	defs := s.Definitions
	inline(s, defs)
	for _, def := range defs {
		inline(def, defs)
	}
	s.Definitions, s.Extras = nil, map[string]any{"definitions": defs}
	for pruned := true; pruned; {
		pruned = false
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for name := range defs {
			if !bytes.Contains(text, []byte(`"#/$defs/`+name+`"`)) {
				delete(defs, name)
				pruned = true
			}
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(strings.NewReplacer(`#/$defs/`, `#/definitions/`, `\u003c`, `<`, `\u003e`, `>`, `\u0026`, `&`).Replace(string(text))), '\n')
}

// inline puts a copy of what a field refers to in place of the reference, where
// the field has a description: draft-07 ignores what stands beside a $ref.
func inline(s *jsonschema.Schema, defs jsonschema.Definitions) {
	if s.Properties == nil {
		return
	}
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		if f := p.Value; f.Ref != "" && f.Description != "" {
			whole := *defs[strings.TrimPrefix(f.Ref, "#/$defs/")]
			whole.Description = f.Description
			p.Value = &whole
		}
	}
}
