package hosttest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

const dcRepo = "/rest/api/1.0/projects/ACME/repos/shop"

type dcPage struct {
	Values []struct {
		ID, DisplayID, Type string
		LatestCommit        string
		IsDefault           bool
		Path, SrcPath       struct{ ToString string }
	}
	IsLastPage    bool
	NextPageStart *int
}

func dcFollow(t *testing.T, s http.Handler, target string) (all dcPage, pages int) {
	t.Helper()
	for start := 0; ; {
		p, _ := get[dcPage](t, s, fmt.Sprintf("%s&limit=5000&start=%d", target, start))
		all.Values = append(all.Values, p.Values...)
		pages++
		if p.IsLastPage != (p.NextPageStart == nil) {
			t.Error("last page", p.IsLastPage, p.NextPageStart)
		}
		if p.IsLastPage {
			return all, pages
		}
		start = *p.NextPageStart
	}
}

func TestDataCenterLists(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "bitbucket-datacenter", PageSize: 2})
	h := describe(s)
	for _, tt := range []struct {
		name, query string
		want        []string
		pages       int
	}{
		{"compare", "/compare/changes?from=" + h.merge + "&to=" + h.first, []string{"MOVE new.txt old.txt", "ADD side/c d.go", "MODIFY src/a.go", "DELETE src/b.go"}, 2},
		{"from the merge base", "/compare/changes?from=" + h.second + "&to=" + h.side, []string{"MOVE new.txt old.txt", "MODIFY src/a.go"}, 1},
		{"changes", "/changes?since=" + h.side + "&until=" + h.second, []string{"MOVE new.txt old.txt", "DELETE side/c d.go", "MODIFY src/a.go", "ADD src/b.go"}, 2},
		{"of one commit", "/changes?until=" + h.side, []string{"ADD side/c d.go", "DELETE src/b.go"}, 1},
		{"of the first", "/changes?until=" + h.alone, []string{"ADD page.html"}, 1},
		{"nothing", "/compare/changes?from=main&to=main", nil, 1},
	} {
		all, pages := dcFollow(t, s, dcRepo+tt.query)
		var got []string
		for _, v := range all.Values {
			got = append(got, strings.TrimSpace(v.Type+" "+v.Path.ToString+" "+v.SrcPath.ToString))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || pages != tt.pages {
			t.Errorf("%s: %d pages, %s", tt.name, pages, diff)
		}
	}
	all, pages := dcFollow(t, s, dcRepo+"/commits?since="+h.first+"&until=main")
	if len(all.Values) != 3 || all.Values[0].ID != h.merge || pages != 2 {
		t.Error(all, pages)
	}
	all, pages = dcFollow(t, s, dcRepo+"/branches?orderBy=ALPHABETICAL")
	if len(all.Values) != 3 || all.Values[1].ID != "refs/heads/main" || all.Values[1].LatestCommit != h.merge || !all.Values[1].IsDefault || pages != 2 {
		t.Error(all, pages)
	}
	exchanges(t, s, []exchange{
		{"repository", "GET", dcRepo, "", nil, 200, `"key":"acme"`},
		{"latest", "GET", "/rest/api/latest/projects/acme/repos/shop", "", nil, 200, ""},
		{"default branch", "GET", dcRepo + "/default-branch", "", nil, 200, `"displayId":"main"`},
		{"older", "GET", dcRepo + "/branches/default", "", nil, 200, h.merge},
		{"commit", "GET", dcRepo + "/commits/" + h.side, "", nil, 200, `"emailAddress":"bob@example.com"`},
		{"filtered", "GET", dcRepo + "/branches?filterText=FEAT", "", nil, 200, `"size":1`},
		{"zeros", "GET", dcRepo + "/compare/changes?from=" + h.merge + "&to=" + zeros, "", nil, 404, "NoSuchCommitException"},
		{"zeros first", "GET", dcRepo + "/compare/changes?to=" + h.merge + "&from=" + zeros, "", nil, 404, "does not exist in repository 'shop'"},
		{"no since", "GET", dcRepo + "/changes?until=main&since=none", "", nil, 404, "NoSuchCommitException"},
		{"no commit", "GET", dcRepo + "/commits/none", "", nil, 404, "NoSuchCommitException"},
		{"no repository", "GET", "/rest/api/1.0/projects/ACME/repos/none", "", nil, 404, "NoSuchRepositoryException"},
		{"no resource", "GET", "/none", "", nil, 404, `"errors"`},
	})
	h.DeleteBranch("main")
	exchanges(t, s, []exchange{{"no default branch", "GET", dcRepo + "/default-branch", "", nil, 404, "NoDefaultBranchException"}})
}

// TestDataCenterMost shows that what is beyond the bound cannot be had.
func TestDataCenterMost(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "bitbucket-datacenter"})
	h := describe(s)
	var many []hosttest.Change
	for i := range 1200 {
		many = append(many, hosttest.Change{Path: fmt.Sprint("many/", i)})
	}
	tip := h.Commit([]string{h.merge}, "many", someone, many...)
	all, pages := dcFollow(t, s, dcRepo+"/compare/changes?from="+tip+"&to=main")
	if len(all.Values) != 1000 || pages != 1 {
		t.Error(len(all.Values), pages)
	}
}

func TestDataCenterAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hosttest.New(hosttest.Options{Host: "bitbucket-datacenter", ContextPath: "/bitbucket", Token: "t", ReadToken: "r", User: "u", Password: "p"})
		h := describe(s)
		at := "/bitbucket" + dcRepo
		builds, older := at+"/commits/"+h.merge+"/builds", "/bitbucket/rest/build-status/1.0/commits/"+h.merge
		status := func(key, state, url string) string {
			return `{"key":"` + key + `","state":"` + state + `","name":"n","description":"d","url":"` + url + `"}`
		}
		const ci = "http://ci:8080/1"
		exchanges(t, s, []exchange{
			{"anonymous", "GET", at, "", nil, 401, "not permitted"},
			{"wrong token", "GET", at, "", bearer("x"), 401, "Authentication failed"},
			{"wrong password", "GET", at, "", basic("u", "x"), 401, "Authentication failed"},
			{"password", "GET", at, "", basic("u", "p"), 200, ""},
			{"elsewhere", "GET", dcRepo, "", bearer("t"), 404, ""},
			{"status", "POST", builds, status("k", "INPROGRESS", ci), bearer("r"), 204, ""},
			{"older", "POST", older, status("k", "SUCCESSFUL", ci), bearer("t"), 204, ""},
			{"cancelled", "POST", builds, status("k", "CANCELLED", ci), bearer("t"), 204, ""},
			{"cancelled, older", "POST", older, status("k", "CANCELLED", ci), bearer("t"), 400, `"context":"state"`},
			{"unknown commit, older", "POST", "/bitbucket/rest/build-status/1.0/commits/" + zeros, status("k", "FAILED", ci), bearer("t"), 204, ""},
			{"older, anonymous", "POST", older, status("k", "FAILED", ci), nil, 401, ""},
			{"older, wrong", "POST", older, status("k", "FAILED", ci), bearer("x"), 401, ""},
			{"no key", "POST", builds, status("", "FAILED", ci), bearer("t"), 400, `"context":"key"`},
			{"long key", "POST", builds, status(strings.Repeat("k", 256), "FAILED", ci), bearer("t"), 400, `"context":"key"`},
			{"wrong address", "POST", builds, status("k", "FAILED", "ci"), bearer("t"), 400, `"context":"url"`},
			{"no JSON", "POST", builds, "{", bearer("t"), 400, `"errors"`},
			{"form", "POST", builds, "key=k", append(bearer("t"), "Content-Type", "application/x-www-form-urlencoded"), 415, ""},
			{"no commit", "POST", at + "/commits/none/builds", status("k", "FAILED", ci), bearer("t"), 404, "NoSuchCommitException"},
		})
		want := []hosttest.Status{{"k", "INPROGRESS", "n", "d", ci}, {"k", "SUCCESSFUL", "n", "d", ci}, {"k", "CANCELLED", "n", "d", ci}}
		if diff := cmp.Diff(want, s.Statuses("ACME/shop", h.merge)); diff != "" {
			t.Error(diff)
		}
		s.LimitRate(0, 1500*time.Millisecond)
		w := ask(s, "GET", at, "", bearer("t")...)
		if w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Header().Get("X-RateLimit-Remaining") != "0" {
			t.Error(w.Code, w.Header())
		}
	})
}
