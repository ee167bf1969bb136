package rules

import "testing"

// TestPerson: a lone e-mail is the name as well.
func TestPerson(t *testing.T) {
	for text, want := range map[string]Person{
		"":                        {},
		"Ann Other":               {"Ann Other", ""},
		"Ann <ann@example.com>":   {"Ann", "ann@example.com"},
		" Ann  < a@b > ":          {"Ann", "a@b"},
		"<a@b>":                   {"", "a@b"},
		"a@b":                     {"a@b", "a@b"},
		"Ann <x> <a@b>":           {"Ann <x>", "a@b"},
		"Ann <a@b> and others":    {"Ann <a@b> and others", "Ann <a@b> and others"},
		"dependabot[bot]":         {"dependabot[bot]", ""},
		"Ann <ann at example.com": {"Ann <ann at example.com", ""},
	} {
		if got := person(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
