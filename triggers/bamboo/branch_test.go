package bamboo

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

func TestBranches(t *testing.T) {
	type branches = map[string]bambootest.Branch
	tests := []struct {
		name   string
		plan   bambootest.Plan
		branch string
		create bool
		built  string // key; empty for a failure
		want   failure
		words  string
	}{
		{name: "found", plan: bambootest.Plan{Branches: branches{"develop": {}, "x": {}}}, branch: "x", built: "SHOP-API1"},
		{name: "found below a folder", plan: bambootest.Plan{Branches: branches{"feature/x": {}}}, branch: "feature/x", built: "SHOP-API0"},
		{name: "odd characters", plan: bambootest.Plan{Branches: branches{"a?b#c%2F;d&{key}+e ü": {}}}, branch: "a?b#c%2F;d&{key}+e ü", built: "SHOP-API0"},
		{name: "missing", branch: "x", want: failure{Status: 404}, words: `no plan branch "x"`},
		{name: "created", branch: "feature/x", create: true, built: "SHOP-API0"},
		{name: "not created where it exists", plan: bambootest.Plan{Branches: branches{"x": {}}}, branch: "x", create: true, built: "SHOP-API0"},
		{name: "disabled", plan: bambootest.Plan{Branches: branches{"x": {Disabled: true}}}, branch: "x", create: true, want: failure{Status: 200}, words: "is disabled"},
		{name: "another's, which lives", plan: bambootest.Plan{Branches: branches{"a-b": {}}, VCSBranches: []string{"a/b"}}, branch: "a/b", create: true, words: `may be that of "a/b" or of "a-b"`},
		{name: "another's, the one asked for not yet listed", plan: bambootest.Plan{Branches: branches{"a-b": {}}}, branch: "a/b", words: `or of "a-b"`},
		{name: "not listed at all", plan: bambootest.Plan{Branches: branches{"elsewhere": {Name: "a-b"}}}, branch: "a/b", want: failure{Temporary: true, Within: triggers.IndexWait}, words: "does not list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			site := newSite(t, bambootest.Options{})
			site.AddPlan("SHOP-API", tt.plan)
			req := triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: tt.branch, CreateBranch: tt.create}
			receipt, err := site.client.Start(t.Context(), req)
			builds := site.Started()
			if tt.built == "" {
				got, e := failureOf(t, err)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
				if !strings.Contains(e.Error(), tt.words) || e.Hint == "" {
					t.Errorf("error %q, hint %q; want %q in it and a hint", e, e.Hint, tt.words)
				}
				if len(builds) != 0 {
					t.Errorf("builds %+v", builds)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(builds) != 1 || builds[0].Plan != tt.built || builds[0].Branch != tt.branch {
				t.Errorf("builds %+v, want one of %s for %q", builds, tt.built, tt.branch)
			}
			if made := len(receipt.Notes) == 1; made != (tt.name == "created") {
				t.Errorf("notes %q", receipt.Notes)
			}
			if receipt.Handle != "result/"+tt.built+"-1" {
				t.Errorf("handle %q", receipt.Handle)
			}
		})
	}
}

// TestBranchAnswers has a stranger in Bamboo's place answer the look-up.
func TestBranchAnswers(t *testing.T) {
	foreign := failure{Status: 200, Temporary: true, Server: true}
	for body, want := range map[string]failure{
		`{"key":"SHOP-API","shortName":"x"}`:              foreign, // the plan itself
		`{"key":"OTHER-API1","shortName":"x"}`:            foreign,
		`{"key":"SHOP-API/../X1","shortName":"x"}`:        foreign,
		`{"key":"SHOP-API-7","shortName":"x"}`:            foreign,
		`{"key":null}`:                                    foreign,
		`[]`:                                              foreign,
		`<html></html>`:                                   foreign,
		`{"key":"SHOP-API1","shortName":"y"}`:             {Status: 200},
		`{"key":"SHOP-API1","shortName":"x","enabled":0}`: foreign,
	} {
		client := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				t.Errorf("%s: %s %s", body, r.Method, r.URL)
			}
			_, _ = w.Write([]byte(body))
		})
		_, err := client.Start(t.Context(), triggers.Request{Target: "SHOP-API", Branch: "x", CreateBranch: true})
		got, _ := failureOf(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
		}
	}
}

// TestMissingAs204: some Bamboo answers so, they say.
func TestMissingAs204(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", bambootest.Plan{})
	site.Break(bambootest.Fault{Status: 204, Match: onBranch("GET"), Times: 1})
	receipt, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API", Branch: "x", CreateBranch: true})
	if err != nil || receipt.Handle != "result/SHOP-API0-1" {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// TestAlreadyUsed: the look-up misses a plan branch that the creation runs
// into, because another made it in between, or because it cannot be seen.
func TestAlreadyUsed(t *testing.T) {
	for _, status := range []int{400, 500} {
		for _, appears := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d, appears %t", status, appears), func(t *testing.T) {
				site := newSite(t, bambootest.Options{})
				site.AddPlan("SHOP-API", bambootest.Plan{Branches: map[string]bambootest.Branch{"x": {}}})
				misses := 2
				if appears {
					misses = 1
				}
				site.Break(bambootest.Fault{Status: 404, Match: onBranch("GET"), Times: misses})
				site.Break(bambootest.Fault{Status: status, Body: `{"errors":["This name is already used"]}`, Match: onBranch("PUT")})
				_, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API", Branch: "x", CreateBranch: true})
				if appears {
					if err != nil || len(site.Started()) != 1 {
						t.Errorf("%v, builds %+v", err, site.Started())
					}
					return
				}
				got, e := failureOf(t, err)
				if diff := cmp.Diff(failure{Status: status}, got); diff != "" || e.Hint == "" {
					t.Errorf("%v, hint %q (-want +got):\n%s", err, e.Hint, diff)
				}
			})
		}
	}
}

// TestRememberedBranch: a second build costs one request; a plan branch that
// was deleted meanwhile is found out, and the next try makes a new one.
func TestRememberedBranch(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", bambootest.Plan{Branches: map[string]bambootest.Branch{"feature/x": {}}})
	var requests atomic.Int32
	site.Break(bambootest.Fault{Match: func(*http.Request) bool { requests.Add(1); return false }})
	req := triggers.Request{Target: "SHOP-API", Branch: "feature/x", CreateBranch: true}
	for range 2 {
		if _, err := site.client.Start(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if requests.Load() != 4 {
		t.Errorf("%d requests for two builds, want 3 and 1", requests.Load())
	}
	site.RemovePlan("SHOP-API0")
	_, err := site.client.Start(t.Context(), req)
	got, _ := failureOf(t, err)
	if diff := cmp.Diff(failure{Status: 404, Temporary: true}, got); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	receipt, err := site.client.Start(t.Context(), req)
	if err != nil || receipt.Handle != "result/SHOP-API1-1" {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestKeyCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c keyCache
		c.put("A-B", "x", "A-B1")
		if key, ok := c.get("A-B", "x"); !ok || key != "A-B1" {
			t.Errorf("%q, %t", key, ok)
		}
		pass(keyLife)
		if _, ok := c.get("A-B", "x"); ok {
			t.Error("kept beyond its life")
		}
		for i := range 3 * maxKeys {
			c.put("A-B", strconv.Itoa(i), "A-B1")
		}
		if len(c.keys) > maxKeys {
			t.Errorf("%d keys, want at most %d", len(c.keys), maxKeys)
		}
	})
}

// pass lets time go by, inside a bubble only.
func pass(d time.Duration) { <-time.After(d) }

func TestListingThatIsIncomplete(t *testing.T) {
	client := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/vcsBranches") {
			_, _ = w.Write([]byte(`{"branches":{"size":3000,"branch":[{"name":"refs/heads/a/b"}]}}`))
			return
		}
		_, _ = w.Write([]byte(`{"key":"SHOP-API1","shortName":"a-b","enabled":true}`))
	})
	_, err := client.Start(t.Context(), triggers.Request{Target: "SHOP-API", Branch: "a/b"})
	got, e := failureOf(t, err)
	if diff := cmp.Diff(failure{}, got); diff != "" || e.Hint == "" {
		t.Errorf("%v, hint %q (-want +got):\n%s", err, e.Hint, diff)
	}
}
