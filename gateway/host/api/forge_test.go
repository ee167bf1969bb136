package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

const canary = "s3cr3t-canary"

// served gives a client of a host that a handler answers for.
func served(t *testing.T, name string, api rules.API, h http.Handler) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	api.URL = server.URL + api.URL
	return ask(t, name, api)
}

// simulated gives a simulated host with one repository, and a client that is
// signed in.
func simulated(t *testing.T, name, repo string) (*Client, *hosttest.Server, *hosttest.Repo) {
	t.Helper()
	simulated := name
	if name == rules.BitbucketPost {
		simulated = rules.BitbucketCloud
	}
	sim := hosttest.New(hosttest.Options{Host: simulated, Token: canary})
	prefix := map[string]string{rules.GitHub: "/api/v3", rules.GitLab: "/git", rules.Gitea: "/git"}[name]
	handler := http.Handler(sim)
	if prefix != "" {
		handler = http.StripPrefix(prefix, sim)
	}
	c := served(t, name, rules.API{URL: prefix, Token: canary}, handler)
	return c, sim, sim.AddRepo(repo, "main")
}

// files gives what a comparison lists, sorted.
func files(t *testing.T, diff comparison, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	all := diff.files.Files(diff.complete)
	if diff.complete != (all.Completeness == rules.Complete) || diff.complete != (diff.why == "") {
		t.Errorf("complete %v, %s, why %q", diff.complete, all.Completeness, diff.why)
	}
	return slices.Sorted(slices.Values(all.Paths))
}

// named gives n names, sorted.
func named(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

func changesOf(names []string) []hosttest.Change {
	out := make([]hosttest.Change, len(names))
	for i, name := range names {
		out[i].Path = name
	}
	return out
}

const author = "Ann <ann@example.com>"

// testForge holds a host to what the whole package promises, against its
// simulation.
func testForge(t *testing.T, name, repoName string) {
	ctx := context.Background()
	t.Run("large", func(t *testing.T) {
		c, sim, r := simulated(t, name, repoName)
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		all, at := named("f%04d", 2000), root
		for i := range 40 {
			at = r.Commit([]string{at}, fmt.Sprint("step ", i), author, changesOf(all[i*50:i*50+50])...)
		}
		r.SetBranch("main", at)
		diff, err := c.host.changed(ctx, repoName, root, at)
		same(t, "files", files(t, diff, err), all)
		if !diff.complete || !diff.known || diff.forced {
			t.Errorf("complete %v (%s), known %v, forced %v", diff.complete, diff.why, diff.known, diff.forced)
		}
		if n := len(sim.Requests()); n > 60 {
			t.Errorf("%d requests", n)
		}
	})
	t.Run("forced", func(t *testing.T) {
		c, _, r := simulated(t, name, repoName)
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"}, hosttest.Change{Path: "gone"})
		old := r.Commit([]string{root}, "dropped", author, hosttest.Change{Path: "dropped/ä b%2F#?.txt"})
		other := r.Commit([]string{root}, "instead", author, hosttest.Change{Path: "new", From: "gone", Kind: hosttest.Renamed})
		r.SetBranch("main", other)
		diff, err := c.host.changed(ctx, repoName, old, other)
		same(t, "files", files(t, diff, err), []string{"dropped/ä b%2F#?.txt", "gone", "new"})
		if !diff.complete || !diff.known || !diff.forced {
			t.Errorf("diverged: complete %v (%s), known %v, forced %v", diff.complete, diff.why, diff.known, diff.forced)
		}
		diff, err = c.host.changed(ctx, repoName, old, root)
		same(t, "files", files(t, diff, err), []string{"dropped/ä b%2F#?.txt"})
		if !diff.complete || !diff.known || !diff.forced {
			t.Errorf("wound back: complete %v (%s), known %v, forced %v", diff.complete, diff.why, diff.known, diff.forced)
		}
	})
	t.Run("forced, large", func(t *testing.T) {
		c, _, r := simulated(t, name, repoName)
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		a, b := named("a%04d", 1200), named("b%04d", 1200)
		old, other := root, root
		for i := range 12 {
			old = r.Commit([]string{old}, fmt.Sprint("old ", i), author, changesOf(a[i*100:i*100+100])...)
			other = r.Commit([]string{other}, fmt.Sprint("new ", i), author, changesOf(b[i*100:i*100+100])...)
		}
		r.SetBranch("main", other)
		diff, err := c.host.changed(ctx, repoName, old, other)
		same(t, "files", files(t, diff, err), append(a, b...))
		if !diff.complete || !diff.forced {
			t.Errorf("complete %v (%s), forced %v", diff.complete, diff.why, diff.forced)
		}
	})
	t.Run("merged from the other side", func(t *testing.T) {
		c, _, r := simulated(t, name, repoName)
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		theirs := r.Commit([]string{root}, "theirs", author, hosttest.Change{Path: "theirs"})
		ours := named("o%04d", 1500)
		local := r.Commit([]string{root}, "one", author, changesOf(ours[:250])...)
		for i := 1; i < 6; i++ {
			local = r.Commit([]string{local}, fmt.Sprint("local ", i), author, changesOf(ours[i*250:i*250+250])...)
		}
		merge := r.Commit([]string{local, theirs}, "pulled", author)
		diff, err := c.host.changed(ctx, repoName, theirs, merge)
		got := files(t, diff, err)
		if i := slices.Index(got, "theirs"); i >= 0 {
			got = slices.Delete(got, i, i+1) // what came in by the merge may be named
		}
		same(t, "files", got, ours)
		if !diff.complete || diff.forced {
			t.Errorf("complete %v (%s), forced %v", diff.complete, diff.why, diff.forced)
		}
	})
	t.Run("a new branch", func(t *testing.T) {
		c, _, r := simulated(t, name, repoName)
		branch := "release/1.0 ä%2F#+&"
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		r.SetBranch("main", root)
		r.SetBranch(branch, r.Commit([]string{root}, "main goes on", author, hosttest.Change{Path: "elsewhere"}))
		one := r.Commit([]string{root}, "one", author, hosttest.Change{Path: "one"})
		two := r.Commit([]string{one}, "two", author, hosttest.Change{Path: "two"})
		r.SetBranch("feature", two)
		diff, err := c.host.gained(ctx, repoName, branch, two)
		same(t, "files", files(t, diff, err), []string{"one", "two"})
		if !diff.complete {
			t.Error(diff.why)
		}
		if _, err = c.host.gained(ctx, repoName, "absent", two); AsError("", err).Status != http.StatusNotFound || AsError("", err).Temporary {
			t.Errorf("an absent branch: %v", err)
		}
		head, err := c.host.commit(ctx, repoName, two)
		if err != nil || head.ID != two || head.Message != "two" || head.Author.String() != author || head.Time.IsZero() {
			t.Errorf("%+v, %v", head, err)
		}
		if main, err := c.host.defaultBranch(ctx, repoName); main != "main" || err != nil {
			t.Errorf("default branch %q, %v", main, err)
		}
	})
	t.Run("heads", func(t *testing.T) {
		c, _, r := simulated(t, name, repoName)
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		var want []Head
		for i := range 250 {
			want = append(want, Head{Branch: fmt.Sprintf("b/%03d", i), Commit: root})
			r.SetBranch(want[i].Branch, root)
		}
		got, err := c.Heads(ctx, repoName)
		slices.SortFunc(got, func(a, b Head) int { return strings.Compare(a.Branch, b.Branch) })
		if same(t, "heads", want, got); err != nil {
			t.Error(err)
		}
	})
	t.Run("statuses", func(t *testing.T) {
		c, sim, r := simulated(t, name, repoName)
		at := r.Commit(nil, "root", author, hosttest.Change{Path: "README"})
		r.SetBranch("main", at)
		for _, state := range []State{Pending, Pending, Running, Running, Success, Pending, Running, Failure, Aborted, Skipped} {
			s := Status{Context: "ci/ä", State: state, Description: strings.Repeat("ö", 500), URL: "https://ci.example.com/1"}
			if err := c.Report(ctx, repoName, at, s); err != nil {
				t.Fatalf("%s: %v", state, err)
			}
		}
		if err := c.Report(ctx, repoName, at, Status{Context: "bare", State: Success, URL: "javascript:alert(1)"}); err != nil {
			t.Error(err)
		}
		var got []string
		for _, s := range sim.Statuses(repoName, at) {
			got = append(got, s.Key+" "+strings.ToLower(s.State))
		}
		t.Log(got)
		if len(got) < 8 || !strings.HasPrefix(got[len(got)-1], "bare success") || !strings.HasPrefix(got[len(got)-2], "ci/ä success") {
			t.Error(got)
		}
	})
	t.Run("limited", func(t *testing.T) {
		c, sim, _ := simulated(t, name, repoName)
		sim.LimitRate(0, 90e9)
		_, err := c.host.defaultBranch(ctx, repoName)
		e := AsError("", err)
		if !e.Temporary || !e.Host || e.Credentials || e.RetryAfter < 60e9 || e.RetryAfter > 120e9 {
			t.Errorf("%+v", e)
		}
	})
}
