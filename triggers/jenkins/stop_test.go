package jenkins

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func phaseOf(t *testing.T, s *Server, target, handle string) triggers.Phase {
	t.Helper()
	st, err := s.State(t.Context(), triggers.Request{Target: target}, handle)
	if err != nil {
		t.Fatal(err)
	}
	return st.Phase
}

// Waiting and running builds are stopped, with either credentials, and no other
// is; a second time does no harm.
func TestStop(t *testing.T) {
	for _, o := range []Options{withToken(), withPassword()} {
		jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 2})
		jenkins.AddJob("shop/api/release%2F1.2", jenkinstest.Job{Parameters: declare(triggers.IDName)})
		s, _, _ := serve(t, jenkins, o)
		const target = "shop/api/release%2F1.2"
		ids := []string{"b_1", "b_2", "b_3", "b_4"}
		var handles []string
		for _, id := range ids {
			handles = append(handles, start(t, s, target, id))
		}
		for _, handle := range []string{handles[0], "build/1", handles[3], handles[3]} {
			id := "b_1"
			if handle == handles[3] {
				id = "b_4"
			}
			if err := s.Stop(t.Context(), triggers.Request{ID: id, Target: target}, handle); err != nil {
				t.Errorf("%s: %v", handle, err)
			}
		}
		want := []triggers.Phase{triggers.Aborted, triggers.Running, triggers.Running, triggers.Aborted}
		for i, handle := range handles {
			if got := phaseOf(t, s, target, handle); got != want[i] {
				t.Errorf("%s: %s, want %s", ids[i], got, want[i])
			}
		}
	}
}

// What is not there, has ended, or is another's under the same number.
func TestStopLeavesAlone(t *testing.T) {
	jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, ItemLife: time.Nanosecond})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	jenkins.AddJob("other", jenkinstest.Job{})
	jenkins.AddJob("done", jenkinstest.Job{BuildTime: time.Nanosecond})
	s, tp, _ := serve(t, jenkins, withToken())
	start(t, s, "app", "b_1")
	start(t, s, "done", "b_2")
	jenkins.QuietDown(true)
	start(t, s, "app", "b_3")
	before := len(tp.lines("POST"))
	for name, tt := range map[string]struct{ id, target, handle string }{
		"another's build":          {"b_9", "app", "build/1"},
		"another's item":           {"b_9", "app", "queue/3"},
		"an item of another job":   {"b_9", "other", "queue/3"},
		"another's forgotten item": {"b_9", "app", "queue/1"},
		"no build":                 {"b_1", "app", "build/99"},
		"no item":                  {"b_1", "app", "queue/99"},
		"no job":                   {"b_1", "gone", "build/1"},
		"no job, no item":          {"b_1", "gone", "queue/99"},
		"ended":                    {"b_2", "done", "build/1"},
		"ended and forgotten":      {"b_2", "done", "queue/2"},
	} {
		if err := s.Stop(t.Context(), triggers.Request{ID: tt.id, Target: tt.target}, tt.handle); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(tp.lines("POST")); n != before {
		t.Errorf("%d POSTs: %q", n-before, tp.lines("POST"))
	}
	if err := s.Stop(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, "queue/1"); err != nil || jenkins.Started()[0].Result != "ABORTED" {
		t.Errorf("by a forgotten item: %v, %+v", err, jenkins.Started()[0])
	}
	for _, handle := range []string{"", "queue/0", "build/../x", "build/1/stop", "item/1"} {
		if e := failure(t, s.Stop(t.Context(), triggers.Request{Target: "app"}, handle)); e.Temporary {
			t.Errorf("%q: %+v", handle, e)
		}
	}
	if e := failure(t, s.Stop(t.Context(), triggers.Request{Target: "a/../b"}, "build/1")); e.Temporary {
		t.Errorf("%+v", e)
	}
}

// Between the look and the POST the item becomes a build, or the build ends.
func TestStopRaces(t *testing.T) {
	jenkins := controller(jenkinstest.Options{BuildTime: time.Hour})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	s, tp, web := serve(t, jenkins, withToken())
	jenkins.QuietDown(true)
	handle := start(t, s, "app", "b_1")
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if strings.HasSuffix(r.URL.Path, "/cancelItem") {
			jenkins.QuietDown(false)
		}
		return nil
	})
	req := triggers.Request{ID: "b_1", Target: "app"}
	if err := s.Stop(t.Context(), req, handle); err != nil || phaseOf(t, s, "app", handle) != triggers.Aborted {
		t.Errorf("%v, %q", err, tp.lines("POST"))
	}
	jenkins.Fail(nil)
	start(t, s, "app", "b_2")
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if strings.HasSuffix(r.URL.Path, "/2/stop") {
			jenkins.Fail(nil)
			act(t, web.URL+"/job/app/2/stop", http.StatusFound)
		}
		return nil
	})
	req.ID = "b_2"
	if err := s.Stop(t.Context(), req, "build/2"); err != nil || phaseOf(t, s, "app", "build/2") != triggers.Aborted {
		t.Errorf("%v", err)
	}
}

func TestStopIsNotPermitted(t *testing.T) {
	jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 1})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName), NoCancel: true})
	s, _, _ := serve(t, jenkins, withToken())
	start(t, s, "app", "b_1")
	start(t, s, "app", "b_2")
	for handle, id := range map[string]string{"build/1": "b_1", "queue/2": "b_2"} {
		e := failure(t, s.Stop(t.Context(), triggers.Request{ID: id, Target: "app"}, handle))
		if e.Temporary || e.Server || !strings.Contains(e.Hint, "Cancel") {
			t.Errorf("%s: %+v, hint %q", handle, e, e.Hint)
		}
	}
}

// Whatever goes wrong: nothing is sent twice, and what is stopped all the same
// is so at the next try.
func TestStopInTrouble(t *testing.T) {
	for name, tt := range map[string]struct {
		fault     jenkinstest.Fault
		temporary bool
		server    bool
	}{
		"drop":          {jenkinstest.Fault{Drop: true}, true, true},
		"drop after":    {jenkinstest.Fault{Carry: true, Drop: true}, true, true},
		"hang":          {jenkinstest.Fault{Hang: true}, true, true},
		"502 after":     {jenkinstest.Fault{Carry: true, Status: 502}, true, true},
		"503":           {jenkinstest.Fault{Status: 503}, true, true},
		"429":           {jenkinstest.Fault{Status: 429}, true, false},
		"401":           {jenkinstest.Fault{Status: 401}, true, true},
		"403":           {jenkinstest.Fault{Status: 403}, false, false},
		"a login":       {jenkinstest.Fault{Status: 302, Header: http.Header{"Location": {"https://sso.invalid/login"}}}, true, true},
		"a page":        {jenkinstest.Fault{Status: 200, Body: "<html>"}, true, true},
		"no permission": {jenkinstest.Fault{Status: 422}, false, false},
	} {
		for _, handle := range []string{"queue/2", "build/1"} {
			t.Run(name+" "+handle, func(t *testing.T) {
				t.Parallel()
				jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 1})
				jenkins.AddJob("app", jenkinstest.Job{})
				o := withToken()
				if tt.fault.Hang {
					o.Timeout = 200 * time.Millisecond
				}
				s, tp, _ := serve(t, jenkins, o)
				start(t, s, "app", "b_1")
				start(t, s, "app", "b_2")
				before := len(tp.lines("POST"))
				jenkins.Fail(onPOST(tt.fault))
				e := failure(t, s.Stop(t.Context(), triggers.Request{ID: "b", Target: "app"}, handle))
				temporary, server := tt.temporary, tt.server
				if tt.fault.Status/100 < 4 && tt.fault.Status > 0 && handle == "queue/2" {
					temporary, server = false, false // the item still waits
				}
				if e.Temporary != temporary || e.Server != server || e.Ambiguous || !e.Temporary && e.Hint == "" {
					t.Errorf("%+v, hint %q", e, e.Hint)
				}
				if n := len(tp.lines("POST")) - before; n != 1 {
					t.Errorf("%d POSTs", n)
				}
				jenkins.Fail(nil)
				if err := s.Stop(t.Context(), triggers.Request{ID: "b", Target: "app"}, handle); err != nil {
					t.Errorf("the next try: %v", err)
				}
				if got := phaseOf(t, s, "app", handle); got != triggers.Aborted {
					t.Errorf("then %s", got)
				}
			})
		}
	}
	s, _, _ := serve(t, http.NotFoundHandler(), withToken())
	for _, handle := range []string{"queue/1", "build/1"} {
		if e := failure(t, s.Stop(t.Context(), triggers.Request{Target: "app"}, handle)); !e.Server || !e.Temporary {
			t.Errorf("404 of a proxy: %+v", e)
		}
	}
}

// Other versions and odd moments: an older Jenkins sends people back whatever
// it has done, and an item may be between queue and build.
func TestOddAnswersToStop(t *testing.T) {
	for name, tt := range map[string]struct {
		items             []string // one a look; the last stays
		status            int
		ok                bool
		temporary, server bool
	}{
		"older, cancelled":    {[]string{`{"id":7}`, `{"id":7,"cancelled":true}`}, 302, true, false, false},
		"older, kept":         {[]string{`{"id":7}`}, 302, false, false, false},
		"left meanwhile":      {[]string{`{"id":7}`, `{"id":7,"cancelled":false,"executable":null}`}, 500, false, true, false},
		"500 and still waits": {[]string{`{"id":7}`}, 500, false, true, false},
		"404 and still waits": {[]string{`{"id":7}`}, 404, false, true, false},
		"another item":        {[]string{`{"id":8}`}, 204, false, true, true},
		"no item":             {[]string{`{}`}, 204, false, true, true},
		"html":                {[]string{`<html>`}, 204, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Jenkins", "2.579")
				if r.Method == http.MethodPost {
					w.Header().Set("Location", "/")
					w.WriteHeader(tt.status)
					return
				}
				_, _ = w.Write([]byte(tt.items[min(looks, len(tt.items)-1)]))
				looks++
			}), withToken())
			err := s.Stop(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, "queue/7")
			if tt.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := failure(t, err); e.Temporary != tt.temporary || e.Server != tt.server || e.Ambiguous {
				t.Errorf("%+v", e)
			}
		})
	}
}
