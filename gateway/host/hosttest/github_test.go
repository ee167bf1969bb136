package hosttest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

const githubRepo = "/repos/acme/shop"

type githubCompare struct {
	Status          string
	AheadBy         int `json:"ahead_by"`
	BehindBy        int `json:"behind_by"`
	TotalCommits    int `json:"total_commits"`
	MergeBaseCommit struct {
		SHA string
	} `json:"merge_base_commit"`
	Commits []struct{ SHA string }
	Files   []githubFile
}

type githubFile struct {
	Filename, Status string
	Previous         string `json:"previous_filename"`
}

func (f githubFile) String() string {
	return strings.TrimSpace(f.Status + " " + f.Filename + " " + f.Previous)
}

var nextLink = regexp.MustCompile(`<([^>]+)>; rel="next"`)

// next is the address of the next page in a Link header.
func next(w http.Header) string {
	if m := nextLink.FindStringSubmatch(w.Get("Link")); m != nil {
		return m[1]
	}
	return ""
}

func TestGitHubCompare(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "github"})
	h := describe(s)
	for _, tt := range []struct {
		name, spec, status string
		ahead, behind      int
		base               string
		files              string
	}{
		{"ahead", h.first + "..." + h.merge, "ahead", 3, 0, h.first, "[renamed new.txt old.txt added side/c d.go modified src/a.go removed src/b.go]"},
		{"behind", h.merge + "..." + h.side, "behind", 0, 2, h.side, "[]"},
		{"diverged", h.second + "...feature/x", "diverged", 1, 1, h.first, "[added side/c d.go removed src/b.go]"},
		{"encoded", h.second + "...feature%2Fx", "diverged", 1, 1, h.first, "[added side/c d.go removed src/b.go]"},
		{"identical", "main...v1", "identical", 0, 0, h.merge, "[]"},
	} {
		c, _ := get[githubCompare](t, s, githubRepo+"/compare/"+tt.spec)
		if c.Status != tt.status || c.AheadBy != tt.ahead || c.BehindBy != tt.behind || c.MergeBaseCommit.SHA != tt.base || len(c.Commits) != tt.ahead || fmt.Sprint(c.Files) != tt.files {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	exchanges(t, s, []exchange{
		{"unrelated", "GET", githubRepo + "/compare/main...unrelated", "", nil, 404, "No common ancestor between main and unrelated."},
		{"unknown", "GET", githubRepo + "/compare/" + zeros + "..." + h.merge, "", nil, 404, `"message":"Not Found"`},
		{"two dots", "GET", githubRepo + "/compare/main..v1", "", nil, 404, `"message":"Not Found"`},
	})
}

func TestGitHubPages(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "github"})
	h := describe(s)
	var many []hosttest.Change
	for i := range 650 {
		many = append(many, hosttest.Change{Path: fmt.Sprintf("many/%03d", i)})
	}
	tip := h.Commit([]string{h.merge}, "many", someone, many...)
	head := tip
	for i := range 300 {
		head = h.Commit([]string{head}, fmt.Sprint(i), someone)
	}
	h.SetBranch("long", head)

	c, w := get[githubCompare](t, s, githubRepo+"/compare/main...long")
	if len(c.Commits) != 250 || c.TotalCommits != 301 || len(c.Files) != 300 || c.Commits[249].SHA != head || next(w.Header()) != "" {
		t.Error(len(c.Commits), c.TotalCommits, len(c.Files), w.Header())
	}
	commits, pages := 0, 0
	for at := githubRepo + "/compare/main...long?per_page=100"; at != ""; pages++ {
		c, w := get[githubCompare](t, s, at)
		if (pages == 0) != (len(c.Files) == 300) || (pages > 0) != (c.Files == nil) {
			t.Error("files on page", pages, len(c.Files))
		}
		commits += len(c.Commits)
		at = next(w.Header())
	}
	if commits != 301 || pages != 4 {
		t.Error(commits, pages)
	}
	files := map[string]bool{}
	pages = 0
	for at := githubRepo + "/commits/" + tip; at != ""; pages++ {
		c, w := get[githubCompare](t, s, at)
		for _, f := range c.Files {
			files[f.Filename] = true
		}
		at = next(w.Header())
	}
	if len(files) != 650 || pages != 3 {
		t.Error(len(files), pages)
	}
}

func TestGitHubCommitsAndBranches(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "github", PageSize: 2})
	h := describe(s)
	var names []string
	pages := 0
	for at := githubRepo + "/branches?per_page=100"; at != ""; pages++ {
		list, w := get[[]struct{ Name string }](t, s, at)
		for _, b := range list {
			names = append(names, b.Name)
		}
		at = next(w.Header())
	}
	if diff := cmp.Diff([]string{"feature/x", "main", "unrelated"}, names); diff != "" || pages != 2 {
		t.Error(pages, diff)
	}
	exchanges(t, s, []exchange{
		{"repository", "GET", githubRepo, "", nil, 200, `"default_branch":"main"`},
		{"branch", "GET", githubRepo + "/branches/feature/x", "", nil, 200, h.side},
		{"no branch", "GET", githubRepo + "/branches/x", "", nil, 404, "Branch not found"},
		{"list", "GET", githubRepo + "/commits?sha=main", "", nil, 200, h.side},
		{"by branch", "GET", githubRepo + "/commits/feature/x", "", nil, 200, `"filename":"side/c d.go"`},
		{"merge", "GET", githubRepo + "/commits/" + h.merge, "", nil, 200, `"filename":"side/c d.go"`},
		{"no commit", "GET", githubRepo + "/commits/" + zeros, "", nil, 422, "No commit found for SHA: " + zeros},
		{"tag object", "GET", githubRepo + "/commits/" + h.Tag("v1"), "", nil, 422, "No commit found for SHA"},
		{"no repository", "GET", "/repos/acme/none", "", nil, 404, "Not Found"},
		{"no resource", "GET", "/none", "", nil, 404, "message"},
	})
}

func TestGitHubAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hosttest.New(hosttest.Options{Host: "github", Token: "t", ReadToken: "r"})
		h := describe(s)
		post := githubRepo + "/statuses/" + h.merge
		const good = `{"state":"pending","context":"ci/x","description":"d","target_url":"https://ci.example.com/1"}`
		exchanges(t, s, []exchange{
			{"anonymous", "GET", githubRepo, "", nil, 404, "Not Found"},
			{"wrong token", "GET", githubRepo, "", bearer("x"), 401, "Bad credentials"},
			{"wrong password", "GET", githubRepo, "", basic("u", "x"), 401, "Bad credentials"},
			{"token", "GET", githubRepo, "", []string{"Authorization", "token t"}, 200, ""},
			{"as password", "GET", githubRepo, "", basic("u", "t"), 200, ""},
			{"write with read", "POST", post, good, bearer("r"), 403, "Resource not accessible"},
			{"status", "POST", post, good, bearer("t"), 201, `"context":"ci/x"`},
			{"plain", "POST", post, `{"state":"success"}`, bearer("t"), 201, `"context":"default"`},
			{"wrong state", "POST", post, `{"state":"failed"}`, bearer("t"), 422, `"field":"state"`},
			{"long", "POST", post, `{"state":"error","description":"` + strings.Repeat("é", 141) + `"}`, bearer("t"), 422, "description is too long (maximum is 140 characters)"},
			{"just not long", "POST", post, `{"state":"error","description":"` + strings.Repeat("é", 140) + `"}`, bearer("t"), 201, ""},
			{"wrong address", "POST", post, `{"state":"error","target_url":"ci"}`, bearer("t"), 422, "target_url must use http(s) scheme"},
			{"no JSON", "POST", post, "{", bearer("t"), 400, "Problems parsing JSON"},
			{"no commit", "POST", githubRepo + "/statuses/" + zeros, good, bearer("t"), 422, "No commit found for SHA"},
			{"branch", "POST", githubRepo + "/statuses/main", good, bearer("t"), 422, "No commit found for SHA"},
		})
		got := s.Statuses("acme/shop", h.merge)
		if len(got) != 3 || got[0] != (hosttest.Status{Key: "ci/x", State: "pending", Description: "d", URL: "https://ci.example.com/1"}) {
			t.Error(got)
		}
		for range 999 {
			ask(s, "POST", post, good, bearer("t")...)
		}
		exchanges(t, s, []exchange{{"too many", "POST", post, good, bearer("t"), 422, "maximum number of statuses"}})

		s.LimitRate(1, 90*time.Second)
		ask(s, "GET", githubRepo, "", bearer("t")...)
		w := ask(s, "GET", githubRepo, "", bearer("t")...)
		reset, err := strconv.ParseInt(w.Header().Get("X-RateLimit-Reset"), 10, 64)
		if w.Code != 403 || w.Header().Get("X-RateLimit-Remaining") != "0" || err != nil || time.Until(time.Unix(reset, 0)) < 90*time.Second {
			t.Error(w.Code, w.Header(), err)
		}
		time.Sleep(time.Until(time.Unix(reset, 0)))
		exchanges(t, s, []exchange{{"again", "GET", githubRepo, "", bearer("t"), 200, ""}})
	})
}
