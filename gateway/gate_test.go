package gateway

import (
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/pushgate/pushgate/rules"
	"github.com/pushgate/pushgate/triggers"
)

func mustLoad(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", rules.Unresolved)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		away := &triggers.Error{Server: true, Temporary: true}
		if n := g.pass(time.Now(), 8); n != 1 {
			t.Fatalf("a server not yet known gets %d starts", n)
		}
		g.answered(nil)
		if n := g.pass(time.Now(), 8); n != 8 {
			t.Fatalf("an open gate passes %d", n)
		}
		if shut, _ := g.answered(away); !shut || g.pass(time.Now(), 8) != 0 {
			t.Fatal("a server's failure does not shut the gate")
		}
		first := g.wait(time.Now())
		for range 8 {
			g.answered(away)
		}
		if w := g.wait(time.Now()); w != first {
			t.Fatalf("starts asked for before it shut make it wait %s instead of %s", w, first)
		}
		for range 10 {
			time.Sleep(g.wait(time.Now()))
			if n := g.pass(time.Now(), 8); n != 1 {
				t.Fatalf("a probe is one start, not %d", n)
			}
			if n := g.pass(time.Now(), 8); n != 0 {
				t.Fatalf("a second probe beside the first: %d", n)
			}
			g.answered(away)
		}
		if w := g.wait(time.Now()); w < 40*time.Second || w > 80*time.Second {
			t.Errorf("after many failures it waits %s", w)
		}
		time.Sleep(g.wait(time.Now()))
		g.pass(time.Now(), 8)
		g.unused()
		if n := g.pass(time.Now(), 8); n != 1 {
			t.Errorf("a probe nobody used is lost: %d", n)
		}
		if _, opened := g.answered(&triggers.Error{Status: 404}); !opened || g.pass(time.Now(), 8) != 8 {
			t.Error("an answer about one build does not open the gate")
		}
		g.answered(&triggers.Error{Server: true, Status: 503, RetryAfter: 10 * time.Minute})
		if w := g.wait(time.Now()); w < 10*time.Minute {
			t.Errorf("Retry-After is not honoured: %s", w)
		}
		g.answered(&triggers.Error{Server: true, Status: 401}) // not the probe's, and still
		for _, late := range []*triggers.Error{nil, {Status: 404}, away} {
			g.answered(late)
		}
		time.Sleep(1000 * time.Hour)
		if !g.locked() || g.pass(time.Now(), 8) != 0 {
			t.Error("refused credentials are tried again by itself")
		}
	})
}

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for failures := 1; failures < 10; failures++ {
		d := backoff(failures)
		if d < last || d > time.Hour {
			t.Errorf("after %d failures: %s, before it %s", failures, d, last)
		}
		for range 100 {
			if j := jitter(d); j < d-d/5 || j > d+d/5 {
				t.Fatalf("jitter(%s) = %s", d, j)
			}
		}
		last = d
	}
}
