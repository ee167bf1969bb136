package bamboo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// bubble is a simulated Bamboo called in process.
func bubble(t *testing.T, o bambootest.Options) (*bambootest.Server, *Server) {
	t.Helper()
	sim := bambootest.New(o)
	return sim, newClient(t, Options{URL: "http://ci.invalid", Token: token, Transport: inProcess{sim}})
}

func start(t *testing.T, s *Server, req triggers.Request) string {
	t.Helper()
	r, err := s.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r.Handle
}

func find(t *testing.T, s *Server, req triggers.Request, since time.Time) triggers.Sighting {
	t.Helper()
	got, err := s.Find(t.Context(), req, since)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func declared() bambootest.Plan {
	return bambootest.Plan{Variables: map[string]string{triggers.IDName: ""}, Branches: map[string]bambootest.Branch{"feature/x": {}, "off": {Disabled: true}}, VCSBranches: []string{"main"}}
}

// A build is found wherever it stands, of the plan and of a plan branch, and
// State gives the same; another's is not.
func TestFind(t *testing.T) {
	for _, branch := range []string{"", "feature/x"} {
		synctest.Test(t, func(t *testing.T) {
			sim, s := bubble(t, bambootest.Options{QueueTime: time.Minute, BuildTime: time.Hour})
			sim.AddPlan("SHOP-API", declared())
			begin := time.Now()
			req := triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: branch}
			if got := find(t, s, req, begin); got.Presence != triggers.Absent {
				t.Errorf("before: %+v", got)
			}
			handle := start(t, s, req)
			start(t, s, triggers.Request{ID: "b_2", Target: "SHOP-API", Branch: branch})
			for _, wait := range []time.Duration{0, 2 * time.Minute, 2 * time.Hour} {
				pass(wait)
				st, err := s.State(t.Context(), req, handle)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(triggers.Sighting{Presence: triggers.Present, State: st}, find(t, s, req, begin)); d != "" {
					t.Error(d)
				}
				other := triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: map[string]string{"": "feature/x", "feature/x": ""}[branch]}
				if got := find(t, s, other, begin); got.Presence != triggers.Absent {
					t.Errorf("of the other branch: %+v", got)
				}
			}
		})
	}
}

// A result that does not show the variable is another's only where the plan
// declares it.
func TestFindWithoutTheVariable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, s := bubble(t, bambootest.Options{BuildTime: time.Minute})
		sim.AddPlan("SHOP-API", bambootest.Plan{Strict: true})
		req := triggers.Request{ID: "b_1", Target: "SHOP-API"}
		since := time.Now()
		start(t, s, req)
		if got := find(t, s, req, since); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "#1") {
			t.Errorf("dropped: %+v", got)
		}
		pass(time.Hour)
		if got := find(t, s, req, time.Now()); got.Presence != triggers.Absent {
			t.Errorf("nothing since: %+v", got)
		}
		sim.Declares("SHOP-API", triggers.IDName)
		since = time.Now()
		start(t, s, triggers.Request{ID: "b_2", Target: "SHOP-API"})
		if got := find(t, s, req, since); got.Presence != triggers.Absent {
			t.Errorf("another's: %+v", got)
		}
		sim.AddPlan("SHOP-WEB", bambootest.Plan{Variables: map[string]string{triggers.IDName: ""}})
		if got := find(t, s, triggers.Request{ID: "b_2", Target: "SHOP-WEB"}, since); got.Presence != triggers.Absent {
			t.Errorf("of another plan: %+v", got)
		}
	})
}

func TestFindInLongHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, s := bubble(t, bambootest.Options{QueueTime: time.Second, BuildTime: time.Minute})
		sim.AddPlan("SHOP-API", declared())
		req := func(i int) triggers.Request { return triggers.Request{ID: fmt.Sprint("b_", i), Target: "SHOP-API"} }
		begin := time.Now()
		start(t, s, req(1))
		pass(time.Hour)
		middle := time.Now()
		for i := range 120 {
			start(t, s, req(i+2))
		}
		pass(time.Minute)
		if got := find(t, s, req(2), middle); got.State.Handle != "result/SHOP-API-2" {
			t.Errorf("on the third page: %+v", got)
		}
		if got := find(t, s, req(0), middle); got.Presence != triggers.Absent {
			t.Errorf("absent since: %+v", got)
		}
		sim.RemoveResult("SHOP-API-40")
		if got := find(t, s, req(0), middle); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "deleted") {
			t.Errorf("with a gap: %+v", got)
		}
		for i := range findPage * findPages { // the gap is beyond the window
			start(t, s, req(i+200))
		}
		if got := find(t, s, req(0), begin); got.Presence != triggers.Unknown || !strings.Contains(got.Why, "reach back") {
			t.Errorf("beyond the window: %+v", got)
		}
	})
}

func TestFindWithClocksApart(t *testing.T) {
	for _, skew := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			sim, s := bubble(t, bambootest.Options{Skew: skew, BuildTime: time.Minute})
			sim.AddPlan("SHOP-API", bambootest.Plan{Strict: true})
			req := triggers.Request{ID: "b_1", Target: "SHOP-API"}
			since := time.Now()
			start(t, s, req)
			if got := find(t, s, req, since); got.Presence != triggers.Unknown {
				t.Errorf("%s: %+v", skew, got)
			}
		})
	}
}

func TestFindWhatCannotBeFound(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", declared())
	for name, tt := range map[string]struct {
		req  triggers.Request
		want triggers.Presence
	}{
		"no id":           {triggers.Request{Target: "SHOP-API"}, triggers.Unknown},
		"no plan":         {triggers.Request{ID: "b_1", Target: "SHOP-GONE"}, triggers.Absent},
		"no branch":       {triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: "y", CreateBranch: true}, triggers.Absent},
		"disabled branch": {triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: "off"}, triggers.Absent},
	} {
		got, err := site.client.Find(t.Context(), tt.req, time.Now())
		if err != nil || got.Presence != tt.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if n := len(site.PlanBranches("SHOP-API")); n != 2 {
		t.Errorf("%d plan branches: one was made", n)
	}
	client := serving(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	for _, target := range []string{"", "SHOP", "SHOP-API-JOB1", "shop-api", "SHOP-API/../X", "SHOP-API\n"} {
		_, err := client.Find(t.Context(), triggers.Request{ID: "b_1", Target: target}, time.Now())
		if got, _ := failureOf(t, err); got.Temporary {
			t.Errorf("%q: %v", target, err)
		}
	}
}

// Trouble with the server never reads as absence; what is refused for the plan
// alone cannot be known.
func TestFindInTrouble(t *testing.T) {
	type fault = bambootest.Fault
	for name, f := range map[string]fault{
		"drop": {Drop: true}, "hang": {Hang: true}, "500": {Status: 500}, "503": {Status: 503, Header: http.Header{"Retry-After": {"7"}}},
		"429": {Status: 429, Header: http.Header{"Retry-After": {"7"}}}, "401": {Status: 401}, "302": {Status: 302, Header: http.Header{"Location": {"/login"}}},
		"page": {Status: 200, Body: "<html>"}, "page as 404": {Status: 404, Body: "<html>"}, "null": {Status: 200, Body: "null"}, "void": {Status: 200, Body: "{}"},
		"types": {Status: 200, Body: `{"results":[],"queuedBuilds":7,"key":{}}`}, "long": {Status: 200, Body: strings.Repeat(" ", maxAnswer+1)},
		"cut": {Status: 200, Body: `{"results":`},
	} {
		for _, part := range []string{"/branch/", "/queue", "/result/"} {
			if name == "page as 404" && part == "/queue" {
				continue // the queue is not needed where it is not there
			}
			t.Run(name+" at "+part, func(t *testing.T) {
				t.Parallel()
				site := newSite(t, bambootest.Options{})
				site.AddPlan("SHOP-API", declared())
				req := triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: "feature/x"}
				start(t, site.client, req)
				trouble := f
				trouble.Match = func(r *http.Request) bool { return r.Method == http.MethodGet && strings.Contains(r.URL.Path, part) }
				site.Break(trouble)
				client := newClient(t, Options{URL: site.http.URL, Token: token, Timeout: time.Second})
				if !f.Hang {
					client = site.client
				}
				got, err := client.Find(t.Context(), req, time.Now())
				e, _ := failureOf(t, err)
				if !e.Temporary || e.Ambiguous || e.Server == (name == "429") || got != (triggers.Sighting{}) {
					t.Errorf("%+v, %+v", got, e)
				}
				if (name == "503" || name == "429") != (e.RetryAfter == 7*time.Second) {
					t.Errorf("RetryAfter %s", e.RetryAfter)
				}
			})
		}
	}
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", declared())
	site.Break(fault{Status: 403, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/result/") }})
	if got := find(t, site.client, triggers.Request{ID: "b_1", Target: "SHOP-API"}, time.Now()); got.Presence != triggers.Unknown {
		t.Errorf("forbidden: %+v", got)
	}
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	client := newClient(t, Options{URL: web.URL, Token: token})
	_, err := client.Find(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"}, time.Now())
	if got, _ := failureOf(t, err); got != (failure{Temporary: true, Server: true}) {
		t.Errorf("closed port: %+v", got)
	}
}

// What a Bamboo may say that the simulated one does not.
func TestOddAnswersToFind(t *testing.T) {
	now := time.Now().Format("2006-01-02T15:04:05.000-0700")
	result := func(n int, rest string) string {
		return fmt.Sprintf(`{"buildResultKey":"SHOP-API-%d","lifeCycleState":"Finished","state":"Failed","buildStartedTime":%q%s}`, n, now, rest)
	}
	list := func(size int, results ...string) string {
		return fmt.Sprintf(`{"results":{"size":%d,"result":[%s]}}`, size, strings.Join(results, ","))
	}
	vars := func(v string) string {
		return `,"variables":{"variable":[{"name":"PUSHGATE_BUILD","value":` + v + `}]}`
	}
	const nothing = `{"queuedBuilds":{"size":0}}`
	for name, tt := range map[string]struct {
		queue, results string
		want           triggers.Presence // empty: a temporary error
	}{
		"empty":                    {nothing, list(0), triggers.Absent},
		"ours":                     {nothing, list(1, result(1, vars(`"b_1"`))), triggers.Present},
		"ours, with a copy":        {nothing, list(2, result(2, vars(`"b_1"`)), result(1, vars(`"b_1"`))), triggers.Present},
		"another's":                {nothing, list(1, result(1, vars(`"b_2"`))), triggers.Absent},
		"variables not told":       {nothing, list(1, result(1, "")), triggers.Unknown},
		"declared, overrides only": {nothing, list(1, result(1, `,"variables":{"variable":[]}`)), triggers.Absent},
		"a number":                 {nothing, list(1, result(1, vars(`7`))), triggers.Absent}, // the plan declares it
		"first results removed":    {nothing, list(1, result(7, vars(`"b_2"`))), triggers.Unknown},
		"says more than it tells":  {nothing, list(9), triggers.Unknown},
		"says less than it tells":  {nothing, list(-1, result(9, vars(`"b_2"`))), triggers.Unknown},
		"another plan's results":   {nothing, list(1, `{"buildResultKey":"SHOP-WEB-1"}`), triggers.Absent},
		"waits, no result":         {`{"queuedBuilds":{"queuedBuild":[{"buildResultKey":"SHOP-API-JOB1-2"}]}}`, list(1, result(1, vars(`"b_2"`))), ""},
		"waits, no result at all":  {`{"queuedBuilds":{"queuedBuild":[{"buildResultKey":"SHOP-API-1"}]}}`, list(0), ""},
		"another plan's job waits": {`{"queuedBuilds":{"queuedBuild":[{"buildResultKey":"SHOP-API2-JOB1-2"},{"buildResultKey":"x"}]}}`, list(0), triggers.Absent},
		"key under another name":   {nothing, list(1, `{"key":"SHOP-API-1"`+vars(`"b_1"`)+`}`), triggers.Present},
		"a key that climbs":        {nothing, list(1, `{"key":"SHOP-API-1/../2"`+vars(`"b_1"`)+`}`), triggers.Absent},
		"a number that is none":    {nothing, list(1, `{"key":"SHOP-API-007"`+vars(`"b_1"`)+`}`), triggers.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				answers := map[string]string{
					"/rest/api/latest/queue":             tt.queue,
					"/rest/api/latest/result/SHOP-API":   tt.results,
					"/rest/api/latest/result/SHOP-API-1": result(1, ""),
					"/rest/api/latest/plan/SHOP-API":     `{"key":"SHOP-API","variableContext":{"variable":[{"key":"PUSHGATE_BUILD"}]}}`,
				}
				body, ok := answers[r.URL.Path]
				if !ok {
					t.Errorf("asked for %s", r.URL)
				}
				_, _ = w.Write([]byte(body))
			})
			got, err := client.Find(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"}, time.Now())
			if tt.want == "" {
				if e, _ := failureOf(t, err); !e.Temporary || e.Server {
					t.Errorf("%+v", e)
				}
				return
			}
			if err != nil || got.Presence != tt.want || tt.want == triggers.Present && got.State.Handle != "result/SHOP-API-1" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
