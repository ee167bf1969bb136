package bamboo

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// Whatever became of the answer to a start: Find says whether it happened, and
// to start what is absent gives one build.
func TestFindAfterATroubledStart(t *testing.T) {
	for name, fault := range map[string]bambootest.Fault{
		"drop before":  {Drop: true},
		"drop after":   {Drop: true, After: true},
		"stall before": {Hang: true},
		"stall after":  {Hang: true, After: true},
		"500 before":   {Status: 500},
		"500 after":    {Status: 500, After: true},
		"502 after":    {Status: 502, After: true},
		"cut after":    {Status: 200, Header: http.Header{"Content-Length": {"99"}}, Body: "{", After: true},
		"unread after": {Status: 200, Body: "{}", After: true},
	} {
		for _, branch := range []string{"", "feature/x"} {
			t.Run(name+" "+branch, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, bambootest.Options{QueueTime: time.Hour})
				site.AddPlan("SHOP-API", declared())
				req := func(id string) triggers.Request {
					return triggers.Request{ID: id, Target: "SHOP-API", Branch: branch}
				}
				start(t, site.client, req("b_before"))
				trouble := fault
				trouble.Match = bambootest.Queueing
				site.Break(trouble)
				client := newClient(t, Options{URL: site.http.URL, Token: token, Timeout: time.Second})
				if !fault.Hang {
					client = site.client
				}
				since := time.Now()
				_, err := client.Start(t.Context(), req("b_1"))
				if got, _ := failureOf(t, err); !got.Ambiguous {
					t.Errorf("%v: %+v", err, got)
				}
				site.Heal()
				start(t, site.client, req("b_after"))
				got := find(t, site.client, req("b_1"), since)
				if (got.Presence == triggers.Present) != fault.After || (got.Presence == triggers.Absent) == fault.After {
					t.Fatalf("%+v", got)
				}
				if got.Presence == triggers.Absent {
					start(t, site.client, req("b_1"))
				}
				n := 0
				for _, b := range site.Started() {
					if b.Variables[triggers.IDName] == "b_1" {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%d builds", n)
				}
			})
		}
	}
}

// A redirect of a stop or a look leads nowhere.
func TestStopAndFindFollowNothing(t *testing.T) {
	canary := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the canary was asked: %s %s", r.Method, r.URL)
	}))
	defer canary.Close()
	client := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/rest/api/latest/result/SHOP-API-1" {
			_, _ = w.Write([]byte(`{"lifeCycleState":"Queued","stages":{"stage":[{"results":{"result":[{"key":"SHOP-API-J1-1","link":{"href":"` + canary.URL + `"}}]}}]}}`))
			return
		}
		http.Redirect(w, r, canary.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	req := triggers.Request{ID: "b_1", Target: "SHOP-API"}
	if got, _ := failureOf(t, client.Stop(t.Context(), req, "result/SHOP-API-1")); !got.Server || got.Status != 307 {
		t.Errorf("stop: %+v", got)
	}
	_, err := client.Find(t.Context(), req, time.Now())
	if got, _ := failureOf(t, err); !got.Server || got.Status != 307 {
		t.Errorf("find: %+v", got)
	}
	client.States(t.Context(), []triggers.Followed{{Handle: "result/SHOP-API-2"}, {Handle: "result/SHOP-API-3"}})
	client.Check(t.Context(), []triggers.Request{req})
}
