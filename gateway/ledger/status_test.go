package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

func claimStatuses(t testing.TB, l *Ledger) []Status {
	t.Helper()
	list, err := l.ClaimStatuses(t.Context(), "broker", 10, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// reporting decides what arrived: its builds report to the context, skips are
// skipped.
func reporting(t testing.TB, l *Ledger, context string, skips ...string) {
	t.Helper()
	waiting, err := l.Waiting(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range waiting {
		var builds []rules.Build
		if context != "" {
			builds = []rules.Build{build("job")}
			builds[0].Contexts = []string{context, context + "/second"}
		}
		decided(&waiting[i], builds...)
		for k := range waiting[i].Decided {
			waiting[i].Decided[k].Report, waiting[i].Decided[k].Skips = true, skips
		}
	}
	if _, err := l.Decide(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
}

// to brings the oldest build that has not ended to a state.
func to(t testing.TB, l *Ledger, states ...State) {
	t.Helper()
	for _, state := range states {
		list, err := l.ClaimStarts(t.Context(), "ci", 1, 0, time.Minute)
		if err == nil && len(list) == 0 {
			list, err = l.ClaimFollows(t.Context(), "ci", 1, time.Minute)
		}
		if err != nil || len(list) != 1 {
			t.Fatal(err, len(list))
		}
		c := Change{State: state, Handle: "h", URL: "https://ci.test/1"}
		if !state.Ended() {
			c.DueAt = time.Now()
		}
		if err := l.Finish(t.Context(), &list[0], c); err != nil {
			t.Fatal(err)
		}
	}
}

func told(list []Status) []string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%.3s %s %s %s", s.Hash, s.Context, s.State, s.BuildState))
	}
	return out
}

// TestStatuses: a state is told once; of several only the newest; what is skipped
// never hides a build's.
func TestStatuses(t *testing.T) {
	l, _ := open(t)
	receive(t, l, "1", push(one, two))
	reporting(t, l, "api", "docs", "api")
	first := claimStatuses(t, l)
	want := []string{"222 api pending due", "222 api/second pending due", "222 docs skipped "}
	if diff := cmp.Diff(want, told(first)); diff != "" {
		t.Fatalf("after the decision (-want +got):\n%s", diff)
	}
	to(t, l, Queued, Running)
	if more := claimStatuses(t, l); len(more) != 0 {
		t.Fatalf("claimed while the older state is being told: %q", told(more))
	}
	for i := range first {
		if err := l.FinishStatus(t.Context(), &first[i], "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	second := claimStatuses(t, l)
	if diff := cmp.Diff([]string{"222 api running running", "222 api/second running running"}, told(second)); diff != "" {
		t.Fatalf("after it ran (-want +got):\n%s", diff)
	}
	if second[0].URL != "https://ci.test/1" || second[0].Build == "" || second[0].Delivery == "" {
		t.Errorf("%+v", second[0])
	}
	to(t, l, Succeeded)
	// The older state is refused; the newer one is due all the same.
	if err := l.FinishStatus(t.Context(), &second[0], "503", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"222 api success succeeded"}, told(claimStatuses(t, l))); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
	if n, err := l.NextStatus(t.Context(), "broker"); err != nil || !n.IsZero() {
		t.Errorf("next %v, %v", n, err)
	}
	// The commit comes to another branch, where nothing is to be built.
	receive(t, l, "2", pushOf("Acme/Shop", "dev", "", two))
	reporting(t, l, "", "api")
	if more := claimStatuses(t, l); len(more) != 0 {
		t.Errorf("skipped hides a build: %q", told(more))
	}
}

// TestStatusAgain: a state that could not be told is told again, across a crash,
// until it is given up; then it says why.
func TestStatusAgain(t *testing.T) {
	path := t.TempDir() + "/l.db"
	synctest.Test(t, func(t *testing.T) {
		l := openAt(t, path)
		got := receive(t, l, "1", push(one, two))
		reporting(t, l, "", "docs")
		s := claimStatuses(t, l)
		if err := l.FinishStatus(t.Context(), &s[0], "503", time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if s := claimStatuses(t, l); len(s) != 0 {
			t.Fatal("told early")
		}
		time.Sleep(time.Minute)
		if s = claimStatuses(t, l); len(s) != 1 || s[0].Tries != 2 {
			t.Fatalf("%+v", s)
		}
		l.Close()
		l = openAt(t, path)
		defer l.Close()
		if _, err := l.Recover(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if s = claimStatuses(t, l); len(s) != 1 {
			t.Fatal("forgotten in a crash")
		}
		if err := l.FinishStatus(t.Context(), &s[0], "401", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := l.TellNow(t.Context(), "broker"); err != nil {
			t.Fatal(err)
		}
		if s = claimStatuses(t, l); len(s) != 1 {
			t.Fatal("not told at once after a reload")
		}
		if err := l.FinishStatus(t.Context(), &s[0], "not allowed", time.Time{}); err != nil {
			t.Fatal(err)
		}
		d, err := l.Delivery(t.Context(), got.ID)
		if err != nil {
			t.Fatal(err)
		}
		list, err := l.Statuses(t.Context(), &d)
		if diff := cmp.Diff([]Told{{Context: "docs", State: "skipped", Reason: "not allowed"}}, list); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// TestStatusOrder: whatever fails in between, what a host is told about a context
// never goes back to an older state, and ends with the newest.
func TestStatusOrder(t *testing.T) {
	l, _ := open(t)
	rank := map[string]int{"pending": 0, "running": 1, "success": 2}
	for round := range 50 {
		r := rand.New(rand.NewPCG(1, uint64(round)))
		hash := fmt.Sprintf("%040d", round+1)
		p := push(one, hash)
		p.Ref = fmt.Sprint("b", round)
		receive(t, l, fmt.Sprint(round), p)
		reporting(t, l, "api")
		states := []State{Queued, Running, Succeeded}
		newest := map[string]int{}
		for len(states) > 0 || r.IntN(4) > 0 {
			if len(states) > 0 && r.IntN(2) == 0 {
				to(t, l, states[0])
				states = states[1:]
				continue
			}
			for _, s := range claimStatuses(t, l) {
				if len(states) > 0 && r.IntN(3) == 0 {
					to(t, l, states[0])
					states = states[1:]
				}
				again, reason := time.Time{}, ""
				if r.IntN(3) == 0 {
					again, reason = time.Now(), "503"
				} else if rank[s.State] < newest[s.Context] {
					t.Fatalf("round %d: %s after rank %d", round, s.State, newest[s.Context])
				} else {
					newest[s.Context] = rank[s.State]
				}
				if err := l.FinishStatus(t.Context(), &s, reason, again); err != nil {
					t.Fatal(err)
				}
			}
		}
		for list := claimStatuses(t, l); len(list) > 0; list = claimStatuses(t, l) {
			for _, s := range list {
				newest[s.Context] = rank[s.State]
				if err := l.FinishStatus(t.Context(), &s, "", time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if newest["api"] != 2 || newest["api/second"] != 2 {
			t.Fatalf("round %d ends with %v", round, newest)
		}
	}
}
