package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/pushgate/pushgate/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	return openAt(t, path), path
}

func openAt(t testing.TB, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Options{Database: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func push(before, after string) rules.Push {
	return rules.Push{Source: "broker", Repo: "Acme/Shop", Kind: rules.Branch, Ref: "main", Event: rules.Pushed,
		Before: before, After: after, Files: rules.Files{Completeness: rules.Complete, Paths: []string{"f"}}}
}

// receive takes a delivery of its own for each push.
func receive(t testing.TB, l *Ledger, key string, pushes ...rules.Push) Received {
	t.Helper()
	r, err := l.Receive(t.Context(), Delivery{Source: "broker", Key: key, Repo: "Acme/Shop", ReceivedAt: time.Now(), Headers: map[string]string{"a": "b"}}, []byte("body "+key), pushes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func build(target string) rules.Build {
	return rules.Build{Rules: []string{"r"}, Server: "ci", Job: target, Parameters: map[string]string{"A": "x\n{{y}}"}}
}

// decided fills in that each push of an arrival calls for the builds.
func decided(a *Arrival, builds ...rules.Build) {
	for range a.Pushes {
		a.Decided = append(a.Decided, Decided{Rules: "hash", Matched: []string{"r"}, Builds: builds})
	}
}

// decide decides every waiting push to call for the builds.
func decide(t testing.TB, l *Ledger, builds ...rules.Build) []Verdict {
	t.Helper()
	waiting, err := l.Waiting(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range waiting {
		decided(&waiting[i], builds...)
	}
	out, err := l.Decide(t.Context(), waiting)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(out...)
}

func TestReceive(t *testing.T) {
	l, path := open(t)
	first := receive(t, l, "k1", push("a", "b"), push("c", "d"))
	again := receive(t, l, "k1", push("a", "b"), push("c", "d"))
	if !again.Duplicate || again.ID != first.ID || again.Pushes != 2 || first.Duplicate {
		t.Errorf("first %+v, again %+v", first, again)
	}
	none1, none2 := receive(t, l, ""), receive(t, l, "")
	if none1.Duplicate || none2.Duplicate || none1.ID == none2.ID {
		t.Errorf("without a key: %+v %+v", none1, none2)
	}
	other, err := l.Receive(t.Context(), Delivery{Source: "other", Key: "k1", ReceivedAt: time.Now()}, []byte("x"), nil)
	if err != nil || other.Duplicate {
		t.Errorf("the key of another source: %+v %v", other, err)
	}
	l.Close()

	l = openAt(t, path)
	d, err := l.Delivery(t.Context(), first.ID)
	if err != nil || d.Repeats != 1 || d.Pushes != 2 || d.Headers["a"] != "b" || d.Size != 7 {
		t.Errorf("%+v %v", d, err)
	}
	body, err := l.Body(t.Context(), first.ID)
	if err != nil || string(body) != "body k1" {
		t.Errorf("body %q %v", body, err)
	}
	ps, err := l.Pushes(t.Context(), &d)
	if err != nil || len(ps) != 2 || ps[1].Push.Before != "c" || ps[1].State != PushWaiting || ps[0].Push.Delivery != first.ID || ps[0].Delivery != first.ID {
		t.Errorf("%+v %v", ps, err)
	}
	list, err := l.Deliveries(t.Context(), Filter{Limit: 2})
	if err != nil || len(list) != 2 || list[0].ID != other.ID {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := l.Delivery(t.Context(), "d_nothing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

// TestRefs plays pushes of one ref and says how each stands to the others.
func TestRefs(t *testing.T) {
	h := func(c string) string { return strings.Repeat(c, 40) }
	s := func(c string) string { return strings.Repeat(c, 12) }
	del := func(before string) rules.Push {
		p := push(before, "")
		p.Event = rules.Deleted
		return p
	}
	force := func(p rules.Push) rules.Push { p.Event = rules.Forced; return p }
	for name, tc := range map[string]struct {
		pushes []rules.Push
		want   string // a letter a push: . in order, R repeat, L late, G gap
		head   string
	}{
		"in order":              {[]rules.Push{push(h("1"), h("a")), push(h("a"), h("b"))}, "..", h("b")},
		"abbreviated":           {[]rules.Push{push(s("1"), h("a")), push(s("a"), h("b"))}, "..", h("b")},
		"the same move again":   {[]rules.Push{push(s("1"), h("a")), push(s("1"), h("a"))}, ".R", h("a")},
		"there and back":        {[]rules.Push{push(h("a"), h("b")), force(push(h("b"), h("a"))), push(h("a"), h("b"))}, "...", h("b")},
		"back without force":    {[]rules.Push{push(h("a"), h("b")), push(h("b"), h("a"))}, "..", h("a")},
		"deleted, made again":   {[]rules.Push{push("", h("a")), del(h("a")), push("", h("a"))}, "...", h("a")},
		"deleted twice":         {[]rules.Push{push("", h("a")), del(h("a")), del(h("a"))}, "..R", ""},
		"late":                  {[]rules.Push{push(h("b"), h("c")), push(h("a"), h("b"))}, ".L", h("c")},
		"late, abbreviated":     {[]rules.Push{push(s("b"), h("c")), push(s("a"), h("b"))}, ".L", h("c")},
		"in order after late":   {[]rules.Push{push(h("b"), h("c")), push(h("a"), h("b")), push(h("c"), h("d"))}, ".L.", h("d")},
		"a lost webhook":        {[]rules.Push{push(h("a"), h("b")), push(h("c"), h("d"))}, ".G", h("d")},
		"forced is no gap":      {[]rules.Push{push(h("a"), h("b")), force(push(h("c"), h("d")))}, "..", h("d")},
		"unknown before":        {[]rules.Push{push(h("a"), h("b")), push("", h("d"))}, "..", h("d")},
		"after a deletion":      {[]rules.Push{del(h("a")), push(h("c"), h("d"))}, "..", h("d")},
		"first sight is no gap": {[]rules.Push{push(h("c"), h("d"))}, ".", h("d")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, together := range []bool{true, false} {
				l, _ := open(t)
				var got strings.Builder
				note := func(vs []Verdict) {
					for _, v := range vs {
						got.WriteString(map[Verdict]string{
							{Builds: 1}: ".", {Repeat: true}: "R", {Late: true, Builds: 1}: "L", {Gap: true, Builds: 1}: "G"}[v])
					}
				}
				for i, p := range tc.pushes {
					receive(t, l, fmt.Sprint(i), p)
					if !together {
						note(decide(t, l, build("x")))
					}
				}
				if together {
					note(decide(t, l, build("x")))
				}
				if got.String() != tc.want {
					t.Errorf("%s, want %s (decided together: %v)", got.String(), tc.want, together)
				}
				var head string
				if err := l.read.QueryRow(`SELECT head FROM refs WHERE repo = 'acme/shop'`).Scan(&head); err != nil || head != tc.head {
					t.Errorf("head %.12s, want %.12s (%v)", head, tc.head, err)
				}
			}
		})
	}
}

func TestDecideOnce(t *testing.T) {
	l, _ := open(t)
	receive(t, l, "1", push("a", "b"))
	waiting, _ := l.Waiting(t.Context(), 10)
	broken := build("")
	broken.Error = "a segment is empty"
	decided(&waiting[0], build("x"), build("x"), broken)
	if v, err := l.Decide(t.Context(), waiting); err != nil || len(v) != 1 || v[0][0] != (Verdict{Builds: 3, Dead: 1}) {
		t.Fatalf("%+v %v", v, err)
	}
	if v, err := l.Decide(t.Context(), waiting); err != nil || len(v[0]) != 0 {
		t.Fatalf("decided twice: %+v %v", v, err)
	}
	delivery, err := l.Delivery(t.Context(), waiting[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	builds, err := l.Builds(t.Context(), &delivery)
	if err != nil || len(builds) != 2 {
		t.Fatalf("%d builds, %v", len(builds), err)
	}
	if b := builds[0]; b.State != Due || b.Build.Parameters["A"] != "x\n{{y}}" || b.Repo != "Acme/Shop" || b.Ref != "main" {
		t.Errorf("%+v", b)
	}
	if b := builds[1]; b.State != Dead || b.Reason != broken.Error || b.EndedAt.IsZero() {
		t.Errorf("%+v", b)
	}
}

func TestWork(t *testing.T) {
	l, path := open(t)
	ctx := t.Context()
	receive(t, l, "1", push("a", "b"))
	decide(t, l, build("x"), build("y"))
	receive(t, l, "2", push("b", "c"))
	decide(t, l, build("x"))

	claim := func() []Build {
		t.Helper()
		got, err := l.ClaimStarts(ctx, "ci", 10, 0, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got, err := l.ClaimStarts(ctx, "other", 10, 0, time.Minute); err != nil || len(got) != 0 {
		t.Fatalf("claimed for another server: %+v %v", got, err)
	}
	first := claim()
	if len(first) != 2 || first[0].Target != "x" || first[1].Target != "y" || first[0].State != Starting || first[0].Attempts != 1 {
		t.Fatalf("%+v", first)
	}
	if got := claim(); len(got) != 0 {
		t.Fatalf("a later build of the same ref and target overtakes: %+v", got)
	}
	at := time.Now()
	err := l.Finish(ctx, &first[0], Change{State: Queued, Handle: "q/1", URL: "u", Notes: []string{"n"}, DueAt: at, StartedAt: at,
		Attempt: &Attempt{At: at, Took: time.Second, Outcome: "started", Detail: "201"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(ctx, &first[0], Change{State: Dead}); !errors.Is(err, ErrStale) {
		t.Errorf("finished twice: %v", err)
	}
	second := claim()
	if len(second) != 1 || second[0].Target != "x" || second[0].ID == first[0].ID {
		t.Fatalf("%+v", second)
	}
	follow, err := l.ClaimFollows(ctx, "ci", 10, time.Minute)
	if err != nil || len(follow) != 1 || follow[0].Handle != "q/1" || follow[0].State != Queued {
		t.Fatalf("%+v %v", follow, err)
	}
	if again, err := l.ClaimFollows(ctx, "ci", 10, time.Minute); err != nil || len(again) != 0 {
		t.Fatalf("leased twice: %+v %v", again, err)
	}
	attempts, err := l.Attempts(ctx, &first[0])
	if err != nil || len(attempts) != 1 || attempts[0].Took != time.Second {
		t.Errorf("%+v %v", attempts, err)
	}

	// A process that dies with builds leased takes them back when it is back.
	l.Close()
	l = openAt(t, path)
	n, err := l.Recover(ctx, false)
	if err != nil || n != 0 {
		t.Errorf("leases that run were ended: %d %v", n, err)
	}
	if n, err = l.Recover(ctx, true); err != nil || n != 2 {
		t.Errorf("recovered %d, %v", n, err)
	}
	back := claim()
	if len(back) != 2 || !back[0].Uncertain || back[0].Attempts != 2 {
		t.Fatalf("%+v", back)
	}
	if err := l.Finish(ctx, &first[1], Change{State: Queued}); !errors.Is(err, ErrStale) {
		t.Errorf("the old holder's answer was taken: %v", err)
	}
	if follow, err = l.ClaimFollows(ctx, "ci", 10, time.Minute); err != nil || len(follow) != 1 {
		t.Errorf("a look that was leased is not due again: %+v %v", follow, err)
	}
}

// TestGroupCommit: many at once, each answered after its commit, keys unique.
func TestGroupCommit(t *testing.T) {
	l, _ := open(t)
	var wg sync.WaitGroup
	fresh := make(chan string, 400)
	for i := range 400 {
		wg.Go(func() {
			r, err := l.Receive(t.Context(), Delivery{Source: "s", Key: fmt.Sprint(i % 100), ReceivedAt: time.Now()}, []byte("b"), []rules.Push{push("", fmt.Sprint(i))})
			if err != nil {
				t.Error(err)
				return
			}
			if !r.Duplicate {
				fresh <- r.ID
			}
		})
	}
	wg.Wait()
	close(fresh)
	if len(fresh) != 100 {
		t.Errorf("%d fresh deliveries of 100 keys", len(fresh))
	}
	for id := range fresh {
		if _, err := l.Delivery(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// TestPoisonedJob: a job that fails, or panics, in a batch fails alone.
func TestPoisonedJob(t *testing.T) {
	l, _ := open(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if i%10 != 0 {
				receive(t, l, fmt.Sprint(i))
				return
			}
			err := l.write.do(t.Context(), 0, func(ctx context.Context, t *txn) error {
				if i == 0 {
					panic("boom")
				}
				_, err := t.exec(ctx, `INSERT INTO bodies (delivery, body) VALUES (-1, NULL)`)
				return err
			})
			if err == nil || errors.Is(err, ErrUnavailable) {
				t.Errorf("poison: %v", err)
			}
		})
	}
	wg.Wait()
	if list, err := l.Deliveries(t.Context(), Filter{Limit: 100}); err != nil || len(list) != 45 {
		t.Errorf("%d deliveries, %v", len(list), err)
	}
}

func TestSecondServeIsRefused(t *testing.T) {
	_, path := open(t)
	_, err := Open(t.Context(), Options{Database: "sqlite:" + path})
	if err == nil || !strings.Contains(err.Error(), "another pushgate serves it") {
		t.Errorf("%v", err)
	}
	l, err := Open(t.Context(), Options{Database: "sqlite:" + path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	corrupt := filepath.Join(dir, "corrupt.db")
	if err := os.WriteFile(corrupt, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	l := openAt(t, newer)
	if err := l.write.do(t.Context(), 0, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Database: "sqlite:" + corrupt}, "damaged or no ledger"},
		{Options{Database: "sqlite:" + corrupt, ReadOnly: true}, "damaged or no ledger"},
		{Options{Database: "sqlite:" + newer}, "a newer pushgate wrote it"},
		{Options{Database: "sqlite:" + filepath.Join(dir, "none", "x.db")}, "folder does not exist"},
		{Options{Database: "sqlite:" + filepath.Join(dir, "none.db"), ReadOnly: true}, "there is none yet"},
		{Options{Database: "pushgate.db"}, "names no database"},
		{Options{Database: "postgres://x"}, "SQLite only"},
	} {
		l, err := Open(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
		if err == nil {
			l.Close()
		}
	}
}

func TestRulesAreKept(t *testing.T) {
	l, _ := open(t)
	set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte("sources: {s: {host: bitbucket-post, token: '${T}'}}\nservers: {ci: {jenkins: '${U}'}}\nrules: [{name: a, start: {server: ci, job: x}}]")}}, "rules.yaml",
		func(ref string) (string, error) { return "https://secret.example.com", nil })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.SaveRules(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	again, err := l.Rules(t.Context(), set.Hash())
	if err != nil || again.Hash() != set.Hash() || again.Len() != 1 {
		t.Errorf("%v %v", again, err)
	}
	if _, err := l.Rules(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range []int64{1, 31, 32, 1 << 20, 1<<55 + 7} {
		salt := newSalt()
		id := makeID("d_", n, salt)
		gotN, gotSalt, ok := parseID("d_", id)
		if gotN != n || gotSalt != salt || !ok || seen[id] {
			t.Errorf("%d %d became %q, read as %d %d %v", n, salt, id, gotN, gotSalt, ok)
		}
		seen[id] = true
	}
	for _, id := range []string{"", "d_", "b_1aaaaaaaa", "d_aaaaaaaa", "d_1aaaaaaa!", "d_" + strings.Repeat("z", 40), "d_00aaaaaaaa"} {
		if n, salt, ok := parseID("d_", id); ok {
			t.Errorf("%q is read as %d %d", id, n, salt)
		}
	}
}

func TestSameCommit(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"", "", true}, {"", "a", false}, {"abcdef0", "abcdef012345", true}, {"abcdef0123", "abcdef0", true},
		{"abc", "abcdef012345", false}, {"abc", "abc", true}, {"abcdef1", "abcdef012345", false},
	} {
		if sameCommit(c.a, c.b) != c.same {
			t.Errorf("%+v", c)
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	l, _ := open(b)
	body := make([]byte, 4096)
	var n, next = make(chan int), 0
	go func() {
		for range b.N {
			n <- next
			next++
		}
		close(n)
	}()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := <-n
			_, err := l.Receive(b.Context(), Delivery{Source: "s", Key: fmt.Sprint("key", i), ReceivedAt: time.Now()}, body, []rules.Push{push("aaaa", fmt.Sprint(i))})
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
