package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

const dcRepo = "/rest/api/1.0/projects/ACME/repos/shop"

func TestBitbucketDataCenter(t *testing.T) { testForge(t, rules.BitbucketDataCenter, "~ACME/shop") }

// dcFiles is a page of changes with so many files, counted from start.
func dcFiles(start, n int, end string) string {
	files := []string{}
	for i := range n {
		files = append(files, fmt.Sprintf(`{"type": "ADD", "path": {"toString": "f%d"}}`, start+i))
	}
	return fmt.Sprintf(`{"values": [%s], %s}`, strings.Join(files, ","), end)
}

func TestDataCenterChanged(t *testing.T) {
	old, now := hash("a1"), hash("b2")
	compare := func(from, to string, start int) string {
		return fmt.Sprintf("GET %s/compare/changes?from=%s&limit=1000&start=%d&to=%s", dcRepo, from, start, to)
	}
	dropped := "GET " + dcRepo + "/commits?limit=1&since=" + now + "&until=" + old
	steps, mid := "GET "+dcRepo+"/commits?limit=1000&since="+old+"&start=0&until="+now, hash("c3")
	kept := `{"values": [], "isLastPage": true}`
	step := func(way ...string) string {
		list := []string{}
		for i := range way[1:] {
			list = append(list, fmt.Sprintf(`{"id": "%s", "parents": [{"id": "%s"}]}`, way[i], way[i+1]))
		}
		return `{"values": [` + strings.Join(list, ",") + `], "isLastPage": true}`
	}
	const last = `"isLastPage": true, "nextPageStart": null`
	names := func(n int) string {
		all := []string{}
		for i := range n {
			all = append(all, fmt.Sprint("f", i))
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		name, want string
		says       answers
	}{
		{"pages, moves, copies and null", "a old/x new/x y ä/b; complete; kept", answers{
			compare(now, old, 0): `{"values": [{"type": "MODIFY", "path": {"toString": "a"}, "srcPath": null}, {"type": "MOVE", "path": {"toString": "new/x"}, "srcPath": {"toString": "old/x"}}], "isLastPage": false, "nextPageStart": 2}`,
			compare(now, old, 2): `{"values": [{"type": "COPY", "path": {"toString": "y"}, "srcPath": {"toString": "left alone"}}, {"type": "DELETE", "path": {"components": ["ä", "b"]}}], ` + last + `}`,
			dropped:              kept,
		}},
		{"forced", "f0 f1 f2; complete; forced", answers{
			compare(now, old, 0): dcFiles(0, 2, last), compare(old, now, 0): dcFiles(1, 2, last),
			dropped: `{"values": [{"id": "1"}], "isLastPage": false, "nextPageStart": 1}`,
		}},
		{"forced, a side without end", "f0 f1 f2; partial: the list is longer than 3 files; forced", answers{
			compare(now, old, 0): dcFiles(0, 2, last), compare(old, now, 0): dcFiles(1, 2, `"isLastPage": false`),
			dropped: `{"values": [{"id": "1"}], "isLastPage": true}`,
		}},
		{"nobody says whether forced", "f0 f1; complete; unknown", answers{
			compare(now, old, 0): dcFiles(0, 1, last), compare(old, now, 0): dcFiles(1, 1, last), dropped: `{}`,
		}},
		{"neither that nor the other side", "error: compare a10000000000 with b20000000000 of ACME/shop: the host failed (status 503)", answers{
			compare(now, old, 0): dcFiles(0, 1, last), compare(old, now, 0): 503, dropped: 503,
		}},
		{"nothing differs", "; complete; kept", answers{compare(now, old, 0): dcFiles(0, 0, last), dropped: kept}},
		{"no name", "f0; partial: the host lists a change without naming the file; kept", answers{
			compare(now, old, 0): `{"values": [{"path": {"toString": "f0"}}, {"path": null}, null], "isLastPage": true}`, dropped: kept,
		}},
		{"more than the host's usual bound", names(1200) + "; complete; kept", answers{
			compare(now, old, 0): dcFiles(0, 1000, `"isLastPage": false, "nextPageStart": 1000`), compare(now, old, 1000): dcFiles(1000, 200, last), dropped: kept,
		}},
		{"just at the host's usual bound", names(1000) + "; partial: the list ends after 1000 files, where the host's bound is; kept", answers{
			compare(now, old, 0): dcFiles(0, 1000, last), dropped: kept,
		}},
		{"beyond the bound, in one commit", names(1000) + "; partial: commit b20000000000 changes more files than the host lists; kept", answers{
			compare(now, old, 0): dcFiles(0, 1000, last), dropped: kept, steps: step(now, old),
		}},
		{"beyond the bound, in two", names(1001) + "; complete; kept", answers{
			compare(now, old, 0): dcFiles(0, 1000, last), dropped: kept, steps: step(now, mid, old),
			compare(mid, old, 0): dcFiles(0, 600, last), compare(now, mid, 0): dcFiles(600, 401, last),
		}},
		{"beyond the bound, and nobody lists commits for now", "error: compare a10000000000 with b20000000000 of ACME/shop: the host failed (status 503)", answers{
			compare(now, old, 0): dcFiles(0, 1000, last), dropped: kept, steps: 503,
		}},
		{"forced, beyond the bound, with a merge", names(1000) + "; partial: the list ends after 1000 files, where the host's bound is; forced", answers{
			compare(now, old, 0): dcFiles(0, 1000, last), compare(old, now, 0): dcFiles(0, 1, last),
			dropped: step(old, mid), steps: `{"values": [{"id": "` + now + `", "parents": [{"id": "1"}, {"id": "2"}]}], "isLastPage": true}`,
		}},
		{"an announced page has nothing", names(500) + "; partial: the list is longer than 500 files; kept", answers{
			compare(now, old, 0): dcFiles(0, 500, `"isLastPage": false, "nextPageStart": 500`), compare(now, old, 500): dcFiles(0, 0, last), dropped: kept,
		}},
		{"pages that skip", names(500) + "; partial: the list is longer than 500 files; kept", answers{
			compare(now, old, 0): dcFiles(0, 500, `"isLastPage": false, "nextPageStart": 1000`), compare(now, old, 1000): dcFiles(0, 0, last), dropped: kept,
		}},
		{"a page that leads to itself", "f0; partial: the list is longer than 1 files; kept", answers{
			compare(now, old, 0): dcFiles(0, 1, `"isLastPage": false, "nextPageStart": 0`), dropped: kept,
		}},
		{"not found", "error: compare a10000000000 with b20000000000 of ACME/shop: not found (status 404): not here", nil},
		{"another program", "error: compare a10000000000 with b20000000000 of ACME/shop: not the answer of this host's API", answers{compare(now, old, 0): `{"isLastPage": true}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, c.says)
			same(t, "changed", c.want, tell(ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL}).host.changed(t.Context(), "ACME/shop", old, now)))
		})
	}
}

func TestDataCenterReads(t *testing.T) {
	id := hash("b2")
	s := play(t, answers{
		"GET /git" + dcRepo + "/commits/" + id: `{"id": "` + id + `", "message": "Shop", "committerTimestamp": 1767315845000, "author": {"name": "pia", "emailAddress": "pia@example.com"}}`,
		"GET /git" + dcRepo + "/commits/ten":   `{"id": "10", "committerTimestamp": "2026-01-02T01:04:05Z", "author": {"name": "pia"}}`,
		"GET /git" + dcRepo + "/commits/odd":   `{}`,
		"GET /git" + dcRepo + "/compare/changes?from=" + id + "&limit=1000&start=0&to=refs%2Fheads%2Frelease%2F1+%25%3F%23%26%C3%BC": dcFiles(0, 1, `"isLastPage": true`),

		"GET /git/rest/api/1.0/projects/~pia/repos/now/default-branch":       `{"id": "refs/heads/a/b", "displayId": "a/b"}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/older/branches/default":   `{"displayId": "master"}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/empty/default-branch":     204,
		"GET /git/rest/api/1.0/projects/~pia/repos/bare":                     `{"slug": "bare"}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/odd/default-branch":       `{}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/refused/default-branch":   403,
		"GET /git/rest/api/1.0/projects/~pia/repos/refused/branches/default": `{"displayId": "wrong"}`,

		"GET /git" + dcRepo + "/branches?limit=1000&start=0":         `{"values": [{"displayId": "trunk", "latestCommit": "1"}], "isLastPage": false, "nextPageStart": 7}`,
		"GET /git" + dcRepo + "/branches?limit=1000&start=7":         `{"values": [{"displayId": "a/b", "latestCommit": "2"}], "isLastPage": true}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/empty/branches":   `{"values": [], "isLastPage": true}`,
		"GET /git/rest/api/1.0/projects/~pia/repos/endless/branches": `{"values": [], "isLastPage": false, "nextPageStart": 0}`,
	})
	for _, end := range []string{"", "/", "/rest", "/rest/api", "/rest/api/1.0", "/rest/api/latest/"} {
		_, err := ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL + "/git" + end}).host.commit(t.Context(), "ACME/shop", id)
		if err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
	c := ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL + "/git"})
	head := rules.Commit{ID: id, Message: "Shop", Author: rules.Person{Name: "pia", Email: "pia@example.com"}, Time: time.Date(2026, 1, 2, 1, 4, 5, 0, time.UTC)}
	got, _ := c.host.commit(t.Context(), "ACME/shop", id)
	same(t, "commit", head, got)
	got, _ = c.host.commit(t.Context(), "ACME/shop", "ten")
	same(t, "commit of version 10", rules.Commit{ID: "10", Author: rules.Person{Name: "pia"}, Time: head.Time}, got)
	if _, err := c.host.commit(t.Context(), "ACME/shop", "odd"); AsError("", err).Reason != "not the answer of this host's API" {
		t.Error(err)
	}
	same(t, "gained", "f0; complete; unknown", tell(c.host.gained(t.Context(), "ACME/shop", "release/1 %?#&ü", id)))
	for repo, want := range map[string]string{
		"~pia/now": "a/b <nil>", "~pia/older": "master <nil>", "~pia/empty": " <nil>", "~pia/bare": " <nil>",
		"~pia/gone":    " ask for the default branch of ~pia/gone: not found (status 404): not here",
		"~pia/odd":     " ask for the default branch of ~pia/odd: not the answer of this host's API",
		"~pia/refused": " ask for the default branch of ~pia/refused: not allowed (status 403)",
	} {
		name, err := c.host.defaultBranch(t.Context(), repo)
		same(t, "default branch", want, fmt.Sprint(name, " ", err))
	}
	for repo, want := range map[string]string{
		"ACME/shop": "[{trunk 1} {a/b 2}] <nil>", "~pia/empty": "[] <nil>",
		"~pia/endless": "[] list the branches of ~pia/endless: the list does not end within 1000 pages",
	} {
		heads, err := c.Heads(t.Context(), repo)
		same(t, "heads", want, fmt.Sprint(heads, " ", err))
	}
}

func TestDataCenterReports(t *testing.T) {
	id := hash("b2")
	builds, older := "POST "+dcRepo+"/commits/"+id+"/builds", "POST /rest/build-status/1.0/commits/"+id
	body := func(state, words string) string {
		return ` {"description":"` + words + `","key":"ci/shop","name":"ci/shop","state":"` + state + `","url":"https://ci.example.com/1"}`
	}
	give := func(c *Client, state State, words string) error {
		return c.Report(t.Context(), "ACME/shop", id, Status{Context: "ci/shop", State: state, Description: words, URL: "https://ci.example.com/1"})
	}
	s := play(t, answers{builds: 204})
	c := ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL, User: "pia", Password: "pass"})
	for _, want := range []struct{ state, words, is, says string }{
		{"pending", "waits", "INPROGRESS", "waits"}, {"running", "runs", "INPROGRESS", "running: runs"}, {"success", "did", "SUCCESSFUL", "did"},
		{"skipped", "", "SUCCESSFUL", ""}, {"failure", "failed", "FAILED", "failed"},
		{"aborted", "by hand", "FAILED", "aborted: by hand"}, {"aborted", "", "FAILED", "aborted"}, {"aborted", "Aborted by pia", "FAILED", "Aborted by pia"},
	} {
		if err := give(c, State(want.state), want.words); err != nil {
			t.Error(err)
		}
		h := s.headers()[0]
		if user, password, _ := (&http.Request{Header: h}).BasicAuth(); user != "pia" || password != "pass" || h.Get("X-Atlassian-Token") != "no-check" {
			t.Errorf("headers %v", h)
		}
		same(t, "status", []string{builds + body(want.is, want.says)}, sortedJSON(t, s.was()))
	}
	long := strings.Repeat("k", 256)
	if err := c.Report(t.Context(), "ACME/shop", id, Status{Context: long, State: Success, Description: strings.Repeat("d", 300), URL: "https://ci.example.com/" + long + long}); err != nil {
		t.Error(err)
	}
	same(t, "long status", []string{builds + ` {"description":"` + strings.Repeat("d", 254) + `…","key":"` + keyOf(long, 255) + `","name":"` + strings.Repeat("k", 254) +
		`…","state":"SUCCESSFUL","url":"` + s.URL + `/projects/ACME/repos/shop/commits/` + id + `"}`}, sortedJSON(t, s.was()))

	commit := "GET " + dcRepo + "/commits/" + id
	for _, missing := range []any{404, 405} {
		s := play(t, answers{builds: missing, older: 204, commit: `{"id": "` + id + `"}`})
		c := ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL, Token: "tok"})
		for range 2 {
			if err := give(c, Success, "did"); err != nil {
				t.Error(err)
			}
		}
		sent := body("SUCCESSFUL", "did")
		same(t, "an older server is asked the older way from then on", []string{builds + sent, commit, older + sent, older + sent}, sortedJSON(t, s.was()))
	}
	for name, says := range map[string]answers{
		"gone: not found": {older: 204}, "tired: the host failed": {older: 204, commit: 503}, "refused: not allowed": {builds: 403, older: 204},
	} {
		s := play(t, says)
		err := give(ask(t, rules.BitbucketDataCenter, rules.API{URL: s.URL, Token: "tok"}), Success, "did")
		if _, want, _ := strings.Cut(name, ": "); err == nil || AsError("", err).Reason != want {
			t.Errorf("%s: %v", name, err)
		}
		if slices.ContainsFunc(s.was(), func(line string) bool { return strings.HasPrefix(line, older) }) {
			t.Errorf("%s: the older way was tried", name)
		}
	}
}
