package jenkins

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
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// act sends a request of an operator to the controller.
func act(t *testing.T, url string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("ci", "t0ken-canary")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		t.Fatalf("POST %s: %d, want %d", url, resp.StatusCode, want)
	}
}

func TestFollowFromQueueToEnd(t *testing.T) {
	jenkins := controller(jenkinstest.Options{ContextPath: "/ci", RootURL: "https://people.example.org/ci", BuildTime: time.Hour})
	jenkins.AddJob("shop/api/release%2F1.2", jenkinstest.Job{})
	jenkins.QuietDown(true)
	o := withToken()
	o.URL = "/ci"
	s, _, web := serve(t, jenkins, o)
	req := triggers.Request{ID: "b_1", Target: "shop/api/release%2F1.2"}
	r, err := s.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	handle := r.Handle
	look := func(want triggers.State) {
		t.Helper()
		got, err := s.State(t.Context(), req, handle)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		handle = got.Handle
	}
	page := "https://people.example.org/ci/job/shop/job/api/job/release%252F1.2/1/"
	look(triggers.State{Phase: triggers.Queued, Handle: "queue/1", Why: "Jenkins is about to shut down"})
	jenkins.QuietDown(false)
	look(triggers.State{Phase: triggers.Running, Handle: "build/1", URL: page})
	look(triggers.State{Phase: triggers.Running, Handle: "build/1", URL: page})
	act(t, web.URL+"/ci/job/shop/job/api/job/release%252F1.2/1/stop", http.StatusFound)
	look(triggers.State{Phase: triggers.Aborted, Handle: "build/1", URL: page, Why: "ABORTED"})
}

func TestResults(t *testing.T) {
	for result, want := range map[string]triggers.Phase{
		"SUCCESS":   triggers.Succeeded,
		"UNSTABLE":  triggers.Unstable,
		"FAILURE":   triggers.Failed,
		"ABORTED":   triggers.Aborted,
		"NOT_BUILT": triggers.Aborted,
		"NOVEL":     triggers.Failed,
	} {
		jenkins := controller(jenkinstest.Options{})
		jenkins.AddJob("app", jenkinstest.Job{Result: func(map[string]string) string { return result }})
		s, _, _ := serve(t, jenkins, withToken())
		r, err := s.Start(t.Context(), triggers.Request{Target: "app"})
		if err != nil {
			t.Fatal(err)
		}
		st, err := s.State(t.Context(), triggers.Request{Target: "app"}, r.Handle)
		if err != nil || st.Phase != want || st.Why != result || st.Handle != "build/1" {
			t.Errorf("%s: %+v, %v", result, st, err)
		}
	}
}

func TestCancelledItem(t *testing.T) {
	jenkins := controller(jenkinstest.Options{QuietPeriod: time.Hour})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, _, web := serve(t, jenkins, withToken())
	r, err := s.Start(t.Context(), triggers.Request{Target: "app"})
	if err != nil {
		t.Fatal(err)
	}
	act(t, web.URL+"/queue/cancelItem?id=1", http.StatusNoContent)
	st, err := s.State(t.Context(), triggers.Request{Target: "app"}, r.Handle)
	if want := (triggers.State{Phase: triggers.Aborted, Handle: "queue/1", Why: "cancelled in the queue"}); st != want || err != nil {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestExpiredItemIsFoundByItsID(t *testing.T) {
	jenkins := controller(jenkinstest.Options{ItemLife: time.Nanosecond})
	jenkins.AddJob("app", jenkinstest.Job{})
	jenkins.AddJob("other", jenkinstest.Job{})
	s, tp, web := serve(t, jenkins, withToken())
	for _, target := range []string{"app", "other", "app"} {
		if _, err := s.Start(t.Context(), triggers.Request{Target: target}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := s.State(t.Context(), triggers.Request{Target: "app"}, "queue/3")
	want := triggers.State{Phase: triggers.Succeeded, Handle: "build/2", URL: web.URL + "/job/app/2/", Why: "SUCCESS"}
	if d := cmp.Diff(want, st); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	if n := len(tp.lines("queueId")); n != 1 {
		t.Errorf("%d looks by queueId", n)
	}
}

func TestLost(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, _, _ := serve(t, jenkins, withToken())
	for _, tt := range []struct{ target, handle string }{
		{"app", "queue/99"}, {"gone", "queue/99"}, {"app", "build/99"}, {"gone", "build/1"},
	} {
		st, err := s.State(t.Context(), triggers.Request{Target: tt.target}, tt.handle)
		if err != nil || st.Phase != triggers.Lost || st.Handle != tt.handle || st.Why == "" {
			t.Errorf("%v: %+v, %v", tt, st, err)
		}
	}
}

func TestHandlesAreChecked(t *testing.T) {
	s, tp, _ := serve(t, http.NotFoundHandler(), withToken())
	for _, handle := range []string{
		"", "queue", "queue/", "queue/0", "queue/-1", "queue/+1", "queue/01", "queue/1/2", "build/../../scriptText",
		"build/1?x", "job/1", "queue/99999999999999999999", "Queue/1", "build/ 1",
	} {
		_, err := s.State(t.Context(), triggers.Request{Target: "app"}, handle)
		if e := failure(t, err); e.Temporary {
			t.Errorf("handle %q: %+v", handle, e)
		}
	}
	if sent := tp.lines(""); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// What Jenkins may answer besides, one look each.
func TestOddAnswersToALook(t *testing.T) {
	for _, tt := range []struct {
		name, handle string
		bodies       map[string]string // by path
		status       int
		want         triggers.Phase // empty: a temporary error
	}{
		{name: "left, no build yet", handle: "queue/7", bodies: map[string]string{"/queue/item/7/api/json": `{"_class":"hudson.model.Queue$LeftItem","id":7,"cancelled":false,"executable":null}`}, want: triggers.Queued},
		{name: "result while it runs", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `{"number":7,"building":true,"result":"UNSTABLE"}`}, want: triggers.Running},
		{name: "in post-production", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `{"number":7,"inProgress":true,"result":"SUCCESS"}`}, want: triggers.Running},
		{name: "no result", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `{"number":7,"result":null}`}, want: triggers.Running},
		{name: "another build", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `{"number":8,"result":"SUCCESS"}`}},
		{name: "another item", handle: "queue/7", bodies: map[string]string{"/queue/item/7/api/json": `{"id":8,"cancelled":true}`}},
		{name: "empty", handle: "queue/7", bodies: map[string]string{"/queue/item/7/api/json": ``}},
		{name: "null", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `null`}},
		{name: "number beyond", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `{"number":1e400}`}},
		{name: "html", handle: "build/7", bodies: map[string]string{"/job/app/7/api/json": `<html>`}},
		{name: "html job", handle: "queue/7", bodies: map[string]string{"/job/app/api/json": `<html>`}},
		{name: "void job", handle: "queue/7", bodies: map[string]string{"/job/app/api/json": `{}`}},
		{name: "401", handle: "build/7", status: 401},
		{name: "403", handle: "build/7", status: 403},
		{name: "400", handle: "queue/7", status: 400},
		{name: "302", handle: "queue/7", status: 302},
		{name: "500", handle: "queue/7", status: 500},
		{name: "429", handle: "queue/7", status: 429},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Jenkins", "2.579")
				body, ok := tt.bodies[strings.TrimSuffix(r.URL.Path, "/")]
				switch {
				case ok:
					_, _ = w.Write([]byte(body))
				case tt.status != 0:
					w.WriteHeader(tt.status)
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			}), withToken())
			st, err := s.State(t.Context(), triggers.Request{Target: "app"}, tt.handle)
			if tt.want == "" {
				if e := failure(t, err); !e.Temporary || e.Ambiguous {
					t.Errorf("%+v", e)
				}
				return
			}
			if err != nil || st.Phase != tt.want || st.Handle != tt.handle {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}

// Everything that a hostile or mistaken Jenkins names leads elsewhere. It is
// never asked, and only what a browser may open is shown.
func TestAddressesOfJenkinsAreNeverRequested(t *testing.T) {
	canary := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the canary was asked: %s %s, authorization %t", r.Method, r.URL, r.Header.Get("Authorization") != "")
	}))
	defer canary.Close()
	for _, status := range []int{201, 301, 302, 303, 307, 308} {
		s, tp, web := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path := strings.TrimSuffix(r.URL.Path, "/")
			w.Header().Set("X-Jenkins", "2.579")
			w.Header().Set("Location", canary.URL+"/queue/item/7/")
			switch {
			case r.Method == http.MethodPost:
				w.WriteHeader(status)
			case path == "/queue/item/7/api/json":
				_, _ = fmt.Fprintf(w, `{"id":7,"url":%q,"task":{"url":%[1]q},"executable":{"number":3,"url":%[1]q}}`, canary.URL)
			case path == "/job/app/3/api/json":
				_, _ = fmt.Fprintf(w, `{"number":3,"url":%q,"result":"SUCCESS"}`, canary.URL+"/job/app/3/")
			case path == "/job/app/4/api/json":
				_, _ = fmt.Fprint(w, `{"number":4,"url":"javascript:alert(1)","result":"SUCCESS"}`)
			case path == "/job/app/api/json":
				_, _ = fmt.Fprintf(w, `{"name":"app","url":%q}`, canary.URL)
			default:
				w.WriteHeader(status)
			}
		}), withPassword())
		_, _ = s.Start(t.Context(), triggers.Request{Target: "app"})
		_, _ = s.Start(t.Context(), triggers.Request{Target: "app", Scan: true})
		st, err := s.State(t.Context(), triggers.Request{Target: "app"}, "queue/7")
		if err != nil || st.URL != canary.URL+"/job/app/3/" || st.Handle != "build/3" {
			t.Errorf("%d: %+v, %v", status, st, err)
		}
		st, err = s.State(t.Context(), triggers.Request{Target: "app"}, "build/4")
		if err != nil || st.URL != web.URL+"/job/app/4/" {
			t.Errorf("%d: %+v, %v", status, st, err)
		}
		if len(tp.lines("")) == 0 {
			t.Error("nothing was asked at all")
		}
	}
}

// The whole way with time, in a bubble: the controller is called in process.
func TestFollowThroughTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jenkins := controller(jenkinstest.Options{QuietPeriod: 5 * time.Second, BuildTime: time.Minute, Executors: 1})
		jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName), Serial: true})
		o := withToken()
		o.URL = "http://ci.invalid"
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			in := r.Clone(r.Context())
			if in.Body == nil {
				in.Body = http.NoBody
			}
			jenkins.ServeHTTP(w, in)
			resp := w.Result()
			resp.Request = r
			return resp, nil
		})
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		handles := make([]string, 2)
		var seen []string
		for i := range handles {
			r, err := s.Start(t.Context(), triggers.Request{ID: fmt.Sprint("b_", i), Target: "app"})
			if err != nil {
				t.Fatal(err)
			}
			handles[i] = r.Handle
		}
		for _, at := range []time.Duration{0, 5 * time.Second, 65 * time.Second, 125 * time.Second} {
			<-time.After(time.Until(begin.Add(at)))
			for i := range handles {
				st, err := s.State(t.Context(), triggers.Request{Target: "app"}, handles[i])
				if err != nil {
					t.Fatal(err)
				}
				handles[i] = st.Handle
				seen = append(seen, fmt.Sprint(at, " ", st.Handle, " ", st.Phase, " ", st.Why))
			}
		}
		want := []string{
			"0s queue/1 queued In the quiet period. Expires in 5 sec",
			"0s queue/2 queued In the quiet period. Expires in 5 sec",
			"5s build/1 running ",
			"5s queue/2 queued Build #1 is already in progress",
			"1m5s build/1 succeeded SUCCESS",
			"1m5s build/2 running ",
			"2m5s build/1 succeeded SUCCESS",
			"2m5s build/2 succeeded SUCCESS",
		}
		if d := cmp.Diff(want, seen); d != "" {
			t.Error(d)
		}
	})
}
