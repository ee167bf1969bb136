package ledger

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/rules"
)

// unnamed receives a body that names no branch and gives the look it asks for.
func unnamed(t testing.TB, l *Ledger) (string, *Lookup) {
	t.Helper()
	r, err := l.Receive(t.Context(), Delivery{Source: "broker", Repo: "Acme/Shop", ReceivedAt: time.Now(), Note: "names none", Look: true}, []byte("{}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	decide(t, l)
	q := claimLookups(t, l, 10)
	if len(q) != 1 || q[0].Look != LookMoved || q[0].Delivery != r.ID || q[0].Push.Repo != "Acme/Shop" {
		t.Fatalf("claimed %+v", q)
	}
	return r.ID, &q[0]
}

func look(t testing.TB, l *Ledger, q *Lookup, heads map[string]string) []string {
	t.Helper()
	moved, again, err := l.FinishLook(t.Context(), q, heads, func(p *rules.Push) rules.Lacks {
		return rules.Lacks{Files: p.Event != rules.Deleted}
	})
	if err != nil || again {
		t.Fatal(err, again)
	}
	return moved
}

func note(t testing.TB, l *Ledger, id string) string {
	t.Helper()
	d, err := l.Delivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d.Note
}

const (
	one   = "1111111111111111111111111111111111111111"
	two   = "2222222222222222222222222222222222222222"
	three = "3333333333333333333333333333333333333333"
)

// TestLook: the first look records heads and starts nothing; later ones tell which
// branches moved, came and went, and each of these is a push of the delivery.
func TestLook(t *testing.T) {
	l, _ := open(t)
	id, q := unnamed(t, l)
	if moved := look(t, l, q, map[string]string{"main": one, "old": one, "still": one}); len(moved) != 0 {
		t.Fatalf("the first look moved %q", moved)
	}
	if list := found(t, l); len(list) != 0 || !strings.Contains(note(t, l, id), "records the branches") {
		t.Errorf("after the first look: %+v, note %q", list, note(t, l, id))
	}

	id, q = unnamed(t, l)
	if diff := cmp.Diff([]string{"main", "new", "old"}, look(t, l, q, map[string]string{"main": two, "new": three, "still": one})); diff != "" {
		t.Fatalf("moved (-want +got):\n%s", diff)
	}
	if n := note(t, l, id); !strings.Contains(n, "moved: main, new, old") {
		t.Errorf("note %q", n)
	}
	for _, q := range claimLookups(t, l, 10) {
		if err := l.FinishLookup(t.Context(), &q, Found{Push: q.Push, Ready: true}); err != nil {
			t.Fatal(err)
		}
	}
	type move struct{ Ref, Event, Before, After string }
	var got []move
	for _, a := range found(t, l) {
		p := a.Pushes[0]
		got = append(got, move{p.Ref, string(p.Event), p.Before, p.After})
		if !p.Asked || p.Repo != "Acme/Shop" || a.ID != id {
			t.Errorf("%+v of %s", p, a.ID)
		}
	}
	want := []move{{"main", "push", one, two}, {"new", "create", "", three}, {"old", "delete", one, ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	if builds := allBuilds(t, l); builds != 3 {
		t.Errorf("%d builds", builds)
	}

	id, q = unnamed(t, l)
	if moved := look(t, l, q, map[string]string{"main": two, "new": three, "still": one}); len(moved) != 0 || !strings.Contains(note(t, l, id), "no branch has moved") {
		t.Errorf("nothing moved: %q, %q", moved, note(t, l, id))
	}
}

func allBuilds(t testing.TB, l *Ledger) (n int) {
	t.Helper()
	if err := l.read.QueryRowContext(t.Context(), `SELECT count(*) FROM builds`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLookAndPush: a move that is both found by asking and told by a push starts
// its build once, whichever is decided first.
func TestLookAndPush(t *testing.T) {
	for _, pushFirst := range []bool{true, false} {
		l, _ := open(t)
		_, q := unnamed(t, l)
		look(t, l, q, map[string]string{"main": one})
		_, q = unnamed(t, l)
		told := push(one[:12], two)
		if pushFirst {
			look(t, l, q, map[string]string{"main": two})
			asked := claimLookups(t, l, 10)
			if err := l.FinishLookup(t.Context(), &asked[0], Found{Push: asked[0].Push, Ready: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE lookups SET n = n + 100`); err != nil {
				t.Fatal(err)
			}
			list, err := l.Found(t.Context(), 10)
			if err != nil || len(list) != 1 {
				t.Fatal(err, len(list))
			}
			receive(t, l, "k", told)
			decideBefore(t, l)
			decided(&list[0], build("job"))
			if _, err := l.Decide(t.Context(), list); err != nil {
				t.Fatal(err)
			}
		} else {
			look(t, l, q, map[string]string{"main": two})
			receive(t, l, "k", told)
			if v := decide(t, l, build("job")); !v[0].Waits {
				t.Errorf("the push does not wait: %+v", v)
			}
			asked := claimLookups(t, l, 10)
			if err := l.FinishLookup(t.Context(), &asked[0], Found{Push: asked[0].Push, Ready: true}); err != nil {
				t.Fatal(err)
			}
			found(t, l)
			found(t, l)
		}
		if n := allBuilds(t, l); n != 1 {
			t.Errorf("push first %v: %d builds", pushFirst, n)
		}
	}
}

// decideBefore decides what arrived as if no lookup of its ref were older.
func decideBefore(t testing.TB, l *Ledger) {
	t.Helper()
	if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE lookups SET name = name || '~'`); err != nil {
		t.Fatal(err)
	}
	decide(t, l, build("job"))
}

// TestLearn: the heads of a repository are asked for once besides its pushes, and
// what this finds moves nothing: pushes on their way say it themselves.
func TestLearn(t *testing.T) {
	l, _ := open(t)
	for i := range 3 {
		receive(t, l, string(rune('a'+i)), push([]string{one, two, three}[i][:12], []string{two, three, one}[i]))
		waiting, err := l.Waiting(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		waiting[0].Learn = true
		decided(&waiting[0])
		if _, err := l.Decide(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		q := claimLookups(t, l, 10)
		if (i == 0) != (len(q) == 1) {
			t.Fatalf("push %d: %d looks", i, len(q))
		}
		if i == 0 {
			if moved := look(t, l, &q[0], map[string]string{"main": three, "dev": one}); len(moved) != 0 {
				t.Errorf("moved %q", moved)
			}
		}
	}
	if gaps := gaps(t, l); gaps != 0 {
		t.Errorf("%d gaps", gaps)
	}
	_, q := unnamed(t, l)
	if diff := cmp.Diff([]string{"dev"}, look(t, l, q, map[string]string{"main": one, "dev": two})); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
}

func gaps(t testing.TB, l *Ledger) (n int) {
	t.Helper()
	if err := l.read.QueryRowContext(t.Context(), `SELECT count(*) FROM pushes WHERE gap`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOldLook: an answer older than what pushes have told meanwhile moves nothing
// back: the host is asked again.
func TestOldLook(t *testing.T) {
	path := t.TempDir() + "/l.db"
	synctest.Test(t, func(t *testing.T) {
		l := openAt(t, path)
		defer l.Close()
		_, q := unnamed(t, l)
		look(t, l, q, map[string]string{"main": one})
		time.Sleep(time.Minute)
		id, q := unnamed(t, l)
		receive(t, l, "k", push(one, two), pushOf("Acme/Shop", "new", "", two))
		decide(t, l, build("job"))
		for _, old := range []map[string]string{{"main": one, "new": two, "dev": three}, {"main": two, "dev": three}} {
			if moved, again, err := l.FinishLook(t.Context(), q, old, nil); err != nil || !again || len(moved) != 0 {
				t.Fatalf("an old answer: moved %q, again %v, %v", moved, again, err)
			}
			if q := claimLookups(t, l, 1); len(q) != 0 {
				t.Fatal("asked again at once")
			}
			time.Sleep(lookLag)
			list := claimLookups(t, l, 1)
			if len(list) != 1 {
				t.Fatal("not asked again")
			}
			q = &list[0]
			receive(t, l, "k"+q.Delivery+old["main"], pushOf("Acme/Shop", "new", two, three), pushOf("Acme/Shop", "new", three, two))
			decide(t, l)
		}
		if diff := cmp.Diff([]string{"dev"}, look(t, l, q, map[string]string{"main": two, "new": two, "dev": three})); diff != "" || !strings.Contains(note(t, l, id), "moved: dev") {
			t.Errorf("note %q (-want +got):\n%s", note(t, l, id), diff)
		}
		dev := claimLookups(t, l, 1)
		if err := l.FinishLookup(t.Context(), &dev[0], Found{Push: dev[0].Push, Ready: true}); err != nil {
			t.Fatal(err)
		}
		found(t, l)
		if n := allBuilds(t, l); n != 3 {
			t.Errorf("%d builds", n)
		}
		// A host that goes on contradicting is believed in the end: the branch may
		// have been moved back.
		_, q = unnamed(t, l)
		for tries := 1; ; tries++ {
			receive(t, l, fmt.Sprint("more", tries), pushOf("Acme/Shop", "new", two, three), pushOf("Acme/Shop", "new", three, two))
			decide(t, l)
			moved, again, err := l.FinishLook(t.Context(), q, map[string]string{"main": two, "new": one, "dev": three}, func(*rules.Push) rules.Lacks { return rules.Lacks{} })
			if err != nil {
				t.Fatal(err)
			}
			if !again {
				if diff := cmp.Diff([]string{"new"}, moved); diff != "" || tries != lookTries {
					t.Errorf("after %d tries moved %q", tries, moved)
				}
				break
			}
			time.Sleep(lookLag)
			q = &claimLookups(t, l, 1)[0]
		}
	})
}

// TestFirstLookForgets: branches that were gone when a repository was first looked
// at start nothing, and are new when they come again, even where they were.
func TestFirstLookForgets(t *testing.T) {
	l, _ := open(t)
	receive(t, l, "1", pushOf("Acme/Shop", "gone", "", one), push("", one))
	decide(t, l)
	if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE pushes SET decided_at = decided_at - 60000000`); err != nil {
		t.Fatal(err)
	}
	_, q := unnamed(t, l)
	if moved := look(t, l, q, map[string]string{"main": one}); len(moved) != 0 {
		t.Fatalf("the first look moved %q", moved)
	}
	_, q = unnamed(t, l)
	if moved := look(t, l, q, map[string]string{"main": one}); len(moved) != 0 {
		t.Fatalf("the second look moved %q", moved)
	}
	_, q = unnamed(t, l)
	if diff := cmp.Diff([]string{"gone"}, look(t, l, q, map[string]string{"main": one, "gone": one})); diff != "" {
		t.Fatalf("moved (-want +got):\n%s", diff)
	}
	for _, q := range claimLookups(t, l, 10) {
		if err := l.FinishLookup(t.Context(), &q, Found{Push: q.Push, Ready: true}); err != nil {
			t.Fatal(err)
		}
	}
	if list := found(t, l); len(list) != 1 || list[0].Pushes[0].Event != rules.Created || allBuilds(t, l) != 1 {
		t.Errorf("%+v, %d builds", list, allBuilds(t, l))
	}
}

// TestLookEnds: a look that cannot be had is given up after its time, or when it
// is refused, and the delivery says so.
func TestLookEnds(t *testing.T) {
	path := t.TempDir() + "/l.db"
	synctest.Test(t, func(t *testing.T) {
		l := openAt(t, path)
		defer l.Close()
		id, q := unnamed(t, l)
		if err := l.LookAgain(t.Context(), q, time.Now().Add(time.Hour), "503"); err != nil {
			t.Fatal(err)
		}
		if d, err := l.Delivery(t.Context(), id); err != nil || d.Asks != "which branches moved; so far: 503" {
			t.Errorf("while it is asked: %q, %v", d.Asks, err)
		}
		if q := claimLookups(t, l, 1); len(q) != 0 {
			t.Errorf("claimed before its time: %+v", q)
		}
		time.Sleep(time.Hour)
		again := claimLookups(t, l, 1)
		if len(again) != 1 {
			t.Fatal("not asked again")
		}
		if err := l.LookAgain(t.Context(), &again[0], time.Time{}, "no such repository"); err != nil {
			t.Fatal(err)
		}
		if n := note(t, l, id); !strings.Contains(n, "could not be asked: no such repository") {
			t.Errorf("note %q", n)
		}
		id, q = unnamed(t, l)
		if err := l.LookAgain(t.Context(), q, time.Now(), "503"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(LookTime + time.Second)
		if _, err := l.Recover(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if n, left := note(t, l, id), claimLookups(t, l, 1); len(left) != 0 || !strings.Contains(n, "was not asked") {
			t.Errorf("note %q, left %d", n, len(left))
		}
	})
}
