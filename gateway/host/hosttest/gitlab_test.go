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

const gitlabRepo = "/api/v4/projects/acme%2Fshop"

type gitlabDiff struct {
	Old     string `json:"old_path"`
	New     string `json:"new_path"`
	Added   bool   `json:"new_file"`
	Renamed bool   `json:"renamed_file"`
	Deleted bool   `json:"deleted_file"`
}

func (d gitlabDiff) String() string {
	switch {
	case d.Added:
		return "added " + d.New
	case d.Deleted:
		return "deleted " + d.Old
	case d.Renamed:
		return "renamed " + d.Old + " " + d.New
	}
	return "modified " + d.New
}

type gitlabCompare struct {
	Commit  *struct{ ID string }
	Commits []struct{ ID string }
	Diffs   []gitlabDiff
	Timeout bool `json:"compare_timeout"`
	Same    bool `json:"compare_same_ref"`
}

func TestGitLabCompare(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "gitlab"})
	h := describe(s)
	for _, tt := range []struct {
		name, from, to, straight string
		commits                  int
		same                     bool
		diffs                    string
	}{
		{"ahead", h.first, h.merge, "", 3, false, "[renamed old.txt new.txt added side/c d.go modified src/a.go deleted src/b.go]"},
		{"behind", "main", h.side, "", 0, false, "[]"},
		{"behind, straight", h.merge, h.side, "true", 0, false, "[renamed new.txt old.txt modified src/a.go]"},
		{"diverged", h.second, "feature/x", "false", 1, false, "[added side/c d.go deleted src/b.go]"},
		{"same", "main", "v1", "", 0, true, "[]"},
	} {
		c, _ := get[gitlabCompare](t, s, gitlabRepo+"/repository/compare?from="+tt.from+"&to="+tt.to+"&straight="+tt.straight)
		if len(c.Commits) != tt.commits || c.Same != tt.same || fmt.Sprint(c.Diffs) != tt.diffs || c.Timeout || (c.Commit != nil) != (tt.commits > 0) {
			t.Errorf("%s: %+v", tt.name, c)
		}
	}
	var many []hosttest.Change
	for i := range 1001 {
		many = append(many, hosttest.Change{Path: fmt.Sprint("many/", i)})
	}
	tip := h.Commit([]string{h.merge}, "many", someone, many...)
	if c, _ := get[gitlabCompare](t, s, gitlabRepo+"/repository/compare?from=main&to="+tip); !c.Timeout || len(c.Diffs) != 1000 {
		t.Error(c.Timeout, len(c.Diffs))
	}
	exchanges(t, s, []exchange{
		{"unknown", "GET", gitlabRepo + "/repository/compare?from=" + zeros + "&to=main", "", nil, 404, "404 Ref Not Found"},
		{"no to", "GET", gitlabRepo + "/repository/compare?from=main", "", nil, 400, "to is missing"},
		{"merge base", "GET", gitlabRepo + "/repository/merge_base?refs[]=" + h.second + "&refs[]=" + h.side, "", nil, 200, `"id":"` + h.first},
		{"merge base, listed", "GET", gitlabRepo + "/repository/merge_base?refs=main,feature/x", "", nil, 200, `"id":"` + h.side},
		{"no merge base", "GET", gitlabRepo + "/repository/merge_base?refs[]=main&refs[]=unrelated", "", nil, 404, "404 Merge Base Not Found"},
		{"one ref", "GET", gitlabRepo + "/repository/merge_base?refs[]=main", "", nil, 400, "Provide at least 2 refs"},
		{"unknown ref", "GET", gitlabRepo + "/repository/merge_base?refs[]=main&refs[]=x", "", nil, 400, "Could not find ref: x"},
		{"unknown refs", "GET", gitlabRepo + "/repository/merge_base?refs[]=x&refs[]=y", "", nil, 400, "Could not find refs: x, y"},
	})
}

func TestGitLabLists(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "gitlab", PageSize: 2})
	h := describe(s)
	var names []string
	pages := 0
	for at := gitlabRepo + "/repository/branches?per_page=100"; at != ""; pages++ {
		list, w := get[[]struct{ Name string }](t, s, at)
		for _, b := range list {
			names = append(names, b.Name)
		}
		at = next(w.Header())
		if (at != "") != (w.Header().Get("X-Next-Page") != "") || w.Header().Get("X-Total") != "3" {
			t.Error(w.Header())
		}
	}
	if diff := cmp.Diff([]string{"feature/x", "main", "unrelated"}, names); diff != "" || pages != 2 {
		t.Error(pages, diff)
	}
	var diffs []string
	for at := gitlabRepo + "/repository/commits/" + h.merge + "/diff"; at != ""; {
		list, w := get[[]gitlabDiff](t, s, at)
		for _, d := range list {
			diffs = append(diffs, d.String())
		}
		at = next(w.Header())
	}
	if diff := cmp.Diff([]string{"added side/c d.go", "deleted src/b.go"}, diffs); diff != "" {
		t.Error(diff)
	}
	exchanges(t, s, []exchange{
		{"project", "GET", gitlabRepo, "", nil, 200, `"default_branch":"main"`},
		{"by number", "GET", "/api/v4/projects/1", "", nil, 200, `"path_with_namespace":"acme/shop"`},
		{"branch", "GET", gitlabRepo + "/repository/branches/feature%2Fx", "", nil, 200, h.side},
		{"no branch", "GET", gitlabRepo + "/repository/branches/x", "", nil, 404, "404 Branch Not Found"},
		{"list", "GET", gitlabRepo + "/repository/commits?ref_name=" + h.first + "..main", "", nil, 200, h.side},
		{"commit", "GET", gitlabRepo + "/repository/commits/" + h.side, "", nil, 200, `"author_email":"bob@example.com"`},
		{"no commit", "GET", gitlabRepo + "/repository/commits/" + zeros, "", nil, 404, "404 Commit Not Found"},
		{"no commit's files", "GET", gitlabRepo + "/repository/commits/" + zeros + "/diff", "", nil, 404, "404 Commit Not Found"},
		{"no project", "GET", "/api/v4/projects/acme%2Fnone", "", nil, 404, "404 Project Not Found"},
		{"no resource", "GET", "/none", "", nil, 404, "message"},
	})
	deep := s.AddRepo("group/sub/group/name", "main")
	id := deep.Commit(nil, "m", someone)
	deep.SetBranch("main", id)
	exchanges(t, s, []exchange{{"subgroup", "GET", "/api/v4/projects/group%2Fsub%2Fgroup%2Fname/repository/commits/main", "", nil, 200, id}})
}

func TestGitLabAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hosttest.New(hosttest.Options{Host: "gitlab", Token: "t", ReadToken: "r"})
		h := describe(s)
		loose := h.Commit(nil, "loose", someone)
		post := gitlabRepo + "/statuses/" + h.merge
		private := []string{"PRIVATE-TOKEN", "t"}
		form := append([]string{"Content-Type", "application/x-www-form-urlencoded"}, private...)
		const same = `Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")`
		exchanges(t, s, []exchange{
			{"anonymous", "GET", gitlabRepo, "", nil, 404, "404 Project Not Found"},
			{"wrong token", "GET", gitlabRepo, "", []string{"PRIVATE-TOKEN", "x"}, 401, "401 Unauthorized"},
			{"wrong bearer", "GET", gitlabRepo, "", bearer("x"), 401, "401 Unauthorized"},
			{"token", "GET", gitlabRepo, "", private, 200, ""},
			{"bearer", "GET", gitlabRepo, "", bearer("t"), 200, ""},
			{"write with read", "POST", post, `{"state":"pending"}`, bearer("r"), 403, "insufficient_scope"},
			{"pending", "POST", post, `{"state":"pending","name":"ci","description":"d","target_url":"https://ci.example.com/1"}`, private, 201, `"status":"pending"`},
			{"pending again", "POST", post, `{"state":"pending","name":"ci"}`, private, 400, "via :enqueue from :pending"},
			{"running", "POST", post, "state=running&context=ci", form, 201, `"name":"ci"`},
			{"running again", "POST", post + "?state=running&name=ci", "", form, 400, same},
			{"back", "POST", post, `{"state":"pending","name":"ci"}`, private, 400, "via :enqueue from :running"},
			{"success", "POST", post, `{"state":"success","name":"ci"}`, private, 201, ""},
			{"success again", "POST", post, `{"state":"success","name":"ci"}`, private, 201, ""},
			{"anew", "POST", post, `{"state":"running","name":"ci"}`, private, 201, ""},
			{"other name", "POST", post, `{"state":"running"}`, private, 201, `"name":"default"`},
			{"no state", "POST", post, `{}`, private, 400, "state is missing"},
			{"wrong state", "POST", post, `{"state":"error"}`, private, 400, "state does not have a valid value"},
			{"long", "POST", post, `{"state":"failed","description":"` + strings.Repeat("d", 256) + `"}`, private, 400, "is too long"},
			{"long name", "POST", post, `{"state":"failed","name":"` + strings.Repeat("n", 256) + `"}`, private, 400, "is too long"},
			{"wrong address", "POST", post, `{"state":"failed","target_url":"ci"}`, private, 400, "Only allowed schemes are http, https"},
			{"no JSON", "POST", post, "{", private, 400, "error"},
			{"no commit", "POST", gitlabRepo + "/statuses/" + zeros, `{"state":"failed"}`, private, 404, "404 Commit Not Found"},
			{"on no branch", "POST", gitlabRepo + "/statuses/" + loose, `{"state":"failed"}`, private, 404, "404 References for commit Not Found"},
			{"on no branch, named", "POST", gitlabRepo + "/statuses/" + loose, `{"state":"failed","ref":"main"}`, private, 201, ""},
		})
		var states []string
		for _, st := range s.Statuses("acme/shop", h.merge) {
			states = append(states, st.Key+" "+st.State)
		}
		if diff := cmp.Diff([]string{"ci pending", "ci running", "ci success", "ci success", "ci running", "default running"}, states); diff != "" {
			t.Error(diff)
		}
		s.LimitRate(0, time.Minute)
		w := ask(s, "GET", gitlabRepo, "", private...)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || w.Header().Get("RateLimit-Remaining") != "0" {
			t.Error(w.Code, w.Header())
		}
	})
}
