package api

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

// TestProven: a list of files is complete only where nothing in the answer speaks
// against it.
func TestProven(t *testing.T) {
	old, now := hash("a1"), hash("b2")
	dc := func(page string) answers {
		return answers{
			"GET /rest/api/1.0/projects/acme/repos/shop/compare/changes": page,
			"GET /rest/api/1.0/projects/acme/repos/shop/commits":         `{"values":[],"isLastPage":true}`,
			"GET /rest/api/1.0/projects/acme/repos/shop/changes":         page,
		}
	}
	hub := func(doc string) answers {
		doc = strings.NewReplacer("OLD", `{"sha":"`+old+`"}`, "NOW", `{"sha":"`+now+`"}`).Replace(doc)
		return answers{"GET /repos/acme/shop/compare/" + old + "..." + now: doc, "GET /repos/acme/shop/compare/" + now + "..." + old: doc}
	}
	lab := func(doc string) answers {
		return answers{"GET /api/v4/projects/acme%2Fshop/repository/compare": doc, "GET /api/v4/projects/acme%2Fshop/repository/merge_base": `{"id":"` + old + `"}`}
	}
	tea := func(doc string, header ...string) answers {
		first := true
		return answers{"GET /api/v1/repos/acme/shop/commits": func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			if first {
				_, _ = io.WriteString(w, doc)
			} else {
				_, _ = io.WriteString(w, `[]`)
			}
			first = false
		}}
	}
	for _, c := range []struct {
		host, name string
		complete   bool
		says       answers
	}{
		{rules.BitbucketCloud, "null", false, answers{"GET " + cloudRepo + "/diffstat/" + now + ".." + old: `{"pagelen":500,"values":null}`}},
		{rules.BitbucketCloud, "half a rename", false, answers{"GET " + cloudRepo + "/diffstat/" + now + ".." + old: `{"pagelen":500,"values":[{"old":{"path":null},"new":{"path":"b"}}]}`}},
		{rules.BitbucketDataCenter, "right", true, dc(`{"values":[{"path":{"toString":"a"}}],"size":1,"isLastPage":true,"nextPageStart":null}`)},
		{rules.BitbucketDataCenter, "the last page and a next one", false, dc(`{"values":[{"path":{"toString":"a"}}],"isLastPage":true,"nextPageStart":1}`)},
		{rules.BitbucketDataCenter, "fewer than it says", false, dc(`{"values":[{"path":{"toString":"a"}}],"size":2,"isLastPage":true}`)},
		{rules.BitbucketDataCenter, "half a move", false, dc(`{"values":[{"type":"MOVE","path":{"toString":"a"},"srcPath":null}],"isLastPage":true}`)},
		{rules.BitbucketDataCenter, "neither last nor next", false, dc(`{"values":[],"isLastPage":null}`)},
		{rules.GitHub, "right", true, hub(`{"status":"ahead","total_commits":1,"base_commit":OLD,"merge_base_commit":OLD,"files":[{"filename":"a","status":"added"}]}`)},
		{rules.GitHub, "ahead by nothing", false, hub(`{"status":"ahead","total_commits":0,"base_commit":OLD,"merge_base_commit":OLD,"files":[]}`)},
		{rules.GitHub, "no files at all", false, hub(`{"status":"ahead","total_commits":0,"base_commit":OLD,"merge_base_commit":OLD,"files":null}`)},
		{rules.GitHub, "identical", false, hub(`{"status":"identical","total_commits":0,"base_commit":OLD,"merge_base_commit":OLD,"files":[]}`)},
		{rules.GitHub, "behind both ways", false, hub(`{"status":"behind","total_commits":0,"base_commit":OLD,"merge_base_commit":OLD,"files":[]}`)},
		{rules.GitHub, "nameless", false, hub(`{"status":"ahead","total_commits":1,"base_commit":OLD,"merge_base_commit":OLD,"files":[{"filename":"","status":"added"}]}`)},
		{rules.GitHub, "half a rename", false, hub(`{"status":"ahead","total_commits":1,"base_commit":OLD,"merge_base_commit":OLD,"files":[{"filename":"a","status":"renamed"}]}`)},
		{rules.GitHub, "a word of its own", false, hub(`{"status":"sideways","total_commits":1,"base_commit":OLD,"merge_base_commit":OLD,"files":[]}`)},
		{rules.GitLab, "right", true, lab(`{"commits":[],"diffs":[{"old_path":"a","new_path":"a"}],"compare_timeout":false}`)},
		{rules.GitLab, "no word on what is missing", false, lab(`{"commits":[],"diffs":[{"old_path":"a","new_path":"a"}],"compare_timeout":null}`)},
		{rules.GitLab, "nameless", false, lab(`{"commits":[],"diffs":[{"old_path":"a","new_path":""}],"compare_timeout":false}`)},
		{rules.Gitea, "right", true, tea(`[{"sha":"`+now+`","parents":[{"sha":"`+old+`"}],"files":[{"filename":"a"}]}]`, "X-Total-Count", "1")},
		{rules.Gitea, "right, no count", true, tea(`[{"sha":"` + now + `","parents":[{"sha":"` + old + `"}],"files":[{"filename":"a"}]}]`)},
		{rules.Gitea, "nameless", false, tea(`[{"sha":"`+now+`","parents":[{"sha":"`+old+`"}],"files":[{"filename":""}]}]`, "X-Total-Count", "1")},
		{rules.Gitea, "fewer than it says", false, tea(`[{"sha":"`+now+`","parents":[{"sha":"`+old+`"}],"files":[{"filename":"a"}]}]`, "X-Total-Count", "2")},
	} {
		t.Run(c.host+" "+c.name, func(t *testing.T) {
			s := play(t, c.says)
			p, err := ask(t, c.host, rules.API{URL: s.URL}).Complete(t.Context(), pushOf(old, now, "main"), rules.Lacks{Files: true})
			if got := p.Files.Completeness == rules.Complete; got != c.complete || c.complete && err != nil {
				t.Errorf("%s %q: %v", p.Files.Completeness, p.Files.Note, err)
			}
		})
	}
	// Pages shorter than asked for, and no word about others: the host is asked
	// until there is nothing.
	asked := 0
	c := served(t, rules.Gitea, rules.API{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch page, _ := strconv.Atoi(r.URL.Query().Get("page")); {
		case page == 1:
			w.Header().Set("X-Total-Count", "-5")
			_, _ = fmt.Fprintf(w, `[{"sha":%q,"parents":[{"sha":%q},{"sha":%q}],"files":[{"filename":"a"}]}]`, now, old, hash("c3"))
		case page == 2:
			_, _ = fmt.Fprintf(w, `[{"sha":%q,"parents":[{"sha":%q}],"files":[{"filename":"b"}]}]`, hash("c3"), old)
		default:
			_, _ = io.WriteString(w, `[]`)
		}
	}))
	same(t, "short pages", "a b; complete; kept", tell(c.host.changed(t.Context(), "acme/shop", old, now)))
	// No list of branches is not an empty one: all would have been deleted.
	for _, hostName := range append(comparingHosts, rules.Gogs) {
		for _, doc := range []string{`null`, `{"values":null,"isLastPage":true,"pagelen":100}`, `[{"name":"","commit":{"id":"a","sha":"a"}}]`, `[{"name":"b","commit":{"id":"HEAD","sha":"HEAD"}}]`,
			`{"isLastPage":true,"pagelen":1,"values":[{"name":"b","displayId":"b"}]}`, `{"isLastPage":true,"pagelen":1,"values":[{"latestCommit":"a","target":{"hash":"a"}}]}`} {
			c := served(t, hostName, rules.API{}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Total-Count", "1")
				_, _ = io.WriteString(w, doc)
			}))
			if heads, err := c.Heads(t.Context(), "acme/shop"); err == nil {
				t.Errorf("%s: %s gives %v", hostName, doc, heads)
			}
		}
	}
}

// TestWrongTypes: with any one field of an answer replaced, nothing panics, and
// what is called complete has all files.
func TestWrongTypes(t *testing.T) {
	for _, hostName := range comparingHosts {
		t.Run(hostName, func(t *testing.T) {
			sim := hosttest.New(hosttest.Options{Host: hostName})
			repo := sim.AddRepo("acme/shop", "main")
			root := repo.Commit(nil, "root", author, hosttest.Change{Path: "gone"}, hosttest.Change{Path: "keep"})
			old := repo.Commit([]string{root}, "old", author, hosttest.Change{Path: "dropped"})
			now := repo.Commit([]string{root}, "now", author, hosttest.Change{Path: "new", From: "gone", Kind: hosttest.Renamed}, hosttest.Change{Path: "added"})
			repo.SetBranch("main", old)
			var edit func(n int, doc any) (any, int) // replaces field n
			var with any
			edit = func(n int, doc any) (any, int) {
				switch doc := doc.(type) {
				case map[string]any:
					for _, k := range slices.Sorted(maps.Keys(doc)) {
						if n--; n == 0 {
							doc[k] = with
							return doc, 0
						}
						if doc[k], n = edit(n, doc[k]); n == 0 {
							return doc, 0
						}
					}
				case []any:
					for i := range doc {
						if n--; n == 0 {
							doc[i] = with
							return doc, 0
						}
						if doc[i], n = edit(n, doc[i]); n == 0 {
							return doc, 0
						}
					}
				}
				return doc, n
			}
			target, total := 0, 0
			c := served(t, hostName, rules.API{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				rec := httptest.NewRecorder()
				sim.ServeHTTP(rec, r)
				var doc any
				if rec.Code != 200 || json.Unmarshal(rec.Body.Bytes(), &doc) != nil {
					w.WriteHeader(rec.Code)
					return
				}
				for k, v := range rec.Header() {
					if k != "Content-Length" {
						w.Header()[k] = v
					}
				}
				var left int
				doc, left = edit(max(target-total, 0), doc)
				total += max(target-total, 0) - left
				text, _ := json.Marshal(doc)
				_, _ = w.Write(text)
			}))
			check := func(what string, want []string, diff comparison, err error) {
				if err != nil || !diff.complete {
					return
				}
				got := diff.files.Files(true).Paths
				for _, name := range want {
					if !slices.Contains(got, name) {
						t.Errorf("%s, field %d as %v: complete without %s: %v", what, target, with, name, got)
					}
				}
			}
			fields := 0
			for _, with = range []any{nil, 7.0, []any{7.0}, map[string]any{"x": 7.0}} {
				for target = 1; target < 2000; target++ {
					total = 0
					diff, err := c.host.changed(t.Context(), "acme/shop", old, now)
					check("changed", []string{"gone", "new", "added"}, diff, err)
					if total < target {
						break
					}
					fields++
					total = 0
					diff, err = c.host.gained(t.Context(), "acme/shop", "main", now)
					check("gained", []string{"gone", "new", "added"}, diff, err)
					if with == nil {
						for _, call := range asks(c) {
							total = 0
							_ = call(t.Context())
						}
					}
				}
			}
			if fields < 100 {
				t.Errorf("%d fields replaced", fields)
			}
			t.Logf("%d fields replaced", fields)
		})
	}
}
