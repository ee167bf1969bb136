package bamboo

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// Waiting and running builds are stopped with all their jobs, no other is, and
// a second time does no harm.
func TestStop(t *testing.T) {
	for _, wait := range []time.Duration{0, 2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			sim, s := bubble(t, bambootest.Options{QueueTime: time.Minute, BuildTime: time.Hour})
			plan := declared()
			plan.Jobs = []string{"BUILD", "TEST"}
			sim.AddPlan("SHOP-API", plan)
			var handles []string
			for _, id := range []string{"b_1", "b_2", "b_3"} {
				handles = append(handles, start(t, s, triggers.Request{ID: id, Target: "SHOP-API", Branch: "feature/x"}))
			}
			pass(wait)
			req := triggers.Request{ID: "b_2", Target: "SHOP-API", Branch: "feature/x"}
			for range 2 {
				if err := s.Stop(t.Context(), req, handles[1]); err != nil {
					t.Fatal(err)
				}
			}
			var ended []bool
			for _, handle := range handles {
				st, err := s.State(t.Context(), req, handle)
				if err != nil {
					t.Fatal(err)
				}
				ended = append(ended, st.Phase == triggers.Aborted)
			}
			if !slices.Equal(ended, []bool{false, true, false}) {
				t.Errorf("after %s: stopped %t", wait, ended)
			}
		})
	}
}

// deletes gives a site that remembers what it was asked to stop.
func deletes(t *testing.T) (*site, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	site := newSite(t, bambootest.Options{QueueTime: time.Nanosecond, BuildTime: time.Hour})
	site.Break(bambootest.Fault{Match: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodGet && !bambootest.Queueing(r) {
			seen = append(seen, r.Method+" "+r.URL.Path)
		}
		return false
	}})
	return site, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestStopLeavesAlone(t *testing.T) {
	site, stopped := deletes(t)
	site.AddPlan("SHOP-API", declared())
	start(t, site.client, triggers.Request{ID: "b_1", Target: "SHOP-API"})
	for name, tt := range map[string]struct{ id, handle string }{
		"another's": {"b_2", "result/SHOP-API-1"},
		"no build":  {"b_1", "result/SHOP-API-9"},
		"no plan":   {"b_1", "result/GONE-API-9"},
	} {
		if err := site.client.Stop(t.Context(), triggers.Request{ID: tt.id, Target: "SHOP-API"}, tt.handle); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, handle := range []string{"", "SHOP-API-1", "result/SHOP-API-JOB1-1", "result/../x-1", "queue/1"} {
		if got, _ := failureOf(t, site.client.Stop(t.Context(), triggers.Request{}, handle)); got.Temporary {
			t.Errorf("%q: %+v", handle, got)
		}
	}
	if got := stopped(); len(got) != 0 {
		t.Errorf("sent %q", got)
	}
}

func TestStopInTrouble(t *testing.T) {
	type fault = bambootest.Fault
	for name, tt := range map[string]struct {
		fault fault
		want  failure
	}{
		"drop":        {fault{Drop: true}, failure{Temporary: true, Server: true}},
		"drop after":  {fault{Drop: true, After: true}, failure{Temporary: true, Server: true}},
		"hang":        {fault{Hang: true}, failure{Temporary: true, Server: true}},
		"502 after":   {fault{Status: 502, After: true}, failure{Status: 502, Temporary: true, Server: true}},
		"503":         {fault{Status: 503}, failure{Status: 503, Temporary: true, Server: true}},
		"429":         {fault{Status: 429, Header: http.Header{"Retry-After": {"5"}}}, failure{Status: 429, Temporary: true, RetryAfter: 5 * time.Second}},
		"401":         {fault{Status: 401}, failure{Status: 401, Temporary: true, Server: true}},
		"403":         {fault{Status: 403}, failure{Status: 403}},
		"405":         {fault{Status: 405}, failure{Status: 405}},
		"409":         {fault{Status: 409}, failure{Status: 409}},
		"a login":     {fault{Status: 302, Header: http.Header{"Location": {"/login"}}}, failure{Status: 302, Temporary: true, Server: true}},
		"a page":      {fault{Status: 200, Body: "<html>"}, failure{Status: 200, Temporary: true, Server: true}},
		"page as 404": {fault{Status: 404, Body: "<html>"}, failure{Status: 404, Temporary: true, Server: true}},
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				site, stopped := deletes(t)
				site.AddPlan("SHOP-API", declared())
				req := triggers.Request{ID: "b_1", Target: "SHOP-API"}
				handle := start(t, site.client, req)
				trouble := tt.fault
				trouble.Match = func(r *http.Request) bool { return r.Method == method }
				site.Break(trouble)
				client := newClient(t, Options{URL: site.http.URL, Token: token, Timeout: time.Second})
				if !tt.fault.Hang {
					client = site.client
				}
				got, e := failureOf(t, client.Stop(t.Context(), req, handle))
				if diff := cmp.Diff(tt.want, got); diff != "" || !e.Temporary && e.Hint == "" {
					t.Errorf("%v, hint %q (-want +got):\n%s", e, e.Hint, diff)
				}
				if n := len(stopped()); n > 1 {
					t.Errorf("sent %q", stopped())
				}
				site.Heal()
				if err := site.client.Stop(t.Context(), req, handle); err != nil {
					t.Errorf("the next try: %v", err)
				}
				if st, err := site.client.State(t.Context(), req, handle); err != nil || st.Phase != triggers.Aborted {
					t.Errorf("then %+v, %v", st, err)
				}
			})
		}
	}
}

// The build ends between the two requests; its jobs come in several shapes.
func TestOddAnswersToStop(t *testing.T) {
	head := `{"buildResultKey":"SHOP-API-1","lifeCycleState":"InProgress"`
	jobs := func(list string) string { return head + `,"stages":{"stage":[{"results":{"result":[` + list + `]}}]}}` }
	for name, tt := range map[string]struct {
		body   string
		status int
		want   *failure
		sent   string
	}{
		"ended since":       {jobs(`{"buildResultKey":"SHOP-API-J1-1"}`), 404, nil, "J1"},
		"two, one ended":    {jobs(`{"key":"SHOP-API-J1-1","lifeCycleState":"Finished"},{"key":"SHOP-API-J2-1","lifeCycleState":"Queued"}`), 204, nil, "J2"},
		"last first":        {jobs(`{"key":"SHOP-API-J1-1"},{"key":"SHOP-API-J2-1"}`), 204, nil, "J2 J1"},
		"goes on after 403": {jobs(`{"key":"SHOP-API-J1-1"},{"key":"SHOP-API-J2-1"}`), 403, &failure{Status: 403}, "J2 J1"},
		"not after 500":     {jobs(`{"key":"SHOP-API-J1-1"},{"key":"SHOP-API-J2-1"}`), 500, &failure{Status: 500, Temporary: true, Server: true}, "J2"},
		"no jobs":           {head + `}`, 204, &failure{Status: 200, Temporary: true}, ""},
		"another's jobs":    {jobs(`{"key":"SHOP-WEB-J1-1"},{"key":"SHOP-API-J1-2"},{"key":"SHOP-API-J1-1/.."}`), 204, &failure{Status: 200, Temporary: true}, ""},
		"wrong types":       {head + `,"stages":[]}`, 204, &failure{Status: 200, Temporary: true, Server: true}, ""},
		"another build":     {`{"buildResultKey":"SHOP-API-2","lifeCycleState":"InProgress"}`, 204, &failure{Status: 200, Temporary: true, Server: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var sent []string
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = w.Write([]byte(tt.body))
					return
				}
				sent = append(sent, strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/rest/api/latest/queue/SHOP-API-"), "-1"))
				w.WriteHeader(tt.status)
			})
			err := client.Stop(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"}, "result/SHOP-API-1")
			if tt.want == nil && err != nil {
				t.Error(err)
			}
			if tt.want != nil {
				if got, _ := failureOf(t, err); got != *tt.want {
					t.Errorf("%+v, want %+v", got, *tt.want)
				}
			}
			if got := strings.Join(sent, " "); got != tt.sent {
				t.Errorf("sent %q, want %q", got, tt.sent)
			}
		})
	}
}
