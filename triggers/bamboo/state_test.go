package bamboo

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

// inProcess carries requests to a handler without a socket, so that the clock
// of a bubble rules both sides.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestFollow follows a build of each result to its end.
func TestFollow(t *testing.T) {
	tests := map[bambootest.Result][]triggers.Phase{
		bambootest.Successful: {triggers.Queued, triggers.Running, triggers.Succeeded},
		bambootest.Failed:     {triggers.Queued, triggers.Running, triggers.Failed},
		bambootest.Unknown:    {triggers.Queued, triggers.Running, triggers.Aborted},
		bambootest.NotBuilt:   {triggers.Queued, triggers.Aborted, triggers.Aborted},
	}
	for result, want := range tests {
		t.Run(string(result), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := bambootest.New(bambootest.Options{QueueTime: time.Minute, BuildTime: time.Hour})
				sim.AddPlan("SHOP-API", bambootest.Plan{Result: result})
				client := newClient(t, Options{URL: "http://ci.invalid", Token: token, Transport: inProcess{sim}})
				req := triggers.Request{Target: "SHOP-API"}
				receipt, err := client.Start(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				var got []triggers.Phase
				for _, wait := range []time.Duration{0, 2 * time.Minute, time.Hour} {
					pass(wait)
					state, err := client.State(t.Context(), req, receipt.Handle)
					if err != nil {
						t.Fatal(err)
					}
					if state.Handle != receipt.Handle || state.URL != receipt.URL || state.Why == "" {
						t.Errorf("state %+v", state)
					}
					got = append(got, state.Phase)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("phases (-want +got):\n%s", diff)
				}
				sim.RemoveResult("SHOP-API-1")
				state, err := client.State(t.Context(), req, receipt.Handle)
				if err != nil || state.Phase != triggers.Lost || state.Handle != receipt.Handle {
					t.Errorf("after expiry: %+v, %v", state, err)
				}
			})
		})
	}
}

// TestStateTrouble: only Bamboo's own 404 loses a build.
func TestStateTrouble(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		server bool
	}{
		{"a page", 200, "<html>Log in</html>", true},
		{"a page as 404", 404, "<html>no such site</html>", true},
		{"another result", 200, `{"buildResultKey":"SHOP-API-2","lifeCycleState":"Finished","state":"Failed"}`, true},
		{"a stand unheard of", 200, `{"lifeCycleState":"Paused"}`, true},
		{"a state unheard of", 200, `{"lifeCycleState":"Finished","state":"Great"}`, true},
		{"a wrong type", 200, `{"lifeCycleState":["Finished"],"state":{}}`, true},
		{"null", 200, `null`, true},
		{"redirect", 302, "", true},
		{"credentials", 401, "", true},
		{"permission", 403, "", false},
		{"rate limit", 429, "", false},
		{"error", 500, "", true},
		{"restarting", 503, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			state, err := client.State(t.Context(), triggers.Request{}, "result/SHOP-API-1")
			if err == nil {
				t.Fatalf("state %+v, want an error", state)
			}
			got, _ := failureOf(t, err)
			if diff := cmp.Diff(failure{Status: tt.status, Temporary: true, Server: tt.server}, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestStateRefusesOddHandles(t *testing.T) {
	client := serving(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	for _, handle := range []string{"", "SHOP-API-1", "result/", "result/SHOP-API", "result/../x-1", "result/SHOP-API-1/..", "result/SHOP-API-JOB1-1", "queue/1"} {
		_, err := client.State(t.Context(), triggers.Request{}, handle)
		got, _ := failureOf(t, err)
		if diff := cmp.Diff(failure{}, got); diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", handle, err, diff)
		}
	}
}
