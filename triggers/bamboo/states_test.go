package bamboo

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// oneByOne is what States is held to.
func oneByOne(t *testing.T, s *Server, list []triggers.Followed) []triggers.Looked {
	t.Helper()
	out := make([]triggers.Looked, len(list))
	for i, f := range list {
		out[i].State, out[i].Err = s.State(t.Context(), f.Request, f.Handle)
	}
	return out
}

func texts(list []triggers.Looked) (out []string) {
	for _, l := range list {
		out = append(out, fmt.Sprintf("%+v %v", l.State, l.Err))
	}
	return out
}

// counting has a simulated server count its requests.
func counting(sim *bambootest.Server) *atomic.Int64 {
	var n atomic.Int64
	sim.Break(bambootest.Fault{Match: func(*http.Request) bool { n.Add(1); return false }})
	return &n
}

// Over random histories the batch says what single looks say.
func TestStatesAreThoseOfState(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			sim, s := bubble(t, bambootest.Options{QueueTime: time.Minute, BuildTime: time.Hour})
			ends := []bambootest.Result{bambootest.Successful, bambootest.Failed, bambootest.Unknown, bambootest.NotBuilt}
			targets := []string{"SHOP-API", "SHOP-WEB", "X-Y"}
			for _, target := range targets {
				plan := declared()
				plan.Result = ends[r.IntN(len(ends))]
				sim.AddPlan(target, plan)
			}
			var list []triggers.Followed
			for i := range 120 {
				req := triggers.Request{ID: fmt.Sprint("b_", i), Target: targets[r.IntN(3)], Branch: []string{"", "feature/x"}[r.IntN(2)]}
				switch p := r.IntN(40); {
				case p < 28:
					if receipt, err := s.Start(t.Context(), req); err == nil {
						list = append(list, triggers.Followed{Request: req, Handle: receipt.Handle})
					}
				case p < 32:
					pass(time.Duration(r.IntN(30)) * time.Minute)
				case p < 35 && len(list) > 0:
					f := list[r.IntN(len(list))]
					_ = s.Stop(t.Context(), f.Request, f.Handle)
				case p < 38 && len(list) > 0:
					sim.RemoveResult(strings.TrimPrefix(list[r.IntN(len(list))].Handle, handlePrefix))
				case p == 38:
					sim.RemovePlan("X-Y")
				}
			}
			for _, handle := range []string{"result/SHOP-API-9999", "result/GONE-API-1", "result/GONE-API-2", "nonsense", "result/SHOP-API-JOB1-1"} {
				list = append(list, triggers.Followed{Handle: handle})
			}
			list = append(list, list[:r.IntN(3)]...)
			if d := cmp.Diff(texts(oneByOne(t, s, list)), texts(s.States(t.Context(), list))); d != "" {
				t.Errorf("seed %d (-single +batch):\n%s", seed, d)
			}
		})
	}
}

// A thousand running builds over 1, 10 and 100 plans, and what they cost.
func TestStatesOfAThousand(t *testing.T) {
	for _, tt := range []struct{ plans, requests int64 }{{1, 2}, {10, 10}, {100, 100}} {
		sim, s := bubble(t, bambootest.Options{BuildTime: time.Hour})
		n := counting(sim)
		var list []triggers.Followed
		for i := range int64(1000) {
			target := fmt.Sprint("SHOP-P", i%tt.plans)
			if i < tt.plans {
				sim.AddPlan(target, declared())
			}
			req := triggers.Request{ID: fmt.Sprint("b_", i), Target: target}
			list = append(list, triggers.Followed{Request: req, Handle: start(t, s, req)})
		}
		before := n.Load()
		got := s.States(t.Context(), list)
		if cost := n.Load() - before; cost != tt.requests {
			t.Errorf("%d plans: %d requests, want %d", tt.plans, cost, tt.requests)
		}
		for i, l := range got {
			if l.Err != nil || l.State.Phase != triggers.Running || l.State.Handle != list[i].Handle {
				t.Fatalf("%+v", l)
			}
		}
	}
}

// A build ends between two pages, new ones push the list on: each answer is
// that of one moment.
func TestStatesWhileBuildsMove(t *testing.T) {
	sim := bambootest.New(bambootest.Options{BuildTime: time.Hour})
	sim.AddPlan("SHOP-API", declared())
	web := httptest.NewServer(sim)
	defer web.Close()
	s := newClient(t, Options{URL: web.URL, Token: token})
	var list []triggers.Followed
	for i := range 600 {
		req := triggers.Request{ID: fmt.Sprint("b_", i), Target: "SHOP-API"}
		list = append(list, triggers.Followed{Request: req, Handle: start(t, s, req)})
	}
	var pages atomic.Int64
	sim.Break(bambootest.Fault{Match: func(r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/result/SHOP-API") && pages.Add(1) == 2 {
			for range 30 {
				w := httptest.NewRecorder()
				q := httptest.NewRequest(http.MethodPost, "/rest/api/latest/queue/SHOP-API", nil)
				q.Header.Set("X-Atlassian-Token", "no-check")
				go sim.ServeHTTP(w, q)
			}
		}
		return false
	}})
	for i, l := range s.States(t.Context(), list) {
		if l.Err != nil || l.State.Phase != triggers.Running || l.State.Handle != list[i].Handle {
			t.Errorf("%+v", l)
		}
	}
}

// Trouble with all is asked about a few times; trouble with one plan is its own.
func TestStatesInTrouble(t *testing.T) {
	type fault = bambootest.Fault
	plans := []string{"A", "B", "C", "D", "E", "F", "G", "H", "I", "J"}
	for name, tt := range map[string]struct {
		fault fault
		at    string
		most  int64
		fail  int
	}{
		"drop":             {fault{Drop: true}, "/", 8, 100},
		"hang":             {fault{Hang: true}, "/", 8, 100},
		"503":              {fault{Status: 503}, "/", 8, 100},
		"401":              {fault{Status: 401}, "/", 8, 100},
		"429":              {fault{Status: 429, Header: http.Header{"Retry-After": {"9"}}}, "/", 8, 100},
		"500 of one plan":  {fault{Status: 500}, "SHOP-A", 30, 10},
		"list of one plan": {fault{Status: 500, Times: 1}, "SHOP-A", 30, 0},
		"hang of one plan": {fault{Hang: true, Times: 1}, "SHOP-A", 30, 0},
		"page of one plan": {fault{Status: 200, Body: "<html>", Times: 1}, "SHOP-A", 30, 0},
		"null of one plan": {fault{Status: 200, Body: `{"results":{"result":[null,{},{"key":7}]}}`, Times: 1}, "SHOP-A", 30, 0},
		"states unheard":   {fault{Status: 200, Body: `{"results":{"size":1,"result":[{"key":"SHOP-A-1","lifeCycleState":"Paused"}]}}`, Times: 1}, "SHOP-A", 30, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, bambootest.Options{BuildTime: time.Hour})
			n := counting(site.Server)
			for _, p := range plans {
				site.AddPlan("SHOP-"+p, declared())
			}
			var list []triggers.Followed
			for i := range 100 {
				req := triggers.Request{ID: fmt.Sprint("b_", i), Target: "SHOP-" + plans[i%len(plans)]}
				list = append(list, triggers.Followed{Request: req, Handle: start(t, site.client, req)})
			}
			client := newClient(t, Options{URL: site.http.URL, Token: token, Timeout: time.Second})
			if !tt.fault.Hang {
				client = site.client
			}
			before := n.Load()
			tt.fault.Match = func(r *http.Request) bool { return strings.Contains(r.URL.Path, tt.at) }
			site.Heal()
			site.Break(bambootest.Fault{Match: func(*http.Request) bool { n.Add(1); return false }})
			site.Break(tt.fault)
			failed := 0
			for i, l := range client.States(t.Context(), list) {
				if l.Err == nil {
					if l.State.Phase != triggers.Running || l.State.Handle != list[i].Handle {
						t.Errorf("%+v", l.State)
					}
					continue
				}
				failed++
				if e, _ := failureOf(t, l.Err); !e.Temporary || e.Ambiguous || e.Server == (name == "429") {
					t.Errorf("%+v", e)
				}
			}
			if cost := n.Load() - before; failed != tt.fail || cost > tt.most {
				t.Errorf("%d failed, %d requests", failed, cost)
			}
		})
	}
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	client := newClient(t, Options{URL: web.URL, Token: token})
	for _, l := range client.States(t.Context(), slices.Repeat([]triggers.Followed{{Handle: "result/SHOP-API-1"}, {Handle: "x"}}, 50)) {
		if e, _ := failureOf(t, l.Err); e.Status != 0 {
			t.Errorf("closed port: %+v", e)
		}
	}
	if got := client.States(t.Context(), nil); len(got) != 0 {
		t.Errorf("nothing: %+v", got)
	}
}
