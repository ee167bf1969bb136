package hosttest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestModel holds the answers of the history to what git gives for the same.
func TestModel(t *testing.T) {
	r := newRepo("o/r", "main")
	a := r.Commit(nil, "a", "A <a@x>", Change{Path: "1"}, Change{Path: "2"}, Change{Path: "3"})
	b := r.Commit([]string{a}, "b", "A <a@x>", Change{Path: "moved", From: "1", Kind: Renamed})
	c := r.Commit([]string{b}, "c", "A <a@x>", Change{Path: "moved"}, Change{Path: "2", Kind: Removed})
	d := r.Commit([]string{a}, "d", "A <a@x>", Change{Path: "3"}, Change{Path: "4"})
	m := r.Commit([]string{c, d}, "m", "A <a@x>")
	back := r.Commit([]string{m}, "back", "A <a@x>", Change{Path: "1", From: "moved", Kind: Renamed})
	at := func(id string) *commit { return r.commit(id) }

	if got := mergeBase(at(c), at(d)); got.id != a {
		t.Error("merge base of two sides", got.message)
	}
	if got := mergeBase(at(m), at(d)); got.id != d {
		t.Error("merge base with an ancestor", got.message)
	}
	if got := mergeBase(at(d), nil); got != nil {
		t.Error("merge base with nothing", got.message)
	}
	var names []string
	for _, c := range between(at(m), at(d)) {
		names = append(names, c.message)
	}
	if diff := cmp.Diff([]string{"m", "c", "b"}, names); diff != "" {
		t.Error("commits between", diff)
	}
	for name, tt := range map[string]struct {
		from, to string
		want     []Change
	}{
		"renamed and modified": {a, c, []Change{{"2", "", Removed}, {"moved", "1", Renamed}}},
		"merged":               {d, m, []Change{{"2", "", Removed}, {"moved", "1", Renamed}}},
		"merge's first parent": {c, m, []Change{{"3", "", Modified}, {"4", "", Added}}},
		"there and back":       {b, back, []Change{{"1", "moved", Renamed}, {"2", "", Removed}, {"3", "", Modified}, {"4", "", Added}}},
		"backwards":            {b, a, []Change{{"1", "moved", Renamed}}},
		"same":                 {m, m, nil},
		"from nothing":         {"", a, []Change{{"1", "", Added}, {"2", "", Added}, {"3", "", Added}}},
	} {
		if diff := cmp.Diff(tt.want, changes(at(tt.from), at(tt.to))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	r.SetBranch("main", m)
	r.SetTag("v1", m, true)
	r.SetTag("v2", d, false)
	for rev, want := range map[string]string{
		"HEAD": m, "main": m, "refs/heads/main": m, "v1": m, r.Tag("v1"): m, "refs/tags/v2": d, a[:12]: a,
	} {
		if got := r.commit(rev); got == nil || got.id != want {
			t.Errorf("%s is %v", rev, got)
		}
	}
	r.Forget(b)
	for _, rev := range []string{"", "none", zeros, b, b[:12], a[:3]} {
		if got := r.commit(rev); got != nil {
			t.Errorf("%q is %v", rev, got)
		}
	}
	if r.Branch("main") != m || r.Branch("x") != "" || r.Tag("v1") == m || r.Tag("v2") != d {
		t.Error("refs", r.branches, r.tags)
	}
}

// TestSameIDs shows that a history has the same ids whenever it is described.
func TestSameIDs(t *testing.T) {
	make := func() string {
		r := newRepo("o/r", "main")
		a := r.Commit(nil, "a", "A <a@x>", Change{Path: "1"})
		return r.Commit([]string{a}, "a", "A <a@x>", Change{Path: "1"})
	}
	if a, b := make(), make(); a != b || len(a) != 40 {
		t.Error(a, b)
	}
}

func TestWrongHistory(t *testing.T) {
	for name, do := range map[string]func(r *Repo){
		"unknown parent":  func(r *Repo) { r.Commit([]string{"x"}, "m", "A <a@x>") },
		"unknown file":    func(r *Repo) { r.Commit(nil, "m", "A <a@x>", Change{Path: "x", Kind: Removed}) },
		"unknown commit":  func(r *Repo) { r.SetBranch("main", zeros) },
		"unknown to move": func(r *Repo) { r.Commit(nil, "m", "A <a@x>", Change{Path: "x", From: "y", Kind: Renamed}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			do(newRepo("o/r", "main"))
		})
	}
}
