package bamboo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// TestTrouble has the queueing request run into each kind of trouble. What is
// said of it must cover what the server did: a build that was queued unheard is
// ambiguous, and nothing is sent twice.
func TestTrouble(t *testing.T) {
	down := failure{Temporary: true, Server: true}
	unclear := failure{Temporary: true, Server: true, Ambiguous: true}
	tests := []struct {
		name  string
		fault bambootest.Fault
		want  failure
		built int
	}{
		{"hangs", bambootest.Fault{Hang: true}, unclear, 0},
		{"hangs after accepting", bambootest.Fault{Hang: true, After: true}, unclear, 1},
		{"drops", bambootest.Fault{Drop: true}, unclear, 0},
		{"drops after accepting", bambootest.Fault{Drop: true, After: true}, unclear, 1},
		{"500 after accepting", bambootest.Fault{Status: 500, After: true}, failure{Status: 500, Temporary: true, Server: true, Ambiguous: true}, 1},
		{"slow", bambootest.Fault{Delay: time.Hour}, unclear, 0},
		{"a page", bambootest.Fault{Status: 200, Body: "<html>Log in</html>"}, failure{Status: 200, Temporary: true, Server: true}, 0},
		{"answer without end", bambootest.Fault{Status: 200, Body: strings.Repeat("x", maxAnswer+1)}, unclear, 0},
		{"refusal without end", bambootest.Fault{Status: 403, Body: strings.Repeat("x", maxAnswer+1)}, failure{Status: 403}, 0},
		{"answer cut short", bambootest.Fault{Status: 200, Header: http.Header{"Content-Length": {"99"}}, Body: "{"}, unclear, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some wait for a time-out
			site := newSite(t, bambootest.Options{})
			site.AddPlan("SHOP-API", bambootest.Plan{})
			var requests atomic.Int32
			tt.fault.Match = func(r *http.Request) bool { requests.Add(1); return bambootest.Queueing(r) }
			site.Break(tt.fault)
			client := newClient(t, Options{URL: site.http.URL, Token: token, Timeout: 2 * time.Second})
			if !tt.fault.Hang && tt.fault.Delay == 0 {
				client = site.client
			}
			_, err := client.Start(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"})
			got, _ := failureOf(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if requests.Load() != 1 || len(site.Started()) != tt.built {
				t.Errorf("%d requests, %d builds; want 1 and %d", requests.Load(), len(site.Started()), tt.built)
			}
			site.Heal()
			if _, err := site.client.Start(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API"}); err != nil {
				t.Errorf("after the trouble: %v", err)
			}
		})
	}

	t.Run("restarting", func(t *testing.T) {
		site := newSite(t, bambootest.Options{})
		site.AddPlan("SHOP-API", bambootest.Plan{})
		site.Down(true)
		_, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API"})
		got, _ := failureOf(t, err)
		want := down
		want.Status = 503
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})

	t.Run("gone, with a connection kept alive", func(t *testing.T) {
		site := newSite(t, bambootest.Options{})
		site.AddPlan("SHOP-API", bambootest.Plan{})
		if _, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API"}); err != nil {
			t.Fatal(err)
		}
		site.http.Close()
		_, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API"})
		if got, _ := failureOf(t, err); !got.Temporary || !got.Server {
			t.Errorf("%v: %+v", err, got)
		}
	})

	t.Run("closed port", func(t *testing.T) {
		web := httptest.NewServer(http.NotFoundHandler())
		web.Close()
		client := newClient(t, Options{URL: web.URL, Token: token})
		_, err := client.Start(t.Context(), triggers.Request{Target: "SHOP-API"})
		got, _ := failureOf(t, err)
		if diff := cmp.Diff(down, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		_, err = client.State(t.Context(), triggers.Request{}, "result/SHOP-API-1")
		got, _ = failureOf(t, err)
		if diff := cmp.Diff(down, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})

	t.Run("no route", func(t *testing.T) {
		over := make(chan struct{})
		t.Cleanup(func() { close(over) })
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over // beyond the request: the transport lets a dial go on
			return nil, errors.New("no route")
		}}
		client := newClient(t, Options{URL: "http://ci.invalid", Token: token, Timeout: time.Millisecond, Transport: transport})
		_, err := client.Start(t.Context(), triggers.Request{Target: "SHOP-API"})
		got, _ := failureOf(t, err)
		if diff := cmp.Diff(down, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// TestCallerGivesUp: the end of the caller's context says nothing about the
// server, but the build may be queued.
func TestCallerGivesUp(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", bambootest.Plan{})
	ctx, cancel := context.WithCancel(t.Context())
	site.Break(bambootest.Fault{Hang: true, After: true, Match: func(r *http.Request) bool {
		cancel()
		return bambootest.Queueing(r)
	}})
	_, err := site.client.Start(ctx, triggers.Request{Target: "SHOP-API"})
	got, _ := failureOf(t, err)
	if diff := cmp.Diff(failure{Temporary: true, Ambiguous: true}, got); diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = site.client.Start(ctx, triggers.Request{Target: "SHOP-API"})
	got, _ = failureOf(t, err)
	if diff := cmp.Diff(failure{Temporary: true}, got); diff != "" {
		t.Errorf("before it was sent: %v (-want +got):\n%s", err, diff)
	}
}

// TestTroubleWhileResolving: nothing was queued, so nothing is ambiguous.
func TestTroubleWhileResolving(t *testing.T) {
	for name, fault := range map[string]bambootest.Fault{
		"look-up dropped":  {Drop: true, Match: onBranch("GET")},
		"creation dropped": {Drop: true, After: true, Match: onBranch("PUT")},
		"creation failed":  {Status: 502, Match: onBranch("PUT")},
		"creation unread":  {Status: 200, Body: "{}", After: true, Match: onBranch("PUT")},
		"listing failed":   {Status: 500, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/vcsBranches") }},
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, bambootest.Options{})
			plan := bambootest.Plan{VCSBranches: []string{"feature/x"}}
			if strings.HasPrefix(name, "l") {
				plan.Branches = map[string]bambootest.Branch{"feature/x": {}}
			}
			site.AddPlan("SHOP-API", plan)
			fault.Times = 1
			site.Break(fault)
			req := triggers.Request{Target: "SHOP-API", Branch: "feature/x", CreateBranch: true}
			_, err := site.client.Start(t.Context(), req)
			if got, _ := failureOf(t, err); !got.Temporary || !got.Server || got.Ambiguous {
				t.Errorf("%v: %+v", err, got)
			}
			if _, err := site.client.Start(t.Context(), req); err != nil {
				t.Errorf("the next try: %v", err)
			}
			if got := site.Started(); len(got) != 1 || got[0].Branch != "feature/x" {
				t.Errorf("builds %+v", got)
			}
		})
	}
}

func onBranch(method string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, "/branch/") }
}
