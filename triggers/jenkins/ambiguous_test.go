package jenkins

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// Whatever became of the answer to a start: Find says whether it happened, and
// to start what is absent gives one build.
func TestFindAfterATroubledStart(t *testing.T) {
	cut := http.Header{"Content-Length": {"1000"}}
	for name, fault := range map[string]jenkinstest.Fault{
		"drop before":        {Drop: true},
		"drop after":         {Carry: true, Drop: true},
		"stall before":       {Hang: true},
		"stall after":        {Carry: true, Hang: true},
		"500 before":         {Status: 500},
		"500 after":          {Carry: true, Status: 500},
		"502 after":          {Carry: true, Status: 502},
		"500 after, cut":     {Carry: true, Status: 500, Header: cut, Body: "<html>"},
		"a receipt cut away": {Carry: true, Status: 200, Header: http.Header{"X-Jenkins": {"2.579"}, "Content-Length": {"1000"}}, Body: "<"},
	} {
		for _, waits := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 10})
				jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
				jenkins.QuietDown(waits)
				o := withToken()
				if fault.Hang {
					o.Timeout = time.Second
				}
				s, _, _ := serve(t, jenkins, o)
				start(t, s, "app", "b_before")
				jenkins.Fail(onPOST(fault))
				since := time.Now()
				req := triggers.Request{ID: "b_1", Target: "app"}
				_, err := s.Start(t.Context(), req)
				if e := failure(t, err); !e.Ambiguous {
					t.Errorf("%+v", e)
				}
				jenkins.Fail(nil)
				start(t, s, "app", "b_after")
				got := find(t, s, "app", "b_1", since)
				if (got.Presence == triggers.Present) != fault.Carry || (got.Presence == triggers.Absent) == fault.Carry {
					t.Fatalf("%+v", got)
				}
				if got.Presence == triggers.Absent {
					got.State.Handle = start(t, s, "app", "b_1")
				}
				jenkins.QuietDown(false)
				if phaseOf(t, s, "app", got.State.Handle) != triggers.Running {
					t.Errorf("%+v", got.State)
				}
				n := 0
				for _, b := range jenkins.Started() {
					if b.Parameters[triggers.IDName] == "b_1" {
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
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Jenkins", "2.579")
			if r.Method == http.MethodGet && (r.URL.Path == "/job/app/1/api/json/" || r.URL.Path == "/job/app/1/api/json") {
				_, _ = w.Write([]byte(`{"number":1,"building":true,"url":"` + canary.URL + `"}`))
				return
			}
			http.Redirect(w, r, canary.URL+r.URL.Path, status)
		}), withToken())
		req := triggers.Request{ID: "b_1", Target: "app"}
		if e := failure(t, s.Stop(t.Context(), req, "build/1")); !e.Server || e.Status != status {
			t.Errorf("%d: %+v", status, e)
		}
		_, err := s.Find(t.Context(), req, time.Now())
		if e := failure(t, err); !e.Server || e.Status != status {
			t.Errorf("%d: %+v", status, e)
		}
		s.States(t.Context(), []triggers.Followed{{Request: req, Handle: "queue/1"}, {Request: req, Handle: "queue/2"}, {Request: req, Handle: "build/2"}})
		s.Check(t.Context(), []triggers.Request{req})
	}
}
