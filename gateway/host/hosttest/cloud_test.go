package hosttest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

const cloudRepo = "/2.0/repositories/acme/shop"

type cloudPage struct {
	Values []struct {
		Hash, Name, Status string
		Old, New           *struct{ Path string }
	}
	Next string
	Size *int
}

// follow reads all pages of a list.
func follow(t *testing.T, s http.Handler, target string, header ...string) (all cloudPage, pages int) {
	t.Helper()
	for target != "" {
		p, _ := get[cloudPage](t, s, target, header...)
		all.Values = append(all.Values, p.Values...)
		target = p.Next
		pages++
	}
	return all, pages
}

func TestCloudFiles(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "bitbucket-cloud", PageSize: 2, ContextPath: "/git"})
	h := describe(s)
	for _, tt := range []struct {
		name, spec, query string
		want              []string
		pages             int
	}{
		{"two dots", h.merge + ".." + h.first, "topic=false", []string{"renamed old.txt new.txt", "added  side/c d.go", "modified src/a.go src/a.go", "removed src/b.go "}, 2},
		{"the other way", h.first + ".." + h.second, "topic=false", []string{"renamed new.txt old.txt", "modified src/a.go src/a.go"}, 1},
		{"diverged", h.second + ".." + h.side, "topic=false", []string{"renamed old.txt new.txt", "removed side/c d.go ", "modified src/a.go src/a.go", "added  src/b.go"}, 2},
		{"from the merge base", h.second + ".." + h.side, "topic=true", []string{"renamed old.txt new.txt", "modified src/a.go src/a.go"}, 1},
		{"unless told", h.second + ".." + h.side, "", []string{"renamed old.txt new.txt", "modified src/a.go src/a.go"}, 1},
		{"one commit", h.side, "", []string{"added  side/c d.go", "removed src/b.go "}, 1},
		{"branches", "main..feature/x", "topic=false&renames=false", []string{"added  new.txt", "removed old.txt ", "modified src/a.go src/a.go"}, 2},
		{"nothing", h.first + ".." + h.first, "topic=false", nil, 1},
		{"short ids", h.side[:12] + ".." + h.first[:12], "topic=false&path=side", []string{"added  side/c d.go"}, 1},
	} {
		all, pages := follow(t, s, "/git"+cloudRepo+"/diffstat/"+tt.spec+"?"+tt.query)
		var got []string
		for _, v := range all.Values {
			line := v.Status + " "
			if v.Old != nil {
				line += v.Old.Path
			}
			line += " "
			if v.New != nil {
				line += v.New.Path
			}
			got = append(got, line)
		}
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(last(a), last(b)) })
		slices.SortFunc(tt.want, func(a, b string) int { return strings.Compare(last(a), last(b)) })
		if diff := cmp.Diff(tt.want, got); diff != "" || pages != tt.pages {
			t.Errorf("%s: %d pages, %s", tt.name, pages, diff)
		}
	}
	p, _ := get[cloudPage](t, s, "/git"+cloudRepo+"/diffstat/main.."+h.first+"?topic=false")
	if !strings.HasPrefix(p.Next, "http://example.com/git"+cloudRepo+"/diffstat/main..") || *p.Size != 4 {
		t.Error(p.Next, *p.Size)
	}
}

func last(s string) string { return strings.TrimSpace(s[strings.IndexByte(s, ' '):]) }

func TestCloudCommitsAndBranches(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "bitbucket-cloud", PageSize: 2})
	h := describe(s)
	all, pages := follow(t, s, cloudRepo+"/commits?include=main&exclude="+h.first)
	if len(all.Values) != 3 || pages != 2 || all.Values[0].Hash != h.merge || all.Size != nil {
		t.Error(all, pages)
	}
	if all, _ := follow(t, s, cloudRepo+"/commits/"+h.merge+"?exclude="+h.side); len(all.Values) != 2 {
		t.Error(all)
	}
	if all, _ := follow(t, s, cloudRepo+"/commits/"); len(all.Values) != 5 {
		t.Error(all)
	}
	all, pages = follow(t, s, cloudRepo+"/refs/branches")
	if len(all.Values) != 3 || pages != 2 || all.Values[0].Name != "feature/x" {
		t.Error(all, pages)
	}
	exchanges(t, s, []exchange{
		{"repository", "GET", cloudRepo, "", nil, 200, `"mainbranch":{"name":"main","type":"branch"}`},
		{"in other case", "GET", "/2.0/repositories/Acme/Shop", "", nil, 200, `"full_name":"acme/shop"`},
		{"merge base", "GET", cloudRepo + "/merge-base/" + h.second + ".." + h.side, "", nil, 200, `"hash":"` + h.first},
		{"no merge base", "GET", cloudRepo + "/merge-base/main..unrelated", "", nil, 404, `"type":"error"`},
		{"commit", "GET", cloudRepo + "/commit/" + h.second, "", nil, 200, `"raw":"Ada <ada@example.com>"`},
		{"branch", "GET", cloudRepo + "/refs/branches/feature/x", "", nil, 200, h.side},
		{"no branch", "GET", cloudRepo + "/refs/branches/x", "", nil, 404, `"type":"error"`},
		{"no commit", "GET", cloudRepo + "/commit/abcdefabcdef", "", nil, 404, `"shas":["abcdefabcdef"]`},
		{"no new", "GET", cloudRepo + "/diffstat/" + zeros + ".." + h.first, "", nil, 404, "Commit not found"},
		{"no old", "GET", cloudRepo + "/diffstat/" + h.first + ".." + zeros, "", nil, 404, "Commit not found"},
		{"no exclude", "GET", cloudRepo + "/commits?exclude=none", "", nil, 404, "Commit not found"},
		{"no repository", "GET", "/2.0/repositories/acme/none/refs/branches", "", nil, 404, "no longer exists"},
		{"long page", "GET", cloudRepo + "/refs/branches?pagelen=101", "", nil, 400, "Invalid pagelen"},
		{"no page", "GET", cloudRepo + "/refs/branches?page=9", "", nil, 404, "Invalid page"},
		{"no resource", "GET", "/2.0/none", "", nil, 404, `"type":"error"`},
	})
}

func TestCloudAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := hosttest.New(hosttest.Options{
			Host: "bitbucket-cloud", Token: "t", ReadToken: "r", User: "a@example.com", Password: "p",
			ClientID: "id", ClientSecret: "secret", TokenLife: time.Hour,
		})
		h := describe(s)
		build := cloudRepo + "/commit/" + h.merge + "/statuses/build"
		status := func(key, state, url string) string {
			return `{"key":"` + key + `","state":"` + state + `","name":"n","description":"d","url":"` + url + `"}`
		}
		const ci = "https://ci.example.com/1"
		exchanges(t, s, []exchange{
			{"anonymous", "GET", cloudRepo, "", nil, 404, "authenticated"},
			{"wrong token", "GET", cloudRepo, "", bearer("x"), 401, "Token is invalid"},
			{"wrong password", "GET", cloudRepo, "", basic("a@example.com", "x"), 401, "Token is invalid"},
			{"password", "GET", cloudRepo, "", basic("a@example.com", "p"), 200, ""},
			{"read", "GET", cloudRepo, "", bearer("r"), 200, ""},
			{"write with read", "POST", build, status("k", "FAILED", ci), bearer("r"), 403, `"required":["repository:write"]`},
			{"status", "POST", build, status("k", "INPROGRESS", ci), bearer("t"), 201, `"type":"build"`},
			{"replaced", "POST", build + "/", status("k", "SUCCESSFUL", ci), bearer("t"), 201, `"state":"SUCCESSFUL"`},
			{"long key", "POST", build, status(strings.Repeat("k", 41), "FAILED", ci), bearer("t"), 400, "key: Ensure this value has at most 40 characters (it has 41)."},
			{"no key", "POST", build, status("", "FAILED", ci), bearer("t"), 400, `"fields":{"key"`},
			{"wrong state", "POST", build, status("k", "failed", ci), bearer("t"), 400, `"fields":{"state"`},
			{"wrong address", "POST", build, status("k", "FAILED", "ftp://ci.example.com"), bearer("t"), 400, `"fields":{"url"`},
			{"unqualified", "POST", build, status("k", "FAILED", "http://ci:8080/"), bearer("t"), 400, `"fields":{"url"`},
			{"no JSON", "POST", build, "{", bearer("t"), 400, "Bad request"},
			{"no commit", "POST", cloudRepo + "/commit/none/statuses/build", status("k", "FAILED", ci), bearer("t"), 404, "Commit not found"},
		})
		want := []hosttest.Status{{"k", "INPROGRESS", "n", "d", ci}, {"k", "SUCCESSFUL", "n", "d", ci}}
		if diff := cmp.Diff(want, s.Statuses("acme/shop", h.merge)); diff != "" {
			t.Error(diff)
		}

		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		fetch := func() string {
			w := ask(s, "POST", "/site/oauth2/access_token", url.Values{"grant_type": {"client_credentials"}}.Encode(), append(form, basic("id", "secret")...)...)
			var v struct {
				Token string `json:"access_token"`
				Life  int    `json:"expires_in"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || v.Life != 3600 {
				t.Fatal(w.Code, w.Body, err)
			}
			return v.Token
		}
		exchanges(t, s, []exchange{
			{"wrong client", "POST", "/site/oauth2/access_token", "grant_type=client_credentials", append(form, basic("id", "x")...), 400, "unauthorized_client"},
			{"wrong grant", "POST", "/site/oauth2/access_token", "grant_type=password", append(form, basic("id", "secret")...), 400, "unsupported_grant_type"},
		})
		one := fetch()
		exchanges(t, s, []exchange{{"OAuth", "GET", cloudRepo, "", bearer(one), 200, ""}})
		s.ExpireTokens()
		two := fetch()
		exchanges(t, s, []exchange{
			{"revoked", "GET", cloudRepo, "", bearer(one), 401, "expired"},
			{"newer", "GET", cloudRepo, "", bearer(two), 200, ""},
		})
		time.Sleep(time.Hour)
		exchanges(t, s, []exchange{{"expired", "GET", cloudRepo, "", bearer(two), 401, "expired"}})

		s.LimitRate(1, time.Minute)
		exchanges(t, s, []exchange{
			{"last", "GET", cloudRepo, "", bearer("t"), 200, ""},
			{"limited", "GET", cloudRepo, "", bearer("t"), 429, "Rate limit for this resource has been exceeded"},
		})
		time.Sleep(time.Minute)
		exchanges(t, s, []exchange{{"again", "GET", cloudRepo, "", bearer("t"), 200, ""}})
	})
}

func TestFaultsAndRequests(t *testing.T) {
	s := hosttest.New(hosttest.Options{Host: "bitbucket-cloud"})
	describe(s)
	s.Down(true)
	exchanges(t, s, []exchange{{"down", "GET", cloudRepo, "", nil, 503, "<html>"}})
	s.Down(false)
	s.Break(hosttest.Fault{Status: 500, Times: 1, Body: "{}"})
	exchanges(t, s, []exchange{
		{"broken", "GET", cloudRepo + "?a=%20b", "", nil, 500, ""},
		{"healed", "GET", cloudRepo, "", nil, 200, ""},
	})
	want := []string{"GET " + cloudRepo, "GET " + cloudRepo + "?a=%20b", "GET " + cloudRepo}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Error(diff)
	}
	s.RemoveRepo("acme/shop")
	exchanges(t, s, []exchange{{"removed", "GET", cloudRepo, "", nil, 404, ""}})
}
