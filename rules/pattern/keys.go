package pattern

import "strings"

// A Kind says what part of a value a [Key] names.
type Kind uint8

// The kinds of keys.
const (
	// Exact: the value is Text.
	Exact Kind = iota
	// Below: the value lies below the directory Text, and that is all that is
	// asked: every such value matches.
	Below
	// Dir: the value lies below the directory Text.
	Dir
	// Prefix: the value begins with Text, which ends within a segment.
	Prefix
	// Base: the last segment is Text.
	Base
	// Name: a segment that is not the last is Text.
	Name
	// Ext: the last segment ends with Text, a "." and what follows it.
	Ext
)

// A Key is what every value that an alternative matches must have.
type Key struct {
	Kind Kind
	Text string
}

// Keys gives all keys of the alternative: an index needs to look under one of
// them only. None means that nothing is known of the values.
func (a Alternative) Keys() []Key {
	n := 0
	for n < len(a) && a[n].fixed() {
		n++
	}
	prefix := a[:n].join()
	if n == len(a) {
		return []Key{{Exact, prefix}}
	}
	if n > 0 && len(a) == n+2 && a[n].globstar && a[n+1].any() {
		return []Key{{Below, prefix}}
	}
	var keys []Key
	if n > 0 {
		keys = append(keys, Key{Dir, prefix})
	}
	if head := a[n].head; head != "" {
		if n > 0 {
			head = prefix + "/" + head
		}
		keys = append(keys, Key{Prefix, head})
	}
	last := a[len(a)-1]
	if last.fixed() {
		keys = append(keys, Key{Base, last.literal})
	} else if dot := strings.LastIndexByte(last.tail, '.'); dot >= 0 {
		keys = append(keys, Key{Ext, last.tail[dot:]})
	}
	for i := n; i < len(a)-1; i++ {
		if a[i].fixed() {
			keys = append(keys, Key{Name, a[i].literal})
		}
	}
	return keys
}

// join gives literal segments as the path they are.
func (a Alternative) join() string {
	names := make([]string, len(a))
	for i, s := range a {
		names[i] = s.literal
	}
	return strings.Join(names, "/")
}

// String identifies the alternative: two of the same text match the same.
func (a Alternative) String() string {
	texts := make([]string, len(a))
	for i, s := range a {
		texts[i] = s.text
	}
	return strings.Join(texts, "/")
}
