package ledger

import (
	"slices"
	"testing"

	"github.com/pushgate/pushgate/rules"
)

// TestGapAsked: files of a push that follows a lost webhook are asked for from the
// known head on, whether it was asked about before or not, and what comes after it
// keeps its place.
func TestGapAsked(t *testing.T) {
	for _, lacking := range []bool{false, true} {
		l, _ := open(t)
		receive(t, l, "1", push("", one))
		decide(t, l)
		receive(t, l, "2", push(two, three))
		receive(t, l, "3", push(three, one[:39]+"a"))
		list, err := l.Waiting(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			decided(&list[i])
			list[i].Decided[0].OnGap = lacksFiles
		}
		if lacking {
			list[0].Decided[0].Lacks = rules.Lacks{Head: true}
		}
		verdicts, err := l.Decide(t.Context(), list)
		if v := slices.Concat(verdicts...); err != nil || !v[0].Waits || !v[1].Waits {
			t.Fatalf("%+v, %v", v, err)
		}
		finish := func(want Lookup) {
			t.Helper()
			q := claimLookups(t, l, 10)
			if len(q) != 1 || q[0].Since != want.Since || q[0].Lacks != want.Lacks {
				t.Fatalf("claimed %+v", q)
			}
			if err := l.FinishLookup(t.Context(), &q[0], Found{Push: q[0].Push, Ready: true}); err != nil {
				t.Fatal(err)
			}
			if list, err = l.Found(t.Context(), 10); err != nil || len(list) != 2 {
				t.Fatalf("found %+v, %v", list, err)
			}
			for i := range list {
				decided(&list[i])
				list[i].Decided[0].OnGap = lacksFiles
			}
			if verdicts, err = l.Decide(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		}
		if lacking {
			finish(Lookup{Lacks: rules.Lacks{Head: true}})
			if len(verdicts[0]) != 1 || !verdicts[0][0].Waits || verdicts[1] != nil {
				t.Fatalf("%+v", verdicts)
			}
			if list := found(t, l); len(list) != 0 {
				t.Fatalf("overtaken by %+v", list)
			}
		}
		finish(Lookup{Since: one, Lacks: lacksFiles})
		if v := slices.Concat(verdicts...); len(v) != 2 || v[0].Waits || !v[0].Gap || v[1].Waits || v[1].Gap {
			t.Fatalf("%+v", v)
		}
	}
}
