package rules

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// finding is what a question notes down while an index is asked.
type finding struct {
	bucket *bucket
	names  []string        // the files, sorted
	sorted []pattern.Value // the same, each once
	lists  []uint8         // by path list of the bucket: unasked, open, dead or settled
	done   []uint8         // by finder: nothing more to find, sure lists are settled
	// By rule of the set, as bits: all conditions but paths hold; it matches.
	passing, matching []uint64
}

const (
	open    uint8 = iota + 1 // some rule with the list waits for a file
	dead                     // every rule with the list fails another condition
	settled                  // a file of the push is in the list
)

const (
	sureDone uint8 = iota + 1
	allDone
)

func set(b []uint64, i int32)      { b[i/64] |= 1 << (i % 64) }
func unset(b []uint64, i int32)    { b[i/64] &^= 1 << (i % 64) }
func has(b []uint64, i int32) bool { return b[i/64]&(1<<(i%64)) != 0 }

// zeroed gives a slice of n zeroes, in the memory of s where that suffices.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// tooLarge is the number of files whose memory is not worth keeping.
const tooLarge = 1 << 16

// question gives a question that remembers answers, in the memory of an earlier
// one; keep takes it back.
func (s *Set) question(p *Push, files Files, owed Owed) *question {
	q, _ := s.scratch.Get().(*question)
	if q == nil {
		q = &question{}
	}
	q.ask(p, files, owed)
	q.known = zeroed(q.known, s.index.lists)
	q.gates = zeroed(q.gates, s.index.gates)
	words := (len(s.rules) + 63) / 64
	q.passing, q.matching = zeroed(q.passing, words), zeroed(q.matching, words)
	return q
}

// keep lets go of the push, and keeps the memory.
func (s *Set) keep(q *question) {
	if len(q.files.Paths) > tooLarge {
		return
	}
	clear(q.names)
	clear(q.sorted)
	clear(q.paths)
	clear(q.segments)
	q.forget()
	s.scratch.Put(q)
}

// buckets hold all rules that the push could match, some of them twice; they may
// be nil.
func (s *Set) buckets(q *question) [3]*bucket {
	return [...]*bucket{s.index.repos[q.repo.Text], s.index.owners[q.repo.Segments[0]], s.index.rest}
}

// match gives the rules that match, in file order.
func (s *Set) match(d *Decision) []*rule {
	q := s.question(d.push, d.files, d.owed)
	defer s.keep(q)
	for _, b := range s.buckets(q) {
		if b != nil {
			q.askBucket(b)
		}
	}
	for name := range d.owed {
		if n, known := s.index.byName[name]; known && s.rules[n].matches(q) {
			set(q.matching, n)
		}
	}
	return s.collect(q.matching)
}

func (s *Set) collect(matching []uint64) []*rule {
	n := 0
	for _, w := range matching {
		n += bits.OnesCount64(w)
	}
	if n == 0 {
		return nil
	}
	out := make([]*rule, 0, n)
	for i, w := range matching {
		for ; w != 0; w &= w - 1 {
			out = append(out, s.rules[i*64+bits.TrailingZeros64(w)])
		}
	}
	return out
}

func (q *question) askBucket(b *bucket) {
	if len(b.rules) <= small || q.headless() {
		for _, r := range b.rules {
			if r.matches(q) {
				set(q.matching, r.n)
			}
		}
		return
	}
	for _, r := range b.free {
		if q.passes(r) {
			set(q.matching, r.n)
		}
	}
	if q.files.Completeness != Complete {
		for i := range b.lists {
			for _, r := range b.lists[i].rules {
				if !r.skipUnknown && q.passes(r) { // whatever the files are
					set(q.matching, r.n)
				}
			}
		}
	}
	if len(b.lists) == 0 || len(q.files.Paths) == 0 {
		return
	}
	q.bucket = b
	q.lists = zeroed(q.lists, len(b.lists))
	q.done = zeroed(q.done, len(b.all))
	for _, i := range b.scan {
		for k := 0; k < len(q.files.Paths) && q.waits(i); k++ {
			if ok, _ := b.lists[i].list.ask(q.path(k)); ok {
				q.settle(i)
			}
		}
	}
	if len(b.all) > 0 {
		q.sortFiles()
		q.walk(0, len(q.sorted), 0, 0)
	}
}

// waits says that a rule with the i-th path list still needs a file.
func (q *question) waits(i int32) bool {
	state := &q.lists[i]
	if *state == unasked {
		*state = dead
		for _, r := range q.bucket.lists[i].rules {
			if !has(q.matching, r.n) && q.passes(r) {
				set(q.passing, r.n)
				*state = open
			}
		}
	}
	return *state == open
}

// settle notes that a file is in the i-th path list, which waited for one.
func (q *question) settle(i int32) {
	q.lists[i] = settled
	for _, r := range q.bucket.lists[i].rules {
		if has(q.passing, r.n) {
			set(q.matching, r.n)
		}
	}
}

// sortFiles gives every file once, those of a directory next to each other.
func (q *question) sortFiles() {
	q.names = append(q.names[:0], q.files.Paths...)
	slices.Sort(q.names)
	q.sorted = q.sorted[:0]
	for i, name := range q.names {
		if i == 0 || name != q.names[i-1] {
			q.sorted = append(q.sorted, q.value(name))
		}
	}
}

// walk looks up the files [from, to) of one directory, depth segments deep;
// start is where the names in it start, in bytes.
func (q *question) walk(from, to, depth, start int) {
	b := q.bucket
	longest := 0
	if len(b.prefixed) > 0 {
		longest = b.prefixed[q.sorted[from].Text[:max(start-1, 0)]]
	}
	for i := from; i < to; {
		v := q.sorted[i]
		name := v.Segments[depth]
		next := i + 1
		if last := depth == len(v.Segments)-1; last {
			q.find(pattern.Exact, v.Text, i, next)
			q.find(pattern.Base, name, i, next)
			if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
				q.find(pattern.Ext, name[dot:], i, next)
			}
		} else {
			for next < to && len(q.sorted[next].Segments) > depth+1 && q.sorted[next].Segments[depth] == name {
				next++
			}
			q.find(pattern.Dir, v.Text[:start+len(name)], i, next)
			q.find(pattern.Name, name, i, next)
			q.walk(i, next, depth+1, start+len(name)+1)
		}
		for n := min(longest, len(name)); n > 0; n-- {
			q.find(pattern.Prefix, v.Text[:start+n], i, next)
		}
		i = next
	}
}

// find tries what is found under a key on the files [from, to), which have it.
func (q *question) find(kind pattern.Kind, key string, from, to int) {
	if m := q.bucket.at[kind]; m != nil {
		for _, i := range m[key] {
			if q.done[i] != allDone {
				q.try(i, from, to)
			}
		}
	}
}

func (q *question) try(i int32, from, to int) {
	f := &q.bucket.all[i]
	waiting := slices.ContainsFunc(f.sure, q.waits) || slices.ContainsFunc(f.unsure, q.waits)
	for ; waiting && from < to; from++ {
		if !f.below && !f.alternative.Match(q.sorted[from]) {
			continue
		}
		if q.done[i] != sureDone {
			q.done[i] = sureDone
			for _, l := range f.sure {
				if q.waits(l) {
					q.settle(l)
				}
			}
		}
		waiting = false
		for _, l := range f.unsure {
			if !q.waits(l) {
				continue
			}
			if ok, _ := q.bucket.lists[l].list.ask(q.sorted[from]); ok {
				q.settle(l)
			} else {
				waiting = true
			}
		}
	}
	if !waiting {
		q.done[i] = allDone
	}
}
