package rules

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/invopop/jsonschema"
)

// The methods below say of the types of format.go what reflection cannot see.
// They stand in a test file so that the program does not carry the library.

func (named[T]) JSONSchemaExtend(s *jsonschema.Schema) { s.PropertyNames = entryNames() }

func (variants) JSONSchemaExtend(s *jsonschema.Schema) {
	s.PropertyNames, s.MinProperties = entryNames(), limit(1)
}

func (oneOrMore[T]) JSONSchemaExtend(s *jsonschema.Schema) {
	var item any = *new(T)
	if text, ok := item.(interface{ JSONSchema() *jsonschema.Schema }); ok {
		textOrList(s, text.JSONSchema(), 1, 0)
	} else {
		listOrAny(s)
	}
}

func (patterns) JSONSchemaExtend(s *jsonschema.Schema) {
	textOrList(s, plainText("").JSONSchema(), 1, maxListEntries)
}

func (texts) JSONSchemaExtend(s *jsonschema.Schema) { patterns{}.JSONSchemaExtend(s) }

// The default of markers is not given: editors would insert it without quotes,
// and [skip ci] is a list then.
func (markers) JSONSchemaExtend(s *jsonschema.Schema) {
	textOrList(s, marker("").JSONSchema(), 0, maxListEntries)
}

func (events) JSONSchemaExtend(s *jsonschema.Schema) {
	listOrAny(s)
	slices.Reverse(s.AnyOf) // an unknown event is likelier than an empty list
	s.Default = defaultEvents()
}

func (ruleList) JSONSchemaExtend(s *jsonschema.Schema) { s.MinItems = limit(1) }

// textOrList makes a list of texts that or one text. As the keywords of lists
// and of text do not meet, editors get one form and say what is wrong with it.
// maxItems 0 is no limit.
func textOrList(s, text *jsonschema.Schema, minItems, maxItems uint64) {
	text.Items, text.MinItems, text.MaxItems = s.Items, limit(minItems), limit(maxItems)
	text.Extras["type"] = append(text.Extras["type"].([]string), "array")
	*s = *text
}

// listOrAny makes a list that or one of its items. Where neither fits, editors
// speak of the first form.
func listOrAny(s *jsonschema.Schema) {
	list := *s
	list.MinItems = limit(1)
	*s = jsonschema.Schema{AnyOf: []*jsonschema.Schema{&list, list.Items}}
}

// limit is a limit; 0 is none.
func limit(n uint64) *uint64 {
	if n == 0 {
		return nil
	}
	return &n
}

// textOr is text that may be left without quotes where YAML reads it as one of
// other types. That true is text too is kept from editors, which would offer
// it everywhere.
func textOr(other ...string) *jsonschema.Schema {
	return &jsonschema.Schema{Extras: map[string]any{"type": append([]string{"string"}, other...)}}
}

func (plainText) JSONSchema() *jsonschema.Schema {
	s := textOr("number")
	s.MinLength = limit(1)
	return s
}

func entryNames() *jsonschema.Schema {
	return &jsonschema.Schema{Pattern: entryName.String(), MaxLength: limit(maxNameBytes)}
}

func (entryText) JSONSchema() *jsonschema.Schema {
	s := entryNames()
	s.Extras = textOr("number").Extras
	return s
}

func (marker) JSONSchema() *jsonschema.Schema {
	s := textOr("number")
	s.Pattern = `\S`
	return s
}

func (scalar) JSONSchema() *jsonschema.Schema { return textOr("number", "boolean", "null") }

func (values) JSONSchemaExtend(s *jsonschema.Schema) {
	s.PropertyNames = &jsonschema.Schema{Pattern: `^[^\x00-\x20\x7f]+$`}
}

func (webAddress) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^https?://|^file:|\$\{`}
}

func (addressRange) JSONSchema() *jsonschema.Schema {
	s := textOr()
	s.Pattern = `^[0-9A-Fa-f:.]+(/[0-9]+)?$`
	return s
}

func (delay) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+(h|m|s|ms))+$`}
}

func (planBranch) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Default: "auto", AnyOf: []*jsonschema.Schema{{Type: "string", Enum: []any{"auto", "none"}}, plainText("").JSONSchema()}}
}

func (count) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "integer", Minimum: "1", Maximum: json.Number(fmt.Sprint(maxCount))}
}

func (hostName) JSONSchema() *jsonschema.Schema { return oneOf[hostName]() }
func (event) JSONSchema() *jsonschema.Schema    { return oneOf[event]() }

func (uncertainty) JSONSchema() *jsonschema.Schema  { return firstOf[uncertainty]() }
func (unknownFiles) JSONSchema() *jsonschema.Schema { return firstOf[unknownFiles]() }
func (supersede) JSONSchema() *jsonschema.Schema    { return firstOf[supersede]() }
func (since) JSONSchema() *jsonschema.Schema        { return firstOf[since]() }

func oneOf[T worded]() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, word := range wordsOf[T]() {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// firstOf is for words of which the first is the default.
func firstOf[T worded]() *jsonschema.Schema {
	s := oneOf[T]()
	s.Default = s.Enum[0]
	return s
}
