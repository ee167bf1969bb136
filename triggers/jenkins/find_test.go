package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// inProcess gives a Server that calls the handler without a socket, so that the
// clock of a bubble rules both sides.
func inProcess(t testing.TB, h http.Handler) *Server {
	t.Helper()
	o := withToken()
	o.URL = "http://ci.invalid"
	o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		if r.Body == nil {
			r.Body = http.NoBody
		}
		h.ServeHTTP(w, r)
		resp := w.Result()
		resp.Request = r
		return resp, nil
	})
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t testing.TB, s *Server, target, id string) string {
	t.Helper()
	r, err := s.Start(t.Context(), triggers.Request{ID: id, Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return r.Handle
}

func find(t testing.TB, s *Server, target, id string, since time.Time) triggers.Sighting {
	t.Helper()
	got, err := s.Find(t.Context(), triggers.Request{ID: id, Target: target}, since)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A build is found wherever it stands, and as State gives it; another's is not.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jenkins := controller(jenkinstest.Options{QuietPeriod: 5 * time.Second, BuildTime: time.Minute, Executors: 9, RootURL: "https://people.example.org"})
		jenkins.AddJob("shop/api/release%2F1.2", jenkinstest.Job{Parameters: declare("A", triggers.IDName)})
		jenkins.AddJob("x/shop/api/release%2F1.2", jenkinstest.Job{Parameters: declare(triggers.IDName)})
		s := inProcess(t, jenkins)
		const target = "shop/api/release%2F1.2"
		begin := time.Now()
		if got := find(t, s, target, "b_1", begin); got.Presence != triggers.Absent {
			t.Errorf("before: %+v", got)
		}
		handle := start(t, s, target, "b_1")
		start(t, s, target, "b_2")
		start(t, s, "x/"+target, "b_3") // of the same name elsewhere
		for _, wait := range []time.Duration{0, 6 * time.Second, 2 * time.Minute} {
			<-time.After(wait)
			st, err := s.State(t.Context(), triggers.Request{Target: target}, handle)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(triggers.Sighting{Presence: triggers.Present, State: st}, find(t, s, target, "b_1", begin)); d != "" {
				t.Error(d)
			}
			if got := find(t, s, target, "b_3", begin); got.Presence != triggers.Absent {
				t.Errorf("another's: %+v", got)
			}
		}
	})
}

// Items and builds that do not say whose they are make absence unknowable, but
// only those that may be the one sought.
func TestFindWithoutTheParameter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jenkins := controller(jenkinstest.Options{QuietPeriod: 5 * time.Second, BuildTime: time.Minute})
		jenkins.AddJob("plain", jenkinstest.Job{})
		s := inProcess(t, jenkins)
		old := time.Now()
		start(t, s, "plain", "b_1")
		<-time.After(10 * time.Second)
		if got := find(t, s, "plain", "b_1", old); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "build #1 ") {
			t.Errorf("built: %+v", got)
		}
		<-time.After(time.Hour)
		since := time.Now()
		if got := find(t, s, "plain", "b_2", since); got.Presence != triggers.Absent {
			t.Errorf("nothing since: %+v", got)
		}
		start(t, s, "plain", "b_2")
		if got := find(t, s, "plain", "b_2", since); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "item 2") {
			t.Errorf("waits: %+v", got)
		}
		// The job declares it now: the start before was not told so.
		jenkins.AddJob("plain", jenkinstest.Job{Parameters: declare(triggers.IDName)})
		<-time.After(10 * time.Second)
		if got := find(t, s, "plain", "b_2", since); got.Presence != triggers.Unknown {
			t.Errorf("declared since: %+v", got)
		}
	})
}

// A parameter declared within the minute for which a declaration is remembered
// reaches the build all the same.
func TestIDIsAlwaysSent(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare("A")})
	s, _, _ := serve(t, jenkins, withToken())
	start(t, s, "app", "b_1")
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare("A", triggers.IDName)})
	start(t, s, "app", "b_2")
	if got := find(t, s, "app", "b_2", time.Now()); got.Presence != triggers.Present || got.State.Handle != "build/2" {
		t.Errorf("%+v", got)
	}
}

// The item leaves the queue between the two requests, or right before them.
func TestFindWhileItLeavesTheQueue(t *testing.T) {
	for _, part := range []string{"/queue/", "/job/"} {
		jenkins := controller(jenkinstest.Options{BuildTime: time.Hour})
		jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
		jenkins.QuietDown(true)
		s, _, _ := serve(t, jenkins, withToken())
		start(t, s, "app", "b_1")
		jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
			if strings.Contains(r.URL.Path, part) {
				jenkins.QuietDown(false)
			}
			return nil
		})
		got := find(t, s, "app", "b_1", time.Now())
		if got.Presence != triggers.Present || got.State.Handle != "build/1" || got.State.Phase != triggers.Running {
			t.Errorf("left before %s: %+v", part, got)
		}
	}
}

func TestFindInLongHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jenkins := controller(jenkinstest.Options{Executors: 2000})
		jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
		s := inProcess(t, jenkins)
		begin := time.Now()
		start(t, s, "app", "b_first")
		<-time.After(time.Hour)
		middle := time.Now()
		for i := range 150 {
			start(t, s, "app", fmt.Sprint("b_", i))
		}
		if got := find(t, s, "app", "b_0", middle); got.State.Handle != "build/2" {
			t.Errorf("on the second page: %+v", got)
		}
		if got := find(t, s, "app", "b_none", middle); got.Presence != triggers.Absent {
			t.Errorf("absent since: %+v", got)
		}
		jenkins.RemoveBuild("app", 40)
		if got := find(t, s, "app", "b_none", middle); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "deleted") {
			t.Errorf("with a gap: %+v", got)
		}
		if got := find(t, s, "app", "b_40", middle); got.Presence != triggers.Present {
			t.Errorf("found beside a gap: %+v", got)
		}
		const more = findPage*findPages - 100 // the gap is beyond the window
		for i := range more {
			start(t, s, "app", fmt.Sprint("b_more", i))
		}
		before := jenkins.Requests()
		if got := find(t, s, "app", "b_first", begin); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "reach back") {
			t.Errorf("beyond the window: %+v", got)
		}
		if got := find(t, s, "app", "b_none", time.Now().Add(-2*time.Minute)); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "reach back") {
			t.Errorf("longer than the window: %+v", got)
		}
		if n := jenkins.Requests() - before; n > 2*(1+findPages) {
			t.Errorf("%d requests", n)
		}
		for n := 1; n <= 151+more; n++ {
			jenkins.RemoveBuild("app", n)
		}
		if got := find(t, s, "app", "b_none", middle); got.Presence != triggers.Unknown {
			t.Errorf("all deleted: %+v", got)
		}
	})
}

// A server whose clock is behind ours dates builds before the start that they
// are of.
func TestFindWithClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			jenkins := controller(jenkinstest.Options{Skew: skew})
			jenkins.AddJob("app", jenkinstest.Job{})
			s := inProcess(t, jenkins)
			since := time.Now()
			start(t, s, "app", "b_1")
			if got := find(t, s, "app", "b_1", since); got.Presence != triggers.Unknown {
				t.Errorf("%s: %+v", skew, got)
			}
		})
	}
}

// A rebuild by hand copies the parameters: the first is the one that was asked
// for.
func TestFindTheOldest(t *testing.T) {
	jenkins := controller(jenkinstest.Options{BuildTime: time.Hour})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	s, _, web := serve(t, jenkins, withToken())
	start(t, s, "app", "b_1")
	for _, waits := range []bool{false, true} {
		jenkins.QuietDown(waits)
		act(t, web.URL+"/job/app/buildWithParameters?"+triggers.IDName+"=b_1", http.StatusCreated)
		if got := find(t, s, "app", "b_1", time.Now()); got.State.Handle != "build/1" {
			t.Errorf("with a copy, waiting %t: %+v", waits, got)
		}
	}
}

func TestFindWhatCannotBeFound(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("mb", jenkinstest.Job{Multibranch: true})
	jenkins.AddJob("secret", jenkinstest.Job{Access: jenkinstest.Discover})
	s, tp, _ := serve(t, jenkins, withToken())
	for name, tt := range map[string]struct {
		req  triggers.Request
		want triggers.Presence
	}{
		"scan":      {triggers.Request{ID: "b_1", Target: "mb", Scan: true}, triggers.Unknown},
		"no id":     {triggers.Request{Target: "app"}, triggers.Unknown},
		"forbidden": {triggers.Request{ID: "b_1", Target: "secret"}, triggers.Unknown},
		"no job":    {triggers.Request{ID: "b_1", Target: "gone"}, triggers.Absent},
	} {
		got, err := s.Find(t.Context(), tt.req, time.Now())
		if err != nil || got.Presence != tt.want || (got.Why == "") != (tt.want == triggers.Absent) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	before := len(tp.lines(""))
	for _, target := range []string{"", "..", "a/../b", "a\nb", "\xff"} {
		_, err := s.Find(t.Context(), triggers.Request{ID: "b_1", Target: target}, time.Now())
		if e := failure(t, err); e.Temporary {
			t.Errorf("%q: %+v", target, e)
		}
	}
	if n := len(tp.lines("")); n != before {
		t.Errorf("%d requests for what is no target", n-before)
	}
}

// Trouble with the server never reads as absence.
func TestFindInTrouble(t *testing.T) {
	faults := map[string]jenkinstest.Fault{
		"drop": {Drop: true}, "hang": {Hang: true}, "500": {Status: 500}, "502": {Status: 502, Body: "<html>"},
		"503": {Status: 503, Header: http.Header{"Retry-After": {"7"}}}, "429": {Status: 429, Header: http.Header{"Retry-After": {"7"}}},
		"401": {Status: 401}, "302": {Status: 302, Header: http.Header{"Location": {"/login"}}},
		"page": {Status: 200, Body: "<html>"}, "null": {Status: 200, Body: "null"}, "list": {Status: 200, Body: "[]"},
		"types": {Status: 200, Body: `{"items":{},"name":[],"allBuilds":7}`}, "cut": {Status: 200, Body: `{"items":[{"id":1},`},
		"void": {Status: 200, Body: `{"name":"app"}`},
	}
	for name, fault := range faults {
		for _, part := range []string{"/queue/", "/job/"} {
			t.Run(name+" at "+part, func(t *testing.T) {
				t.Parallel()
				jenkins := controller(jenkinstest.Options{})
				jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
				o := withToken()
				if fault.Hang {
					o.Timeout = 200 * time.Millisecond
				}
				s, _, _ := serve(t, jenkins, o)
				start(t, s, "app", "b_1")
				jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
					if strings.Contains(r.URL.Path, part) {
						return &fault
					}
					return nil
				})
				got, err := s.Find(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, time.Now())
				e := failure(t, err)
				if !e.Temporary || e.Ambiguous || e.Server == (name == "429") || got != (triggers.Sighting{}) {
					t.Errorf("%+v, %+v", got, e)
				}
				if (name == "503" || name == "429") != (e.RetryAfter == 7*time.Second) {
					t.Errorf("RetryAfter %s", e.RetryAfter)
				}
			})
		}
	}
	s, _, web := serve(t, http.NotFoundHandler(), withToken())
	if _, err := s.Find(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, time.Now()); !failure(t, err).Server {
		t.Errorf("404 of a proxy: %v", err)
	}
	web.Close()
	if _, err := s.Find(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, time.Now()); !failure(t, err).Server {
		t.Errorf("closed port: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Find(ctx, triggers.Request{ID: "b_1", Target: "app"}, time.Now()); failure(t, err).Server {
		t.Errorf("given up: %v", err)
	}
}

// What a Jenkins may say that the simulated one does not.
func TestOddAnswersToFind(t *testing.T) {
	now := time.Now().UnixMilli()
	none := `{"items":[]}`
	tells := func(value string) string {
		return `"actions":[{},null,{"parameters":[{"name":"A"},{"name":"PUSHGATE_BUILD","value":` + value + `}]}]`
	}
	item := func(url, rest string) string {
		return `{"items":[{"id":7,"task":{"url":"` + url + `"},` + rest + `}]}`
	}
	job := func(builds string) string { return `{"name":"app","nextBuildNumber":9,"allBuilds":[` + builds + `]}` }
	build := func(rest string) string {
		return job(fmt.Sprintf(`{"number":1,"queueId":3,"timestamp":%d,"result":"SUCCESS",%s}`, now, rest))
	}
	quiet := build(tells(`"b_2"`))
	for name, tt := range map[string]struct {
		queue, job string
		want       triggers.Presence // empty: a temporary error
	}{
		"another's":                   {none, quiet, triggers.Absent},
		"ours":                        {none, build(tells(`"b_1"`)), triggers.Present},
		"a password, not shown":       {none, build(`"actions":[{"parameters":[{"name":"PUSHGATE_BUILD"}]}]`), triggers.Unknown},
		"a checkbox":                  {none, build(tells(`true`)), triggers.Unknown},
		"an object":                   {none, build(tells(`{"a":["b_1"]}`)), triggers.Unknown},
		"no actions":                  {none, build(`"actions":null`), triggers.Unknown},
		"empty, numbered on":          {none, job(""), triggers.Unknown},
		"just begun":                  {none, job(fmt.Sprintf(`{"number":1,"queueId":-1,"timestamp":%d,"building":true}`, now)), ""},
		"begun long ago":              {none, job(fmt.Sprintf(`{"number":1,"queueId":-1,"timestamp":%d,"building":true}`, now-120000)), triggers.Unknown},
		"a step of a running build":   {`{"items":[{"id":7,"task":{}}]}`, quiet, triggers.Absent},
		"another job, same end":       {item("https://ci/job/x/job/app/", `"actions":[]`), quiet, triggers.Absent},
		"below the job":               {item("https://ci/job/app/job/sub/", `"actions":[]`), quiet, triggers.Absent},
		"ours under a context path":   {item("https://ci/a/b/job/app/", tells(`"b_1"`)), quiet, triggers.Present},
		"silent under a context path": {item("https://ci/a/b/job/app/", `"actions":[]`), quiet, triggers.Unknown},
		"hostile address":             {item("javascript:%zz", tells(`"b_1"`)), quiet, triggers.Absent},
		"negative id":                 {`{"items":[{"id":-7,"task":{"url":"https://ci/job/app/"},` + tells(`"b_1"`) + `}]}`, quiet, triggers.Absent},
		"long queue":                  {`{"items":[` + strings.Repeat(`{"id":1},`, queueBound-1) + `{"id":1}]}`, quiet, triggers.Unknown},
		"endless queue":               {`{"items":[` + strings.Repeat(" ", maxBody) + `]}`, quiet, triggers.Unknown},
		"endless builds":              {none, job(strings.Repeat(" ", maxBody)), triggers.Unknown},
		"ours in the queue, job gone": {item("https://ci/job/app/", tells(`"b_1"`)), "", triggers.Present},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Jenkins", "2.579")
				switch {
				case strings.HasPrefix(r.URL.Path, "/queue/"):
					_, _ = w.Write([]byte(tt.queue))
				case r.URL.Path == "/api/json/" || r.URL.Path == "/api/json":
					_, _ = w.Write([]byte(`{"_class":"hudson.model.Hudson"}`))
				case tt.job == "":
					w.WriteHeader(http.StatusNotFound)
				default:
					_, _ = w.Write([]byte(tt.job))
				}
			}), withToken())
			got, err := s.Find(t.Context(), triggers.Request{ID: "b_1", Target: "app"}, time.Now())
			if tt.want == "" {
				if e := failure(t, err); !e.Temporary || e.Server {
					t.Errorf("%+v", e)
				}
				return
			}
			if err != nil || got.Presence != tt.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
