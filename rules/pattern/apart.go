package pattern

import "strings"

// Apart says that no value matches both patterns. It may miss that none does,
// and never claims it wrongly.
func (p *Pattern) Apart(other *Pattern) bool {
	for _, a := range p.alternatives {
		for _, b := range other.alternatives {
			if !a.apart(b) {
				return false
			}
		}
	}
	return true
}

// apart looks at what the two must have in common: the number of segments, the
// segments before the first globstar, and those behind the last.
func (a Alternative) apart(b Alternative) bool {
	if a.bounded() && b.least() > len(a) || b.bounded() && a.least() > len(b) {
		return true
	}
	n := min(len(a), len(b))
	for i := 0; i < n && !a[i].globstar && !b[i].globstar; i++ {
		if a[i].apart(b[i]) {
			return true
		}
	}
	for i := 1; i <= n && !a[len(a)-i].globstar && !b[len(b)-i].globstar; i++ {
		if a[len(a)-i].apart(b[len(b)-i]) {
			return true
		}
	}
	return false
}

// Depth is how many segments a value that matches has at most: no more than
// MaxPathLevels.
func (p *Pattern) Depth() int {
	depth := 0
	for _, a := range p.alternatives {
		if !a.bounded() {
			return MaxPathLevels
		}
		depth = max(depth, len(a))
	}
	return depth
}

// least is how many segments a value has at least.
func (a Alternative) least() int {
	n := 0
	for _, s := range a {
		if !s.globstar {
			n++
		}
	}
	return n
}

// bounded says that all values have as many segments as a.
func (a Alternative) bounded() bool { return a.least() == len(a) }

func (s segment) apart(o segment) bool {
	switch {
	case s.fixed():
		return !o.match(s.literal)
	case o.fixed():
		return !s.match(o.literal)
	}
	heads := strings.HasPrefix(s.head, o.head) || strings.HasPrefix(o.head, s.head)
	tails := strings.HasSuffix(s.tail, o.tail) || strings.HasSuffix(o.tail, s.tail)
	return !heads || !tails
}
