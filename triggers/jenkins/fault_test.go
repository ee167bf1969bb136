package jenkins

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func onPOST(f jenkinstest.Fault) func(*http.Request) *jenkinstest.Fault {
	return func(r *http.Request) *jenkinstest.Fault {
		if r.Method == http.MethodPost {
			return &f
		}
		return nil
	}
}

// Whatever happens to the POST: no panic, one POST, a temporary error, and it
// is ambiguous wherever the build may have been started.
func TestTroubleDuringStart(t *testing.T) {
	for _, tt := range []struct {
		name              string
		fault             jenkinstest.Fault
		server, ambiguous bool
		builds            int
	}{
		{"drop before", jenkinstest.Fault{Drop: true}, true, true, 0},
		{"drop after", jenkinstest.Fault{Carry: true, Drop: true}, true, true, 1},
		{"hang before", jenkinstest.Fault{Hang: true}, true, true, 0},
		{"hang after", jenkinstest.Fault{Carry: true, Hang: true}, true, true, 1},
		{"500 after", jenkinstest.Fault{Carry: true, Status: 500, Body: "<html>"}, true, true, 1},
		{"502 after", jenkinstest.Fault{Carry: true, Status: 502, Body: "<html>"}, true, true, 1},
		{"503", jenkinstest.Fault{Status: 503, Body: "<html>"}, true, false, 0},
		{"login page", jenkinstest.Fault{Status: 200, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, true, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			jenkins := controller(jenkinstest.Options{})
			jenkins.AddJob("app", jenkinstest.Job{})
			jenkins.Fail(onPOST(tt.fault))
			o := withToken()
			if tt.fault.Hang {
				o.Timeout = 200 * time.Millisecond
			}
			s, tp, _ := serve(t, jenkins, o)
			_, err := s.Start(t.Context(), triggers.Request{Target: "app"})
			e := failure(t, err)
			if !e.Temporary || e.Server != tt.server || e.Ambiguous != tt.ambiguous {
				t.Errorf("%+v", e)
			}
			if n := len(tp.lines("POST")); n != 1 {
				t.Errorf("%d POSTs", n)
			}
			if n := len(jenkins.Started()); n != tt.builds {
				t.Errorf("%d builds, want %d", n, tt.builds)
			}
			jenkins.Fail(nil)
			if _, err := s.Start(t.Context(), triggers.Request{Target: "app"}); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// Trouble before the POST leaves no doubt: nothing was started.
func TestTroubleBeforeStart(t *testing.T) {
	for name, f := range map[string]jenkinstest.Fault{
		"drop": {Drop: true},
		"hang": {Hang: true},
		"500":  {Status: 500},
		"302":  {Status: 302, Header: http.Header{"Location": {"/login"}}},
		"200":  {Status: 200, Body: "<html>sign in</html>"},
		"void": {Status: 200},
		"list": {Status: 200, Body: "[]"},
		"null": {Status: 200, Body: "null"},
		"type": {Status: 200, Body: `{"name":7,"property":"x","crumb":[]}`},
		"429":  {Status: 429},
	} {
		for _, o := range []Options{withToken(), withPassword()} {
			o.Timeout = 200 * time.Millisecond
			jenkins := controller(jenkinstest.Options{})
			jenkins.AddJob("app", jenkinstest.Job{})
			jenkins.Fail(func(*http.Request) *jenkinstest.Fault { return &f })
			s, tp, _ := serve(t, jenkins, o)
			_, err := s.Start(t.Context(), triggers.Request{Target: "app"})
			if e := failure(t, err); !e.Temporary || e.Ambiguous || e.Server == (name == "429") {
				t.Errorf("%s: %+v", name, e)
			}
			_, err = s.State(t.Context(), triggers.Request{Target: "app"}, "queue/1")
			if e := failure(t, err); !e.Temporary || e.Ambiguous {
				t.Errorf("%s: State: %+v", name, e)
			}
			if n := len(tp.lines("POST")); n != 0 {
				t.Errorf("%s: %d POSTs", name, n)
			}
		}
	}
}

func TestClosedPort(t *testing.T) {
	for _, o := range []Options{withToken(), withPassword()} {
		s, _, web := serve(t, http.NotFoundHandler(), o)
		web.Close()
		_, err := s.Start(t.Context(), triggers.Request{Target: "app", Values: map[string]string{"A": "1"}})
		if e := failure(t, err); !e.Temporary || !e.Server || e.Ambiguous || e.Status != 0 || e.Reason != "cannot connect" {
			t.Errorf("%+v", e)
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%v tells a credential", err)
		}
	}
}

// The port closes between the look at the job and the POST.
func TestClosedPortForThePost(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	_, _, web := serve(t, jenkins, withToken())
	o := withToken()
	o.URL, o.Transport = web.URL, &http.Transport{DisableKeepAlives: true}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context(), triggers.Request{Target: "app"}); err != nil {
		t.Fatal(err)
	}
	web.Close()
	_, err = s.Start(t.Context(), triggers.Request{Target: "app"})
	if e := failure(t, err); !e.Temporary || !e.Server || e.Ambiguous {
		t.Errorf("%+v", e)
	}
}

func TestRestartingController(t *testing.T) {
	jenkins := controller(jenkinstest.Options{QuietPeriod: time.Hour})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, _, _ := serve(t, jenkins, withPassword())
	req := triggers.Request{Target: "app"}
	r, err := s.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	jenkins.Down(true)
	_, err = s.Start(t.Context(), req)
	if e := failure(t, err); e.Status != 503 || !e.Temporary || !e.Server || e.Ambiguous {
		t.Errorf("%+v", e)
	}
	for _, handle := range []string{r.Handle, "build/1"} {
		_, err = s.State(t.Context(), req, handle)
		if e := failure(t, err); e.Status != 503 || !e.Temporary || !e.Server {
			t.Errorf("%s: %+v", handle, e)
		}
	}
	jenkins.Down(false)
	if st, err := s.State(t.Context(), req, r.Handle); err != nil || st.Phase != triggers.Queued {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := s.Start(t.Context(), req); err != nil {
		t.Errorf("with the crumb of the boot before: %v", err)
	}
}

// A proxy whose backend is gone may answer 404 to all. No build dies of it.
func Test404OfAProxy(t *testing.T) {
	s, _, _ := serve(t, http.NotFoundHandler(), withToken())
	for _, req := range []triggers.Request{{Target: "app"}, {Target: "mb/x", Dynamic: true}, {Target: "mb", Scan: true}} {
		_, err := s.Start(t.Context(), req)
		if e := failure(t, err); !e.Temporary || !e.Server || e.Ambiguous || !strings.Contains(e.Reason, "jenkins is not there") {
			t.Errorf("%+v", e)
		}
	}
	for _, handle := range []string{"queue/1", "build/1"} {
		st, err := s.State(t.Context(), triggers.Request{Target: "app"}, handle)
		if err == nil || !failure(t, err).Server {
			t.Errorf("%s: %+v, %v", handle, st, err)
		}
	}
}

func TestCallerGivesUp(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, tp, _ := serve(t, jenkins, withToken())
	ctx, cancel := context.WithCancel(t.Context())
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if r.Method != http.MethodPost {
			return nil
		}
		cancel()
		return &jenkinstest.Fault{Hang: true}
	})
	_, err := s.Start(ctx, triggers.Request{Target: "app"})
	if e := failure(t, err); !e.Temporary || e.Server || !e.Ambiguous {
		t.Errorf("during the POST: %+v", e)
	}
	before := len(tp.lines(""))
	_, err = s.Start(ctx, triggers.Request{Target: "app"})
	if e := failure(t, err); !e.Temporary || e.Server || e.Ambiguous || len(tp.lines("")) != before {
		t.Errorf("before it: %+v", e)
	}
}

// A transport that does not report what it wrote leaves every failure in doubt.
func TestSilentTransportIsAmbiguous(t *testing.T) {
	o := withToken()
	o.URL = "http://ci.invalid"
	o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			return nil, io.ErrUnexpectedEOF
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"name":"app"}`)), Request: r}, nil
	})
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Start(t.Context(), triggers.Request{Target: "app"})
	if e := failure(t, err); !e.Ambiguous || !e.Temporary {
		t.Errorf("%+v", e)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The connection breaks within the body: status and Location have come.
func TestBodyCutShort(t *testing.T) {
	s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Location", "/queue/item/6/")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = io.WriteString(w, `{"name":"app"} `)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), withToken())
	r, err := s.Start(t.Context(), triggers.Request{Target: "app"})
	if err != nil || r.Handle != "queue/6" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEndlessBody(t *testing.T) {
	s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for range 1 << 10 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		t.Error("64 MiB were taken")
	}), withToken())
	_, err := s.State(t.Context(), triggers.Request{Target: "app"}, "build/1")
	if e := failure(t, err); !e.Temporary {
		t.Errorf("%+v", e)
	}
}
