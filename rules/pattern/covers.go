package pattern

import (
	"slices"
)

// Covers says that p matches whatever other matches. It may miss that it does,
// and never claims it wrongly.
func (p *Pattern) Covers(other *Pattern) bool {
	return !slices.ContainsFunc(other.alternatives, func(o Alternative) bool {
		return !slices.ContainsFunc(p.alternatives, func(a Alternative) bool { return a.covers(o) })
	})
}

// covers walks as Match does, over the segments of another alternative: a
// globstar of a takes any of them, every other segment one it covers.
func (a Alternative) covers(o Alternative) bool {
	i, j := 0, 0
	star, mark := -1, 0
	for j < len(o) {
		switch {
		case i < len(a) && a[i].globstar:
			star, mark = i, j
			i++
		case i < len(a) && a[i].covers(o[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(a) && a[i].globstar {
		i++
	}
	return i == len(a)
}

func (s segment) covers(o segment) bool {
	switch {
	case o.globstar || s.globstar:
		return false
	case o.fixed():
		return s.match(o.literal)
	}
	return s.any() || s.text == o.text
}

// Literal gives the one value that the pattern matches, where it is but one.
func (p *Pattern) Literal() (string, bool) {
	if len(p.alternatives) != 1 {
		return "", false
	}
	key := p.alternatives[0].Keys()
	if len(key) != 1 || key[0].Kind != Exact {
		return "", false
	}
	return key[0].Text, true
}
