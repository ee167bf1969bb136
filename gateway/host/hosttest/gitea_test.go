package hosttest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

const giteaRepo = "/api/v1/repos/acme/shop"

type giteaCompare struct {
	Total   int `json:"total_commits"`
	Commits []struct {
		SHA   string
		Files []struct{ Filename, Status string }
	}
}

func (c giteaCompare) String() string {
	var lines []string
	for _, c := range c.Commits {
		line := c.SHA[:7]
		for _, f := range c.Files {
			line += " " + f.Status + " " + f.Filename
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestGiteaCompare(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "gitea"})
	h := describe(s)
	const sideFiles, mainFiles = " added side/c d.go removed src/b.go", " removed old.txt added new.txt modified src/a.go"
	for _, tt := range []struct{ name, spec, want string }{
		{"ahead", h.first + "..." + h.merge, h.merge[:7] + sideFiles + "; " + h.side[:7] + sideFiles + "; " + h.second[:7] + mainFiles},
		{"two dots", h.first + ".." + h.second, h.second[:7] + mainFiles},
		{"behind", h.merge + "..." + h.first, ""},
		{"branch with a slash", h.second + "...feature/x", h.side[:7] + sideFiles},
		{"from the default branch", "feature/x", ""},
		{"unrelated", "main...unrelated", ""},
		{"without files", h.first + "..." + h.second + "?files=false", h.second[:7]},
	} {
		c, _ := get[giteaCompare](t, s, giteaRepo+"/compare/"+tt.spec)
		if c.String() != tt.want || c.Total != len(c.Commits) {
			t.Errorf("%s: %v, %d", tt.name, c, c.Total)
		}
	}
	exchanges(t, s, []exchange{
		{"unknown", "GET", giteaRepo + "/compare/" + zeros + "...main", "", nil, 404, "The target couldn't be found."},
	})
}

func TestGiteaLists(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "gitea", PageSize: 2})
	h := describe(s)
	var names []string
	pages := 0
	for at := giteaRepo + "/branches?limit=50"; at != ""; pages++ {
		list, w := get[[]struct{ Name string }](t, s, at)
		for _, b := range list {
			names = append(names, b.Name)
		}
		if w.Header().Get("X-Total-Count") != "3" {
			t.Error(w.Header())
		}
		at = next(w.Header())
	}
	if diff := cmp.Diff([]string{"feature/x", "main", "unrelated"}, names); diff != "" || pages != 2 {
		t.Error(pages, diff)
	}
	_, w := get[[]any](t, s, giteaRepo+"/commits?sha=main&not="+h.first)
	if w.Header().Get("X-Total-Count") != "3" || w.Header().Get("X-HasMore") != "true" {
		t.Error(w.Header())
	}
	exchanges(t, s, []exchange{
		{"repository", "GET", giteaRepo, "", nil, 200, `"default_branch":"main"`},
		{"branch", "GET", giteaRepo + "/branches/feature/x", "", nil, 200, h.side},
		{"no branch", "GET", giteaRepo + "/branches/x", "", nil, 404, "couldn't be found"},
		{"commit", "GET", giteaRepo + "/git/commits/" + h.side, "", nil, 200, `"filename":"side/c d.go","status":"added"`},
		{"no commit", "GET", giteaRepo + "/git/commits/" + zeros, "", nil, 404, "couldn't be found"},
		{"no name of one", "GET", giteaRepo + "/git/commits/a..b", "", nil, 422, "no valid ref or sha"},
		{"no such list", "GET", giteaRepo + "/commits?sha=none", "", nil, 404, "couldn't be found"},
		{"no repository", "GET", "/api/v1/repos/acme/none", "", nil, 404, "couldn't be found"},
		{"no resource", "GET", "/none", "", nil, 404, "message"},
	})
}

func TestGiteaAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hosttest.New(hosttest.Options{Host: "gitea", Token: "t", ReadToken: "r", User: "u", Password: "p"})
		h := describe(s)
		post := giteaRepo + "/statuses/" + h.merge
		good := `{"state":"%s","context":"ci/x","description":"d","target_url":"http://ci/1"}`
		token := []string{"Authorization", "token t"}
		list := []exchange{
			{"anonymous", "GET", giteaRepo, "", nil, 404, "couldn't be found"},
			{"wrong token", "GET", giteaRepo, "", []string{"Authorization", "token x"}, 401, "invalid username, password or token"},
			{"wrong password", "GET", giteaRepo, "", basic("u", "x"), 401, "invalid"},
			{"password", "GET", giteaRepo, "", basic("u", "p"), 200, ""},
			{"token as password", "GET", giteaRepo, "", basic("u", "t"), 200, ""},
			{"bearer", "GET", giteaRepo, "", bearer("t"), 200, ""},
			{"write with read", "POST", post, fmt.Sprintf(good, "pending"), bearer("r"), 403, "required=[write:repository]"},
			{"wrong state", "POST", post, fmt.Sprintf(good, "running"), token, 422, "state"},
			{"no JSON", "POST", post, "{", token, 422, "message"},
			{"no commit", "POST", giteaRepo + "/statuses/" + zeros, fmt.Sprintf(good, "pending"), token, 500, "object does not exist"},
			{"plain", "POST", post, `{"state":"pending"}`, token, 201, `"context":"default"`},
		}
		for _, state := range []string{"pending", "success", "error", "failure", "warning"} {
			list = append(list, exchange{state, "POST", post, fmt.Sprintf(good, state), token, 201, `"status":"` + state})
		}
		exchanges(t, s, list)
		got := s.Statuses("acme/shop", h.merge)
		if len(got) != 6 || got[1] != (hosttest.Status{Key: "ci/x", State: "pending", Description: "d", URL: "http://ci/1"}) {
			t.Error(got)
		}
		s.LimitRate(0, time.Minute)
		if w := ask(s, "GET", giteaRepo, "", token...); w.Code != 429 || w.Header().Get("Retry-After") != "60" {
			t.Error(w.Code, w.Header())
		}
	})
}
