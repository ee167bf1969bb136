package jenkins

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// oneByOne is what States is held to.
func oneByOne(t testing.TB, s *Server, list []triggers.Followed) []triggers.Looked {
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

// Over random histories the batch says what single looks say: waiting, running,
// ended, cancelled, deleted, forgotten, and what is no handle.
func TestStatesAreThoseOfState(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			jenkins := controller(jenkinstest.Options{
				QuietPeriod: time.Duration(r.IntN(5)) * time.Second, BuildTime: time.Minute, Executors: 1 + r.IntN(30), ItemLife: 3 * time.Minute,
			})
			s := inProcess(t, jenkins)
			targets := []string{"app", "mb/a%2Fb", "plain", "serial"}
			add := func() {
				jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
				jenkins.AddJob("mb/a%2Fb", jenkinstest.Job{Parameters: declare(triggers.IDName), BuildTime: time.Hour})
				jenkins.AddJob("plain", jenkinstest.Job{Result: func(map[string]string) string { return "UNSTABLE" }})
				jenkins.AddJob("serial", jenkinstest.Job{Parameters: declare(triggers.IDName), Serial: true})
			}
			add()
			var list []triggers.Followed
			for i := range 120 {
				req := triggers.Request{ID: fmt.Sprint("b_", i), Target: targets[r.IntN(4)]}
				switch p := r.IntN(40); {
				case p < 25:
					if receipt, err := s.Start(t.Context(), req); err == nil {
						list = append(list, triggers.Followed{Request: req, Handle: receipt.Handle})
					}
				case p < 30:
					<-time.After(time.Duration(r.IntN(90)) * time.Second)
				case p < 33 && len(list) > 0:
					f := list[r.IntN(len(list))]
					_ = s.Stop(t.Context(), f.Request, f.Handle)
				case p < 35:
					jenkins.RemoveBuild(req.Target, 1+r.IntN(20))
				case p < 37 && len(list) > 0: // as after a look
					at := r.IntN(len(list))
					if st, err := s.State(t.Context(), list[at].Request, list[at].Handle); err == nil {
						list[at].Handle = st.Handle
					}
				case p == 37:
					jenkins.RemoveJob("serial")
				case p == 38:
					add()
				case p == 39:
					jenkins.QuietDown(r.IntN(2) == 0)
				}
			}
			list = append(list, triggers.Followed{Request: triggers.Request{Target: "app"}, Handle: "build/9999"},
				triggers.Followed{Request: triggers.Request{Target: "app"}, Handle: "queue/9999"},
				triggers.Followed{Request: triggers.Request{Target: "gone"}, Handle: "build/1"},
				triggers.Followed{Request: triggers.Request{Target: "gone"}, Handle: "build/2"},
				triggers.Followed{Request: triggers.Request{Target: "a/../b"}, Handle: "build/1"},
				triggers.Followed{Request: triggers.Request{Target: "app"}, Handle: "nonsense"})
			list = append(list, list[:r.IntN(3)]...)
			if d := cmp.Diff(texts(oneByOne(t, s, list)), texts(s.States(t.Context(), list))); d != "" {
				t.Errorf("seed %d (-single +batch):\n%s", seed, d)
			}
		})
	}
}

// A thousand running builds over 1, 10 and 100 jobs, and a thousand that wait:
// the answers, and what they cost.
func TestStatesOfAThousand(t *testing.T) {
	for _, tt := range []struct{ jobs, waiting, requests int }{
		{1, 0, 1}, {10, 0, 10}, {100, 0, 100}, {10, 500, 11},
	} {
		jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 1000 - tt.waiting})
		var list []triggers.Followed
		s := inProcess(t, jenkins)
		if tt.waiting == 1000 {
			jenkins.QuietDown(true)
		}
		for i := range 1000 {
			target := fmt.Sprint("job", i%tt.jobs)
			if i < tt.jobs {
				jenkins.AddJob(target, jenkinstest.Job{Parameters: declare(triggers.IDName)})
			}
			req := triggers.Request{ID: fmt.Sprint("b_", i), Target: target}
			receipt, err := s.Start(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, triggers.Followed{Request: req, Handle: receipt.Handle})
		}
		first := s.States(t.Context(), list)
		running := 0
		for i, l := range first {
			if l.Err != nil {
				t.Fatal(l.Err)
			}
			list[i].Handle = l.State.Handle
			if l.State.Phase == triggers.Running {
				running++
			}
		}
		before := jenkins.Requests()
		again := s.States(t.Context(), list)
		if n := jenkins.Requests() - before; n != tt.requests || running != 1000-tt.waiting {
			t.Errorf("%+v: %d requests, %d running", tt, n, running)
		}
		if d := cmp.Diff(texts(first), texts(again)); d != "" {
			t.Errorf("%+v:\n%s", tt, d)
		}
	}
}

// Few builds of a busy job are found without reading its history.
func TestStatesOfOldBuilds(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	s := inProcess(t, jenkins)
	for i := range 600 {
		start(t, s, "app", fmt.Sprint("b_", i))
	}
	var list []triggers.Followed
	for _, n := range []int{1, 2, 300, 599, 600} {
		list = append(list, triggers.Followed{Request: triggers.Request{Target: "app"}, Handle: fmt.Sprint("build/", n)})
	}
	before := jenkins.Requests()
	got := s.States(t.Context(), list)
	if n := jenkins.Requests() - before; n > statesPages+3 {
		t.Errorf("%d requests", n)
	}
	if d := cmp.Diff(texts(oneByOne(t, s, list)), texts(got)); d != "" {
		t.Error(d)
	}
}

// An item leaves the queue after it was read, a build ends: the answer is that
// of the one moment or of the other.
func TestStatesWhileBuildsMove(t *testing.T) {
	jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 50})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	s, _, web := serve(t, jenkins, withToken())
	jenkins.QuietDown(true)
	var list []triggers.Followed
	for i := range 10 {
		req := triggers.Request{ID: fmt.Sprint("b_", i), Target: "app"}
		list = append(list, triggers.Followed{Request: req, Handle: start(t, s, "app", req.ID)})
	}
	var once atomic.Bool
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if strings.HasPrefix(r.URL.Path, "/queue/") && once.CompareAndSwap(false, true) {
			jenkins.QuietDown(false)
		}
		return nil
	})
	for _, l := range s.States(t.Context(), list) {
		if l.Err != nil || l.State.Phase != triggers.Running {
			t.Errorf("%+v", l)
		}
	}
	once.Store(false)
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if strings.Contains(r.URL.RawQuery, "allBuilds") && once.CompareAndSwap(false, true) {
			act(t, web.URL+"/job/app/1/stop", http.StatusFound)
		}
		return nil
	})
	got := s.States(t.Context(), list)
	if got[0].State.Phase != triggers.Aborted || got[1].State.Phase != triggers.Running {
		t.Errorf("%q", texts(got))
	}
}

// Trouble with all is asked about a few times, not a thousand; trouble with one
// job is its own.
func TestStatesInTrouble(t *testing.T) {
	jobs := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for name, tt := range map[string]struct {
		fault jenkinstest.Fault
		at    string // path
		most  int    // requests
		fail  int    // builds
	}{
		"drop":            {jenkinstest.Fault{Drop: true}, "/", 6, 100},
		"hang":            {jenkinstest.Fault{Hang: true}, "/", 6, 100},
		"503":             {jenkinstest.Fault{Status: 503}, "/", 6, 100},
		"401":             {jenkinstest.Fault{Status: 401}, "/", 6, 100},
		"429":             {jenkinstest.Fault{Status: 429, Header: http.Header{"Retry-After": {"9"}}}, "/", 6, 100},
		"500 of one job":  {jenkinstest.Fault{Status: 500}, "/job/a/", 20, 10},
		"hang of one job": {jenkinstest.Fault{Hang: true}, "/job/a/api/", 20, 0},
		"list of one job": {jenkinstest.Fault{Status: 500}, "/job/a/api/", 20, 0},
		"page of one job": {jenkinstest.Fault{Status: 200, Body: "<html>"}, "/job/a/api/", 20, 0},
		"long list":       {jenkinstest.Fault{Status: 200, Body: strings.Repeat(" ", maxBody+1)}, "/job/a/api/", 20, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jenkins := controller(jenkinstest.Options{BuildTime: time.Hour, Executors: 100})
			for _, j := range jobs {
				jenkins.AddJob(j, jenkinstest.Job{Parameters: declare(triggers.IDName)})
			}
			o := withToken()
			if tt.fault.Hang {
				o.Timeout = time.Second
			}
			s, _, _ := serve(t, jenkins, o)
			var list []triggers.Followed
			for i := range 100 {
				target := jobs[i%len(jobs)]
				start(t, s, target, fmt.Sprint("b_", i))
				list = append(list, triggers.Followed{Request: triggers.Request{Target: target}, Handle: fmt.Sprint("build/", i/len(jobs)+1)})
			}
			before := jenkins.Requests()
			jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
				if strings.HasPrefix(r.URL.Path, tt.at) {
					return &tt.fault
				}
				return nil
			})
			failed := 0
			for _, l := range s.States(t.Context(), list) {
				if l.Err == nil {
					if l.State.Phase != triggers.Running {
						t.Errorf("%+v", l.State)
					}
					continue
				}
				failed++
				if e := failure(t, l.Err); !e.Temporary || e.Ambiguous || e.Server == (name == "429") {
					t.Errorf("%+v", e)
				}
			}
			if n := jenkins.Requests() - before; failed != tt.fail || n > tt.most {
				t.Errorf("%d failed, %d requests", failed, n)
			}
		})
	}
	s, _, web := serve(t, http.NotFoundHandler(), withToken())
	list := slices.Repeat([]triggers.Followed{{Request: triggers.Request{Target: "app"}, Handle: "build/1"}}, 50)
	for _, l := range s.States(t.Context(), list) {
		if l.Err == nil {
			t.Errorf("404 of a proxy: %+v", l.State)
		}
	}
	web.Close()
	for _, l := range s.States(t.Context(), list) {
		if e := failure(t, l.Err); !e.Server || e.Reason != "cannot connect" {
			t.Errorf("closed port: %+v", e)
		}
	}
	if got := s.States(t.Context(), nil); len(got) != 0 {
		t.Errorf("nothing: %+v", got)
	}
}
