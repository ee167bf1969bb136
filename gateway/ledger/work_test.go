package ledger

import (
	"fmt"
	"testing"
	"time"
)

// TestMost: no more builds of a server are claimed than may be starting, queued or
// running, whatever the others do.
func TestMost(t *testing.T) {
	l, _ := open(t)
	for i := range 6 {
		p := push(one, two)
		p.Ref = fmt.Sprint("b", i)
		receive(t, l, fmt.Sprint(i), p)
	}
	decide(t, l, build("job"))
	claim := func(most, want int) []Build {
		t.Helper()
		list, err := l.ClaimStarts(t.Context(), "ci", 10, most, time.Minute)
		if err != nil || len(list) != want {
			t.Fatalf("claimed %d, want %d: %v", len(list), want, err)
		}
		return list
	}
	first := claim(2, 2)
	claim(2, 0)
	finish := func(b *Build, state State) {
		t.Helper()
		c := Change{State: state}
		if !state.Ended() {
			c.DueAt = time.Now().Add(time.Hour)
		}
		if err := l.Finish(t.Context(), b, c); err != nil {
			t.Fatal(err)
		}
	}
	finish(&first[0], Running)
	claim(2, 0)
	finish(&first[1], Failed)
	third := claim(2, 1)
	finish(&third[0], Due) // to be tried again
	claim(3, 2)
	claim(3, 0)
	claim(0, 1)
	if b, err := l.Build(t.Context(), first[0].ID); err != nil || b.AskedAt.IsZero() || !b.AbsentAt.IsZero() {
		t.Errorf("asked %v, absent %v: %v", b.AskedAt, b.AbsentAt, err)
	}
}
