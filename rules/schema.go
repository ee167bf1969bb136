package rules

import _ "embed"

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft-07) of rule files, for editors. [Load] knows
// more: what patterns, templates and the names of other entries mean. The cases
// of testdata/schema/wrong.txt show where the two differ.
func Schema() []byte { return []byte(schema) }
