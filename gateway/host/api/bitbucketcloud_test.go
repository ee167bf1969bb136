package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

const (
	cloudRepo  = "/2.0/repositories/acme/shop"
	cloudStats = "?fields=next%2Cpagelen%2Cvalues.status%2Cvalues.old.path%2Cvalues.new.path&pagelen=500&topic="
)

// As the POST service: it does not tell that a push was forced, so that is asked, too.
func TestBitbucketCloud(t *testing.T) { testForge(t, rules.BitbucketPost, "acme/shop") }

func TestCloudChanged(t *testing.T) {
	old, now := hash("a1"), hash("b2")
	at := "GET " + cloudRepo + "/diffstat/" + now + ".." + old
	base := "GET " + cloudRepo + "/merge-base/" + old + ".." + now
	for _, c := range []struct {
		name, want string
		says       answers
	}{
		{"pages, renames and null", "Jenkinsfile docs/a.md folder/x resources/x ä b; complete; kept", answers{
			at + cloudStats + "false":                               `{"pagelen": 3, "values": [{"status": "modified", "old": {"path": "Jenkinsfile"}, "new": {"path": "Jenkinsfile"}}, {"status": "added", "old": null, "new": {"path": "docs/a.md"}}], "next": "HOST` + cloudRepo + `/diffstat/x..y?page=2&ctx=%2B%26"}`,
			"GET " + cloudRepo + "/diffstat/x..y?ctx=%2B%26&page=2": `{"pagelen": 3, "values": [{"status": "renamed", "old": {"path": "folder/x"}, "new": {"path": "resources/x"}}, {"status": "removed", "old": {"path": "ä b"}, "new": null}]}`,
			base: `{"hash": "` + old + `"}`,
		}},
		{"forced", "a; complete; forced", answers{at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}]}`, base: `{"hash": "` + hash("c3") + `"}`}},
		{"nothing differs", "; complete; kept", answers{at: `{"pagelen": 500, "values": []}`, base: `{"hash": "` + old + `"}`}},
		{"nothing differs, in part of an answer", "; complete; kept", answers{at: `{"pagelen": 500}`, base: `{"hash": "` + old + `"}`}},
		{"no merge base", "a; complete; unknown", answers{at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}]}`}},
		{"no answer about the merge base", "a; complete; unknown", answers{at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}]}`, base: 503}},
		{"an empty answer about the merge base", "a; complete; unknown", answers{at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}]}`, base: `{}`}},
		{"no names", "a; partial: the host lists a change without naming the file; kept", answers{at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}, {"old": null, "new": null}]}`, base: `{"hash": "` + old + `"}`}},
		{"too large", "; unknown: the host takes too long to compare the two; kept", answers{at: 555, base: `{"hash": "` + old + `"}`}},
		{"a page that leads to itself", "a; partial: the list is longer than 1 files; kept", answers{
			at: `{"pagelen": 1, "values": [{"new": {"path": "a"}}], "next": "HOST` + strings.TrimPrefix(at, "GET ") + cloudStats + `false"}`, base: `{"hash": "` + old + `"}`,
		}},
		{"a list without end", "a; partial: the list is longer than 1 files; kept", answers{
			at: func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"pagelen": 1, "values": [{"new": {"path": "a"}}], "next": "http://%s%s?page=1%s"}`, r.Host, r.URL.Path, r.URL.Query().Get("page"))
			},
			base: `{"hash": "` + old + `"}`,
		}},
		{"not found", "error: compare a10000000000 with b20000000000 of acme/shop: not found (status 404): not here", nil},
		{"another program", "error: compare a10000000000 with b20000000000 of acme/shop: not the answer of this host's API", answers{at: `{"hello": "world"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, c.says)
			same(t, "changed", c.want, tell(ask(t, rules.BitbucketPost, rules.API{URL: s.URL + "/2.0"}).host.changed(t.Context(), "acme/shop", old, now)))
		})
	}
	s := play(t, answers{
		"GET " + cloudRepo + "/diffstat/b20000000000..a10000000000":   `{"pagelen": 1, "values": []}`,
		"GET " + cloudRepo + "/merge-base/a10000000000..b20000000000": `{"hash": "` + old + `"}`,
	})
	same(t, "abbreviated", "; complete; kept", tell(ask(t, rules.BitbucketPost, rules.API{URL: s.URL}).host.changed(t.Context(), "acme/shop", old[:12], now[:12])))
}

func TestCloudGained(t *testing.T) {
	head, now := hash("a1"), hash("b2")
	s := play(t, answers{
		"GET " + cloudRepo + "/refs/branches/release%2F1%20%25%3F%23%C3%BC": `{"name": "release/1 %?#ü", "target": {"hash": "` + head + `"}}`,
		"GET " + cloudRepo + "/diffstat/" + now + ".." + head:               `{"pagelen": 1, "values": [{"new": {"path": "a"}}]}`,
		"GET " + cloudRepo + "/refs/branches/odd":                           `{}`,
	})
	c := ask(t, rules.BitbucketPost, rules.API{URL: s.URL})
	same(t, "gained", "a; complete; unknown", tell(c.host.gained(t.Context(), "acme/shop", "release/1 %?#ü", now)))
	if asked := s.was(); len(asked) != 2 || !strings.HasSuffix(asked[1], cloudStats+"true") {
		t.Errorf("asked %q", asked)
	}
	for branch, want := range map[string]string{"gone": "not found", "odd": "not the answer of this host's API"} {
		_, err := c.host.gained(t.Context(), "acme/shop", branch, now)
		if e := AsError("", err); e.Reason != want || e.Temporary != (branch == "odd") {
			t.Errorf("%s: %+v", branch, e)
		}
	}
}

func TestCloudReads(t *testing.T) {
	id := hash("b2")
	s := play(t, answers{
		"GET " + cloudRepo + "/commit/" + id[:12]:                 `{"hash": "` + id + `", "message": "Shop\n\nopens", "date": "2026-01-02T03:04:05+02:00", "author": {"raw": "Pia <pia@example.com>"}}`,
		"GET " + cloudRepo:                                        `{"full_name": "acme/shop", "mainbranch": {"type": "branch", "name": "trunk"}}`,
		"GET /2.0/repositories/acme/empty":                        `{"full_name": "acme/empty", "mainbranch": null}`,
		"GET /2.0/repositories/acme/odd":                          `{}`,
		"GET /2.0/repositories/acme/odd/commit/1":                 `{}`,
		"GET " + cloudRepo + "/refs/branches":                     `{"pagelen": 100, "values": [{"name": "trunk", "target": {"hash": "1"}}], "next": "HOST` + cloudRepo + `/refs/branches?page=2"}`,
		"GET " + cloudRepo + "/refs/branches?page=2":              `{"pagelen": 100, "values": [{"name": "a/b", "target": {"hash": "2"}}]}`,
		"GET /2.0/repositories/acme/empty/refs/branches":          `{"pagelen": 100, "values": []}`,
		"GET /2.0/repositories/acme/endless/refs/branches":        `{"pagelen": 100, "values": [], "next": "HOST/2.0/repositories/acme/endless/refs/branches?page=1"}`,
		"GET /2.0/repositories/acme/endless/refs/branches?page=1": `{"pagelen": 100, "values": [], "next": "HOST/2.0/repositories/acme/endless/refs/branches?page=1"}`,
	})
	c := ask(t, rules.BitbucketPost, rules.API{URL: s.URL})
	head, err := c.host.commit(t.Context(), "acme/shop", id[:12])
	same(t, "commit", rules.Commit{ID: id, Message: "Shop\n\nopens", Author: rules.Person{Name: "Pia", Email: "pia@example.com"}, Time: time.Date(2026, 1, 2, 1, 4, 5, 0, time.UTC)}, head)
	if err != nil {
		t.Error(err)
	}
	for repo, want := range map[string]string{
		"acme/shop": "trunk <nil>", "acme/empty": " <nil>",
		"acme/gone": " ask for the default branch of acme/gone: not found (status 404): not here",
		"acme/odd":  " ask for the default branch of acme/odd: not the answer of this host's API",
	} {
		name, err := c.host.defaultBranch(t.Context(), repo)
		same(t, "default branch", want, fmt.Sprint(name, " ", err))
	}
	if _, err := c.host.commit(t.Context(), "acme/odd", "1"); err == nil || AsError("", err).Reason != "not the answer of this host's API" {
		t.Error(err)
	}
	for repo, want := range map[string]string{
		"acme/shop": "[{trunk 1} {a/b 2}] <nil>", "acme/empty": "[] <nil>",
		"acme/endless": "[] list the branches of acme/endless: the list does not end within 1000 pages",
	} {
		heads, err := c.Heads(t.Context(), repo)
		same(t, "heads", want, fmt.Sprint(heads, " ", err))
	}
}

func TestCloudReports(t *testing.T) {
	id := hash("b2")
	at := "POST " + cloudRepo + "/commit/" + id + "/statuses/build"
	s := play(t, answers{at: `{"type": "build"}`})
	c := ask(t, rules.BitbucketCloud, rules.API{URL: s.URL, Token: "tok"})
	for state, want := range map[State]string{
		Pending: "INPROGRESS", Running: "INPROGRESS", Success: "SUCCESSFUL", Skipped: "SUCCESSFUL", Failure: "FAILED", Aborted: "STOPPED",
	} {
		if err := c.Report(t.Context(), "acme/shop", id, Status{Context: "ci/shop", State: state, Description: "not running: says", URL: "https://ci.example.com/1"}); err != nil {
			t.Error(err)
		}
		if got := s.headers()[0].Get("Authorization"); got != "Bearer tok" {
			t.Errorf("signed with %q", got)
		}
		same(t, "status", []string{at + ` {"description":"not running: says","key":"ci/shop","name":"ci/shop","state":"` + want + `","url":"https://ci.example.com/1"}`}, sortedJSON(t, s.was()))
	}
	long := strings.Repeat("ü", 41)
	if err := c.Report(t.Context(), "acme/shop", id, Status{Context: long, State: Success, Description: strings.Repeat("😀", 200) + "\xff"}); err != nil {
		t.Error(err)
	}
	same(t, "long status", []string{at + ` {"description":"` + strings.Repeat("😀", 127) + `…","key":"` + keyOf(long, 40) + `","name":"` + long +
		`","state":"SUCCESSFUL","url":"` + s.URL + `/acme/shop/commits/` + id + `"}`}, sortedJSON(t, s.was()))
	if err := c.Report(t.Context(), "acme/gone", id, Status{Context: "x", State: Success}); AsError("", err).Status != 404 {
		t.Error(err)
	}
}
