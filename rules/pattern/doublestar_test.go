package pattern

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// A difference from doublestar counts as intended only if the reference reads
// the pattern as the package does, and all of it is one of these:
const (
	groupSelf  = "X/** does not match X itself"
	groupClass = "a class never matches /"
	groupInner = "** inside a segment crosses slashes"
	// doublestar gives another answer once the braces are written out, and
	// written out it is ours
	groupMeet  = "braces: stars that meet at an edge are **"
	groupTouch = "braces: ** at an edge keeps its meaning"
	groupEmpty = "braces: an empty alternative behind a star at the value's end"
)

// explain names the groups that together make up a difference; none if they do
// not.
func explain(ref reading, v string, ours, theirs bool) []string {
	if ref.match(dialect{}, v) != ours {
		return nil
	}
	var groups []string
	var written []form // what doublestar matches without braces
	for _, f := range ref.forms {
		if doublestar.MatchUnvalidated(f.String(), v) {
			written = append(written, f)
		}
	}
	if (len(written) > 0) != theirs {
		g := braceGroup(written)
		if g == "" {
			return nil
		}
		groups = append(groups, g)
	}
	for _, d := range []struct {
		dialect
		groups []string
	}{
		{dialect{}, nil},
		{dialect{self: true}, []string{groupSelf}},
		{dialect{class: true}, []string{groupClass}},
		{dialect{inner: true}, []string{groupInner}},
		{dialect{self: true, class: true}, []string{groupSelf, groupClass}},
		{dialect{self: true, inner: true}, []string{groupSelf, groupInner}},
		{dialect{class: true, inner: true}, []string{groupClass, groupInner}},
		{dialect{true, true, true}, []string{groupSelf, groupClass, groupInner}},
	} {
		if ref.match(d.dialect, v) == (len(written) > 0) {
			return append(groups, d.groups...)
		}
	}
	return nil
}

// braceGroup says why doublestar misses with braces what it matches with them
// written out, in one of the forms given.
func braceGroup(fs []form) string {
	for _, g := range []struct {
		name string
		*regexp.Regexp
	}{
		{groupMeet, regexp.MustCompile(`(^| )\*( [{}])+ \*`)},
		{groupTouch, regexp.MustCompile(`(^| )\* \* [{}]|[{}] \* \*`)},
		{groupEmpty, regexp.MustCompile(`(^| )\*( [{}])* \{ \}( [{}])*$`)},
	} {
		for _, f := range fs {
			if g.MatchString(strings.Join(f, " ")) {
				return g.name
			}
		}
	}
	return ""
}

// TestAgainstDoublestar compares with the glob library that most of the field
// uses: every difference is intended, and has a name.
func TestAgainstDoublestar(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	r := newRandom(1, false)
	want := pairs(t)
	compared, matched, refused, theirErrors := 0, 0, 0, 0
	differ := map[string]int{}
	for compared < want {
		src := r.pattern()
		p, err := Compile(src, false)
		if err != nil || !doublestar.ValidatePattern(src) {
			refused++
			continue
		}
		ref := read(src)
		for range 40 {
			v := r.value(ref.forms)
			ours := p.Match(NewValue(v))
			theirs, err := doublestar.Match(src, v)
			if err != nil {
				theirErrors++
				continue
			}
			compared++
			if ours {
				matched++
			}
			if ours == theirs {
				continue
			}
			groups := explain(ref, v, ours, theirs)
			if groups == nil {
				t.Fatalf("%q on %q: %v, doublestar says %v, and no group explains it", src, v, ours, theirs)
			}
			differ[strings.Join(groups, " + ")]++
		}
	}
	t.Logf("%d pairs, %d of them match, none unexplained, in %v; %d patterns that one of the two refuses, %d errors of doublestar's while matching",
		compared, matched, time.Since(begin).Round(time.Millisecond), refused, theirErrors)
	for _, g := range slices.Sorted(maps.Keys(differ)) {
		t.Logf("%8d  %s", differ[g], g)
	}
	if matched*3 < compared {
		t.Errorf("only %d of %d pairs match", matched, compared)
	}
}

// TestAgainstReference compares with the second reading, in the whole grammar,
// a third as often, as a pair costs more.
func TestAgainstReference(t *testing.T) {
	t.Parallel()
	r := newRandom(3, true)
	want := pairs(t) / 3
	compared, matched := 0, 0
	for compared < want {
		src := r.pattern()
		p, err := Compile(src, false)
		if err != nil {
			continue
		}
		ref := read(src)
		for range 40 {
			v := r.value(ref.forms)
			got := p.Match(NewValue(v))
			if want := ref.match(dialect{}, v); got != want {
				t.Fatalf("%q on %q: %v, the reference says %v", src, v, got, want)
			}
			compared++
			if got {
				matched++
			}
		}
	}
	t.Logf("%d pairs, %d of them match, no difference", compared, matched)
	if matched*3 < compared {
		t.Errorf("only %d of %d pairs match", matched, compared)
	}
}
