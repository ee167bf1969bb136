package rules

import (
	"strings"

	"github.com/pushgate/pushgate/rules/pattern"
)

// An index finds the rules that a push could match without asking the others:
// by repository first, then, where a repository has many rules, by what their
// path patterns can be found by. What it finds is asked by the same conditions
// as everywhere; TestIndex holds it to the plain walk over all rules.
type index struct {
	repos  map[string]*bucket // owner/name in lower case
	owners map[string]*bucket // first segment, of rules whose repos is a pattern
	rest   *bucket            // rules that any repository may match
	byName map[string]int32
	lists  int // how many ids of lists there are
	gates  int // and of gates
	room   int // for rules in buckets, see place
	traits traits
}

// small is the number of rules up to which asking them one by one is quicker.
const small = 16

// A bucket holds the rules of one key, in file order.
type bucket struct {
	rules  []*rule
	traits traits // of all of them
	// Only where there are more than small of them:
	free  []*rule    // without paths
	lists []pathList // of the others, each once
	scan  []int32    // lists that can be found by nothing
	finders
}

// A pathList is one list of path patterns and the rules that have it.
type pathList struct {
	list  *list
	rules []*rule
}

// finders are the path alternatives of a bucket under the keys they are found
// by.
type finders struct {
	all      []finder
	at       [pattern.Ext + 1]map[string][]int32
	prefixed map[string]int // directory: length of the longest Prefix key in it
}

// A finder is one alternative, and the lists that hold it: sure ones are
// settled by a match, in others a later "!" may take the file away.
type finder struct {
	alternative  pattern.Alternative
	below        bool // all files under its key match
	sure, unsure []int32
}

// newIndex indexes the rules; room bounds how large the index grows.
func newIndex(all []*rule, lists, room int) index {
	x := index{
		repos: map[string]*bucket{}, owners: map[string]*bucket{}, rest: &bucket{},
		byName: make(map[string]int32, len(all)), lists: lists, room: room,
	}
	gates := map[gateKey]int32{}
	for _, r := range all {
		x.byName[r.name] = r.n
		r.traits = r.findTraits()
		x.traits |= r.traits
		x.place(r)
		key := r.gateKey()
		gate, seen := gates[key]
		if !seen {
			gate = int32(len(gates))
			gates[key] = gate
		}
		r.gate = gate
	}
	x.gates = len(gates)
	for _, m := range []map[string]*bucket{x.repos, x.owners, {"": x.rest}} {
		for _, b := range m {
			b.build()
		}
	}
	return x
}

// A gateKey tells conditions other than paths apart.
type gateKey struct {
	lists  [8]int32
	events string
}

func (r *rule) gateKey() gateKey {
	var key gateKey
	for i, l := range []*list{r.repos, r.sources, r.skip, r.branches, r.tags, r.authors, r.pushers, r.messages} {
		if l != nil {
			key.lists[i] = l.id + 1
		}
	}
	for _, e := range r.events {
		key.events += string(e) + " "
	}
	return key
}

// place puts a rule into the buckets of its repositories. Each bucket has its
// own finders: where many patterns of many repositories would make too many of
// them, the rule is among those that any repository may match.
func (x *index) place(r *rule) {
	if r.repos == nil || r.repos.negative {
		x.rest.add(r)
		return
	}
	var exact, owners []string
	for i := range r.repos.entries {
		e := &r.repos.entries[i]
		if e.negate {
			continue
		}
		for _, a := range e.glob.Alternatives() {
			key := pattern.Key{Kind: pattern.Name}
			if keys := a.Keys(); len(keys) > 0 {
				key = keys[0]
			}
			owner, _, deeper := strings.Cut(key.Text, "/")
			switch {
			case key.Kind == pattern.Exact:
				exact = append(exact, key.Text)
			case key.Kind == pattern.Below || key.Kind == pattern.Dir, key.Kind == pattern.Prefix && deeper:
				owners = append(owners, owner)
			default:
				x.rest.add(r)
				return
			}
		}
	}
	size := 1
	if r.paths != nil {
		for i := range r.paths.entries {
			cost, _ := r.paths.entries[i].size()
			size += cost
		}
	}
	if x.room -= size * (len(exact) + len(owners)); x.room < 0 {
		x.rest.add(r)
		return
	}
	add := func(m map[string]*bucket, keys []string) {
		for _, key := range keys {
			b := m[key]
			if b == nil {
				b = &bucket{}
				m[key] = b
			}
			if n := len(b.rules); n == 0 || b.rules[n-1] != r {
				b.add(r)
			}
		}
	}
	add(x.repos, exact)
	add(x.owners, owners)
}

func (b *bucket) add(r *rule) {
	b.rules = append(b.rules, r)
	b.traits |= r.traits
}

// build sorts the rules of a large bucket by what they can be found by.
func (b *bucket) build() {
	if len(b.rules) <= small {
		return
	}
	byText := map[int32]int32{}
	for _, r := range b.rules {
		if r.paths == nil {
			b.free = append(b.free, r)
			continue
		}
		at, seen := byText[r.paths.id]
		if !seen {
			at = int32(len(b.lists))
			byText[r.paths.id] = at
			b.lists = append(b.lists, pathList{list: r.paths})
		}
		b.lists[at].rules = append(b.lists[at].rules, r)
	}
	keys := make([][]pattern.Key, 0, len(b.lists)) // by finder
	byAlternative := map[string]int32{}
	byEntry := map[int32][]int32{}
	for i := range b.lists {
		l := b.lists[i].list
		if l.negative || !findable(l) {
			b.scan = append(b.scan, int32(i))
			continue
		}
		for k := range l.entries {
			e := &l.entries[k]
			if e.negate {
				continue
			}
			found, seen := byEntry[e.id]
			if !seen {
				for _, a := range e.glob.Alternatives() {
					text := a.String()
					at, seen := byAlternative[text]
					if !seen {
						at = int32(len(b.all))
						byAlternative[text] = at
						keys = append(keys, a.Keys())
						b.all = append(b.all, finder{alternative: a, below: keys[at][0].Kind == pattern.Below})
					}
					found = append(found, at)
				}
				byEntry[e.id] = found
			}
			for _, at := range found {
				f := &b.all[at]
				if e.final {
					f.sure = append(f.sure, int32(i))
				} else {
					f.unsure = append(f.unsure, int32(i))
				}
			}
		}
	}
	b.file(keys)
}

// findable says that all positive alternatives of a list have keys.
func findable(l *list) bool {
	for i := range l.entries {
		if e := &l.entries[i]; !e.negate {
			for _, a := range e.glob.Alternatives() {
				if len(a.Keys()) == 0 {
					return false
				}
			}
		}
	}
	return true
}

// file puts each finder under the key that the fewest share.
func (f *finders) file(keys [][]pattern.Key) {
	popular := map[pattern.Key]int{}
	for _, ks := range keys {
		for _, k := range ks {
			popular[k]++
		}
	}
	f.prefixed = map[string]int{}
	for i, ks := range keys {
		best := ks[0]
		for _, k := range ks[1:] {
			if popular[k] < popular[best] {
				best = k
			}
		}
		kind := best.Kind
		if kind == pattern.Below {
			kind = pattern.Dir // found the same way
		}
		if f.at[kind] == nil {
			f.at[kind] = map[string][]int32{}
		}
		f.at[kind][best.Text] = append(f.at[kind][best.Text], int32(i))
		if kind == pattern.Prefix {
			dir, name := cutLast(best.Text)
			f.prefixed[dir] = max(f.prefixed[dir], len(name))
		}
	}
}

// cutLast gives what stands before the last "/", or nothing, and the rest.
func cutLast(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}
