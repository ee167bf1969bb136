package api

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// cut gives the text, or what of it fits with a mark at its end. Characters are
// counted as Java and JavaScript do, so that no host counts more.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	used, room := 0, 0 // room is where the text ends if the mark has to follow
	for i, r := range text {
		if used < limit {
			room = i
		}
		if used += utf16.RuneLen(r); used > limit {
			return text[:room] + "…"
		}
	}
	return text
}

// contextOf gives a status's context as one that a host stores: itself where it
// fits, else its beginning and part of its SHA-256, so that one context stays one
// and two stay two.
func contextOf(context string, limit int) string {
	const digits = 16
	if utf8.ValidString(context) && cut(context, limit) == context {
		return context
	}
	return cut(context, limit-digits) + keyOf(context, digits)
}

// keyOf gives a status's context as a key of a bounded length: itself where it
// fits, else the beginning of its SHA-256 in hex digits. So one context has one
// key, whenever it is asked for.
func keyOf(context string, limit int) string {
	if utf8.ValidString(context) && cut(context, limit) == context {
		return context
	}
	sum := sha256.Sum256([]byte(context))
	digits := hex.EncodeToString(sum[:])
	return digits[:min(limit, len(digits))]
}
