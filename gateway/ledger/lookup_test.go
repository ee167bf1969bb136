package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

var lacksFiles = rules.Lacks{Files: true}

func pushOf(repo, ref, before, after string) rules.Push {
	p := push(before, after)
	p.Repo, p.Ref = repo, ref
	return p
}

// decideLacking decides what arrived; pushes of the named refs lack their files.
func decideLacking(t testing.TB, l *Ledger, refs ...string) []Verdict {
	t.Helper()
	waiting, err := l.Waiting(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range waiting {
		decided(&waiting[i], build("job"))
		for k, p := range waiting[i].Pushes {
			if slices.Contains(refs, p.Ref) {
				waiting[i].Decided[k].Lacks = lacksFiles
			}
		}
	}
	out, err := l.Decide(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(out...)
}

// found decides what hosts have told about, and gives it.
func found(t testing.TB, l *Ledger) []Arrival {
	t.Helper()
	list, err := l.Found(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		decided(&list[i], build("job"))
	}
	if _, err := l.Decide(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return list
}

func claimLookups(t testing.TB, l *Ledger, limit int) []Lookup {
	t.Helper()
	list, err := l.ClaimLookups(t.Context(), "broker", limit, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLookup: a push about which its host is asked holds back later pushes of its
// ref, which are decided after it in their order, and no others.
func TestLookup(t *testing.T) {
	l, _ := open(t)
	first := receive(t, l, "1", push("a1a1a1a", "b2b2b2b"))
	receive(t, l, "2", push("b2b2b2b", "c3c3c3c"))
	receive(t, l, "3", pushOf("acme/shop", "dev", "1a1a1a1", "2b2b2b2"))
	waiting, err := l.Waiting(t.Context(), 10)
	if err != nil || len(waiting) != 3 {
		t.Fatal(err, len(waiting))
	}
	for i := range waiting {
		decided(&waiting[i], build("job"))
	}
	waiting[0].Decided[0].Lacks = lacksFiles
	verdicts, err := l.Decide(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	if v := slices.Concat(verdicts...); !v[0].Waits || !v[1].Waits || v[2].Waits || v[2].Builds != 1 {
		t.Fatalf("%+v", v)
	}
	if list := found(t, l); len(list) != 0 {
		t.Fatalf("decided before the host told: %+v", list)
	}
	d, err := l.Delivery(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if pushes, err := l.Pushes(t.Context(), &d); err != nil || len(pushes) != 1 || pushes[0].State != PushWaiting || pushes[0].Waits == "" {
		t.Errorf("shown while it waits: %+v, %v", pushes, err)
	}
	if deliveries, _, err := l.Unfinished(t.Context()); err != nil || deliveries != 2 {
		t.Errorf("%d unfinished, %v", deliveries, err)
	}

	q := claimLookups(t, l, 10)
	if len(q) != 1 || q[0].Delivery != first.ID || q[0].Lacks != lacksFiles || q[0].Push.After != "b2b2b2b" {
		t.Fatalf("claimed %+v", q)
	}
	if more := claimLookups(t, l, 10); len(more) != 0 {
		t.Errorf("claimed twice: %+v", more)
	}
	told := q[0].Push
	told.Files = rules.Files{Completeness: rules.Complete, Paths: []string{"told"}}
	if err := l.FinishLookup(t.Context(), &q[0], Found{Push: told, Ready: true}); err != nil {
		t.Fatal(err)
	}
	if err := l.FinishLookup(t.Context(), &q[0], Found{Push: told, Ready: true}); !errors.Is(err, ErrStale) {
		t.Errorf("finished twice: %v", err)
	}
	var order []string
	for range 3 {
		for _, a := range found(t, l) {
			order = append(order, a.Pushes[0].After+" "+a.Pushes[0].Files.Paths[0]+a.Reason)
		}
	}
	if diff := cmp.Diff([]string{"b2b2b2b told", "c3c3c3c f"}, order); diff != "" {
		t.Errorf("decided (-want +got):\n%s", diff)
	}
	if deliveries, _, err := l.Unfinished(t.Context()); err != nil || deliveries != 0 {
		t.Errorf("%d unfinished, %v", deliveries, err)
	}
}

// TestLookupEnds: after its time a push is decided with what is known, and a late
// answer changes nothing.
func TestLookupEnds(t *testing.T) {
	path := t.TempDir() + "/l.db"
	synctest.Test(t, func(t *testing.T) {
		l := openAt(t, path)
		defer l.Close()
		receive(t, l, "1", push("a", "b"))
		receive(t, l, "2", pushOf("acme/shop", "dev", "c", "d"))
		decideLacking(t, l, "main", "dev")
		q := claimLookups(t, l, 10)
		if len(q) != 2 {
			t.Fatalf("claimed %d", len(q))
		}
		if err := l.FinishLookup(t.Context(), &q[0], Found{Push: q[0].Push, Lacks: q[0].Lacks, DueAt: time.Now().Add(time.Hour), Reason: "503"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(LookupTime - time.Second)
		if list := found(t, l); len(list) != 0 {
			t.Errorf("decided early: %+v", list)
		}
		time.Sleep(time.Second)
		list := found(t, l)
		if len(list) != 2 || list[0].Reason != "503" || list[1].Reason != "it was not asked in time" {
			t.Errorf("decided: %+v", list)
		}
		if err := l.FinishLookup(t.Context(), &q[1], Found{Push: q[1].Push, Ready: true}); !errors.Is(err, ErrStale) {
			t.Errorf("a late answer: %v", err)
		}
	})
}

// TestLookupsTakeTurns: a repository of which much is asked delays no other.
func TestLookupsTakeTurns(t *testing.T) {
	l, _ := open(t)
	var flood []rules.Push
	var refs []string
	for i := range 50 {
		refs = append(refs, fmt.Sprint("r", i))
		flood = append(flood, pushOf("acme/flood", refs[i], "a", "b"))
	}
	receive(t, l, "1", flood...)
	receive(t, l, "2", pushOf("acme/calm", "calm", "a", "b"))
	decideLacking(t, l, append(refs, "calm")...)
	if q := claimLookups(t, l, 4); len(q) != 4 || !slices.ContainsFunc(q, func(q Lookup) bool { return q.Repo == "acme/calm" }) {
		t.Fatalf("claimed %+v", q)
	}
	receive(t, l, "3", pushOf("acme/quiet", "calm", "a", "b"))
	decideLacking(t, l, "calm")
	if q := claimLookups(t, l, 1); len(q) != 1 || q[0].Repo != "acme/quiet" {
		t.Errorf("with the flood's asked, next is %+v", q)
	}
}

// TestLookupsInACircle: of many repositories with much to be asked each is asked
// for once before any is asked for again, wherever the circle begins and though
// some have nothing due.
func TestLookupsInACircle(t *testing.T) {
	l, _ := open(t)
	var pushes []rules.Push
	for i := range 60 {
		pushes = append(pushes, pushOf(fmt.Sprintf("acme/r%02d", i%12), fmt.Sprint("b", i), "a", "b"))
	}
	receive(t, l, "1", pushes...)
	var refs []string
	for i := range pushes {
		refs = append(refs, pushes[i].Ref)
	}
	decideLacking(t, l, refs...)
	if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE lookups SET due_at = due_at + 3600000000 WHERE repo IN ('acme/r00', 'acme/r05', 'acme/r11')`); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		seen := map[string]bool{}
		for len(seen) < 9 {
			free := min(1+(round+len(seen))%4, 9-len(seen))
			q := claimLookups(t, l, free)
			if len(q) != free {
				t.Fatalf("round %d: %d of %d claimed", round, len(q), free)
			}
			for i := range q {
				if seen[q[i].Repo] {
					t.Fatalf("round %d: %s again, after %d of 9", round, q[i].Repo, len(seen))
				}
				seen[q[i].Repo] = true
				if err := l.FinishLookup(t.Context(), &q[i], Found{Push: q[i].Push, Ready: true}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if q := claimLookups(t, l, 4); len(q) != 0 {
		t.Errorf("claimed before they are due: %+v", q)
	}
}

// TestLateAnswer: the answer about a push that was decided without it changes no
// other, though that one is the newest lookup now, as its own was.
func TestLateAnswer(t *testing.T) {
	path := t.TempDir() + "/l.db"
	synctest.Test(t, func(t *testing.T) {
		l := openAt(t, path)
		defer l.Close()
		receive(t, l, "1", push(one, two))
		decideLacking(t, l, "main")
		late := claimLookups(t, l, 1)
		time.Sleep(LookupTime)
		if list := found(t, l); len(list) != 1 {
			t.Fatal("not decided in time")
		}
		receive(t, l, "2", pushOf("acme/other", "dev", two, three))
		decideLacking(t, l, "dev")
		if q := claimLookups(t, l, 1); len(q) != 1 {
			t.Fatal("nothing to claim")
		}
		if err := l.FinishLookup(t.Context(), &late[0], Found{Push: late[0].Push, Ready: true}); !errors.Is(err, ErrStale) {
			t.Errorf("a late answer: %v", err)
		}
		time.Sleep(LookupTime)
		if list := found(t, l); len(list) != 1 || list[0].Pushes[0].Repo != "acme/other" {
			t.Errorf("decided %+v", list)
		}
	})
}

// TestFoundAtOnce: what waits behind one push of a ref is decided with it, in
// order, but never more at once than fits the memory set aside.
func TestFoundAtOnce(t *testing.T) {
	l, _ := open(t)
	long := make([]string, 1<<9)
	for i := range long {
		long[i] = fmt.Sprintf("%08192d", i)
	}
	for i := range 6 {
		p := push(fmt.Sprintf("%040d", i), fmt.Sprintf("%040d", i+1))
		p.Files.Paths = long // 4 MB
		receive(t, l, fmt.Sprint(i), p)
		if i == 0 {
			decideLacking(t, l, "main")
		}
	}
	for decideLacking(t, l) != nil {
	}
	if list := found(t, l); len(list) != 0 {
		t.Fatalf("%d decided before the first", len(list))
	}
	q := claimLookups(t, l, 4)
	if len(q) != 1 {
		t.Fatalf("claimed %d", len(q))
	}
	if err := l.FinishLookup(t.Context(), &q[0], Found{Push: q[0].Push, Ready: true}); err != nil {
		t.Fatal(err)
	}
	var order, sizes []int
	for list := found(t, l); len(list) > 0; list = found(t, l) {
		sizes = append(sizes, len(list))
		for _, a := range list {
			var n int
			fmt.Sscan(a.Pushes[0].After, &n)
			order = append(order, n)
		}
	}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 2}, sizes); diff != "" {
		t.Errorf("at once (-want +got):\n%s", diff)
	}
}

// TestEndLookups: what waits for a host that is left alone is decided, but for what
// it is being asked.
func TestEndLookups(t *testing.T) {
	l, _ := open(t)
	receive(t, l, "1", push(one, two), pushOf("acme/shop", "dev", one, two))
	decideLacking(t, l, "main", "dev")
	q := claimLookups(t, l, 1)
	if err := l.EndLookups(t.Context(), "broker", "limited"); err != nil {
		t.Fatal(err)
	}
	if list := found(t, l); len(list) != 1 || list[0].Reason != "limited" || list[0].Pushes[0].Ref == q[0].Push.Ref {
		t.Fatalf("%+v", list)
	}
	if err := l.FinishLookup(t.Context(), &q[0], Found{Push: q[0].Push, Ready: true}); err != nil {
		t.Fatal(err)
	}
	if list := found(t, l); len(list) != 1 || list[0].Reason != "" {
		t.Errorf("%+v", list)
	}
}

// TestRecoverLookups: what was asked when the process died is asked again.
func TestRecoverLookups(t *testing.T) {
	l, path := open(t)
	receive(t, l, "1", push("a", "b"))
	decideLacking(t, l, "main")
	if q := claimLookups(t, l, 1); len(q) != 1 {
		t.Fatal("nothing to claim")
	}
	l.Close()
	l = openAt(t, path)
	if _, err := l.Recover(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if q := claimLookups(t, l, 1); len(q) != 1 || q[0].Tries != 2 {
		t.Errorf("claimed %+v", q)
	}
}
