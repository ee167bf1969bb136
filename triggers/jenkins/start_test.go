package jenkins

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func TestParametersArriveByteForByte(t *testing.T) {
	values := map[string]string{
		"LINES":   "one\ntwo\r\n three \n",
		"BRACES":  `{{ .Secret }}{{`,
		"FORM":    "a&x=1;b=2#c?d%20+",
		"SHELL":   "${HOME} $(id) `id` '\"\\",
		"UNICODE": "grün 代码 \u202e",
		"EMPTY":   "",
		"n&me =":  "odd name",
	}
	jenkins := controller(jenkinstest.Options{ContextPath: "/ci"})
	names := []string{"UNSET", triggers.IDName}
	for name := range values {
		names = append(names, name)
	}
	jenkins.AddJob("shop/api/release%2F1.2", jenkinstest.Job{Parameters: declare(names...)})
	o := withToken()
	o.URL = "/ci/"
	s, tp, web := serve(t, jenkins, o)

	got, err := s.Start(t.Context(), triggers.Request{ID: "b_1", Target: "shop/api/release%2F1.2", Values: values})
	want := triggers.Receipt{Outcome: triggers.Started, Handle: "queue/1", URL: web.URL + "/ci/job/shop/job/api/job/release%252F1.2/"}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Fatalf("%v\n%s", err, d)
	}
	all := map[string]string{"UNSET": "default of UNSET", triggers.IDName: "b_1"}
	for k, v := range values {
		all[k] = v
	}
	if d := cmp.Diff(all, jenkins.Started()[0].Parameters); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"POST /ci/job/shop/job/api/job/release%252F1.2/buildWithParameters"}, tp.lines("POST")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"application/x-www-form-urlencoded"}, tp.header("Content-Type")); d != "" {
		t.Error(d)
	}
	if crumbs := tp.lines("crumb"); len(crumbs) > 0 {
		t.Errorf("a token needs no crumb, but: %q", crumbs)
	}
}

func TestUndeclaredParametersAreNoted(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("takes", jenkinstest.Job{Parameters: declare("A")})
	jenkins.AddJob("empty", jenkinstest.Job{Parameters: []jenkinstest.Parameter{}})
	jenkins.AddJob("plain", jenkinstest.Job{})
	s, tp, _ := serve(t, jenkins, withToken())
	for _, tt := range []struct {
		target, post string
		values       map[string]string
		notes        []string
	}{
		{"takes", "/job/takes/buildWithParameters", map[string]string{"A": "1", "B": "2"}, []string{`parameter "B" is not declared by the job; jenkins ignores it`}},
		{"takes", "/job/takes/buildWithParameters", nil, nil},
		{"empty", "/job/empty/buildWithParameters", map[string]string{"B": "2"}, []string{`parameter "B" is not declared by the job; jenkins ignores it`}},
		{"plain", "/job/plain/build", map[string]string{"A": "1", "B": "2"}, []string{`the job declares no parameters; not sent: ["A" "B"]`}},
		{"plain", "/job/plain/build", nil, nil},
	} {
		before := len(tp.lines("POST"))
		got, err := s.Start(t.Context(), triggers.Request{ID: "b_1", Target: tt.target, Values: tt.values})
		if d := cmp.Diff(tt.notes, got.Notes); d != "" || err != nil {
			t.Errorf("%s %v: %v\n%s", tt.target, tt.values, err, d)
		}
		if d := cmp.Diff([]string{"POST " + tt.post}, tp.lines("POST")[before:]); d != "" {
			t.Error(d)
		}
	}
	// One look per job, however many starts.
	if looks := tp.lines("/api/json"); len(looks) != 3 {
		t.Errorf("looked %d times: %q", len(looks), looks)
	}
	if a := jenkins.Started()[0].Parameters; a["A"] != "1" || len(a) != 1 {
		t.Errorf("the first build has %v", a)
	}
}

func TestJobThatChangedItsParameters(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	s, tp, _ := serve(t, jenkins, withToken())
	start := func(posts int) []string {
		t.Helper()
		before := len(tp.lines("POST"))
		got, err := s.Start(t.Context(), triggers.Request{ID: "b_1", Target: "app", Values: map[string]string{"A": "1"}})
		if n := len(tp.lines("POST")) - before; err != nil || got.Outcome != triggers.Started || n != posts {
			t.Fatalf("%d POSTs, %+v, %v", n, got, err)
		}
		return got.Notes
	}
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare("A", triggers.IDName)})
	start(1)
	jenkins.AddJob("app", jenkinstest.Job{})
	if notes := start(2); !strings.Contains(strings.Join(notes, "\n"), "400 to /buildWithParameters, so /build was used") {
		t.Errorf("notes %q", notes)
	}
	start(1)
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare("A", triggers.IDName)})
	if notes := start(2); !strings.Contains(strings.Join(notes, "\n"), "400 to /build, so /buildWithParameters was used") {
		t.Errorf("notes %q", notes)
	}
	if all := jenkins.Started(); len(all) != 4 || all[3].Parameters["A"] != "1" || all[3].Parameters[triggers.IDName] != "b_1" {
		t.Errorf("builds %+v", all)
	}
}

// A look at the job that is refused must not keep it from being built.
func TestRefusedLookGuesses(t *testing.T) {
	for _, values := range []map[string]string{nil, {"A": "1"}} {
		for _, parameters := range [][]jenkinstest.Parameter{nil, declare("A", triggers.IDName)} {
			jenkins := controller(jenkinstest.Options{})
			jenkins.AddJob("app", jenkinstest.Job{Parameters: parameters})
			jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
				if r.Method == http.MethodGet {
					return &jenkinstest.Fault{Status: 403, Body: "<html>"}
				}
				return nil
			})
			s, _, _ := serve(t, jenkins, withToken())
			got, err := s.Start(t.Context(), triggers.Request{ID: "b_1", Target: "app", Values: values})
			if err != nil || got.Outcome != triggers.Started {
				t.Errorf("values %v, declared %v: %+v, %v", values, parameters, got, err)
			}
			if all := jenkins.Started(); len(all) != 1 || parameters != nil && all[0].Parameters[triggers.IDName] != "b_1" {
				t.Errorf("values %v, declared %v: builds %+v", values, parameters, all)
			}
		}
	}
}

func TestRefusedByBothEndpointsIsPermanent(t *testing.T) {
	s, tp, _ := serve(t, canned{400, nil, ""}, withToken())
	_, err := s.Start(t.Context(), triggers.Request{Target: "app"})
	if e := failure(t, err); e.Temporary || e.Status != 400 {
		t.Errorf("%+v", e)
	}
	if n := len(tp.lines("POST")); n != 2 {
		t.Errorf("%d POSTs, want 2", n)
	}
}

func TestDelayHasItsUnit(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, tp, _ := serve(t, jenkins, withToken())
	for delay, want := range map[time.Duration]string{
		0:                       "POST /job/app/build",
		5 * time.Second:         "POST /job/app/build?delay=5sec",
		1200 * time.Millisecond: "POST /job/app/build?delay=2sec",
		2 * time.Hour:           "POST /job/app/build?delay=7200sec",
	} {
		before := len(tp.lines("POST"))
		if _, err := s.Start(t.Context(), triggers.Request{Target: "app", Delay: delay}); err != nil {
			t.Fatal(err)
		}
		if got := tp.lines("POST")[before]; got != want {
			t.Errorf("delay %s: %q, want %q", delay, got, want)
		}
	}
	if jenkins.Waiting() == 0 {
		t.Error("the delayed builds do not wait")
	}
}

func TestMergedItem(t *testing.T) {
	jenkins := controller(jenkinstest.Options{QuietPeriod: time.Hour})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare("A")})
	s, _, _ := serve(t, jenkins, withToken())
	var outcomes []string
	for _, a := range []string{"1", "2", "1"} {
		got, err := s.Start(t.Context(), triggers.Request{ID: "b_1", Target: "app", Values: map[string]string{"A": a}})
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, string(got.Outcome)+" "+got.Handle)
	}
	if d := cmp.Diff([]string{"started queue/1", "started queue/2", "merged queue/1"}, outcomes); d != "" {
		t.Error(d)
	}
}

func TestPasswordNeedsCrumbAndSession(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, tp, _ := serve(t, jenkins, withPassword())
	start := func() {
		t.Helper()
		if _, err := s.Start(t.Context(), triggers.Request{Target: "app"}); err != nil {
			t.Fatal(err)
		}
	}
	start()
	start()
	if d := cmp.Diff([]string{"GET /crumbIssuer/api/json/?tree=x"}, tp.lines("crumb"), cmp.Transformer("path", func(line string) string {
		path, _, _ := strings.Cut(line, "?")
		return strings.TrimSuffix(path, "/")
	})); d != "" {
		t.Error(d)
	}
	cookie := tp.header("Cookie")[0]
	if !strings.Contains(cookie, "backend=one") || !strings.Contains(cookie, "JSESSIONID") {
		t.Errorf("cookie %q, want all of the session's", cookie)
	}
	jenkins.ExpireSessions()
	start()
	jenkins.Restart(0)
	start()
	if n := len(tp.lines("crumb")); n != 3 {
		t.Errorf("%d crumbs fetched, want one at first and one after each loss", n)
	}
	if n := len(jenkins.Started()); n != 4 {
		t.Errorf("%d builds, want 4", n)
	}
}

func TestCrumbRefusedForEverIsAskedTwice(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	jenkins.Fail(func(r *http.Request) *jenkinstest.Fault {
		if r.Method == http.MethodPost {
			return &jenkinstest.Fault{Status: 403, Body: "<title>No valid crumb was included</title>"}
		}
		return nil
	})
	s, tp, _ := serve(t, jenkins, withPassword())
	_, err := s.Start(t.Context(), triggers.Request{Target: "app"})
	if e := failure(t, err); e.Status != 403 || !e.Temporary || !e.Server || e.Ambiguous {
		t.Errorf("%+v", e)
	}
	if n := len(tp.lines("POST")); n != 2 {
		t.Errorf("%d POSTs, want 2", n)
	}
}

func TestWhoMayStart(t *testing.T) {
	open := jenkinstest.Options{Anonymous: true}
	for _, tt := range []struct {
		name   string
		jobs   jenkinstest.Options
		as     Options
		access jenkinstest.Access
		status int // 0: started
	}{
		{"token", jenkinstest.Options{}, withToken(), jenkinstest.Full, 0},
		{"password", jenkinstest.Options{}, withPassword(), jenkinstest.Full, 0},
		{"password, no crumbs there", jenkinstest.Options{NoCrumbs: true}, withPassword(), jenkinstest.Full, 0},
		{"anonymous where open", open, Options{}, jenkinstest.Full, 0},
		{"anonymous", jenkinstest.Options{}, Options{}, jenkinstest.Full, 403},
		{"anonymous reader", jenkinstest.Options{AnonymousRead: true}, Options{}, jenkinstest.Full, 403},
		{"wrong token", open, Options{User: "ci", Token: "wrong"}, jenkinstest.Full, 401},
		{"wrong password", open, Options{User: "ci", Password: "wrong"}, jenkinstest.Full, 401},
		{"no build", jenkinstest.Options{}, withToken(), jenkinstest.NoBuild, 403},
		{"discover", jenkinstest.Options{}, withToken(), jenkinstest.Discover, 403},
		{"hidden", jenkinstest.Options{}, withToken(), jenkinstest.Hidden, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			jenkins := controller(tt.jobs)
			jenkins.AddJob("app", jenkinstest.Job{Access: tt.access})
			s, _, _ := serve(t, jenkins, tt.as)
			_, err := s.Start(t.Context(), triggers.Request{Target: "app"})
			if tt.status == 0 {
				if err != nil || len(jenkins.Started()) != 1 {
					t.Errorf("%v, %d builds", err, len(jenkins.Started()))
				}
				return
			}
			if e := failure(t, err); e.Status != tt.status || e.Ambiguous || len(jenkins.Started()) != 0 {
				t.Errorf("%+v, %d builds", e, len(jenkins.Started()))
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%v tells a credential", err)
			}
		})
	}
}

func TestNewBranchIsWaitedForAndScanned(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("shop/api", jenkinstest.Job{Multibranch: true})
	jenkins.AddBranch("shop/api", "feature%2Ffoo", jenkinstest.Job{Parameters: declare("A")})
	s, tp, _ := serve(t, jenkins, withToken())
	req := triggers.Request{ID: "b_1", Target: "shop/api/feature%2Ffoo", Dynamic: true, Values: map[string]string{"A": "1"}}

	_, err := s.Start(t.Context(), req)
	e := failure(t, err)
	if !e.Temporary || e.Server || e.Ambiguous || e.Status != 404 || e.Within != triggers.IndexWait || !strings.Contains(e.Reason, `asked for a scan of "shop/api"`) {
		t.Errorf("%+v", e)
	}
	if d := cmp.Diff([]string{"POST /job/shop/job/api/build?delay=0sec"}, tp.lines("delay=")); d != "" {
		t.Error(d)
	}
	// Found by that scan; its parameters are known from its first build on.
	for range 2 {
		if _, err := s.Start(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	all := jenkins.Started()
	if len(all) != 2 || all[0].Parameters != nil || all[1].Parameters["A"] != "1" {
		t.Errorf("builds %+v", all)
	}

	// A second missing branch within the minute asks for no second scan.
	req.Target = "shop/api/other"
	_, err = s.Start(t.Context(), req)
	if e := failure(t, err); !e.Temporary || !strings.Contains(e.Reason, "within the last minute") {
		t.Errorf("%+v", e)
	}
	if n := len(tp.lines("delay=0sec")); n != 1 {
		t.Errorf("%d scans", n)
	}
}

// A scan POST to a plain job would start a build of it.
func TestOnlyProjectsAreScanned(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{})
	s, _, _ := serve(t, jenkins, withToken())
	for _, target := range []string{"app/main", "gone/main", "main"} {
		_, err := s.Start(t.Context(), triggers.Request{Target: target, Dynamic: true})
		if e := failure(t, err); !e.Temporary || e.Within != triggers.IndexWait {
			t.Errorf("%s: %+v", target, e)
		}
	}
	if all := jenkins.Started(); len(all) != 0 {
		t.Errorf("started %+v", all)
	}
}

func TestSimulatedRefusals(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("disabled", jenkinstest.Job{Disabled: true})
	jenkins.AddJob("declines", jenkinstest.Job{Declines: true})
	jenkins.AddJob("folder/job", jenkinstest.Job{})
	s, _, _ := serve(t, jenkins, withToken())
	for target, status := range map[string]int{"disabled": 409, "declines": 302, "folder": 404, "absent": 404} {
		_, err := s.Start(t.Context(), triggers.Request{Target: target})
		if e := failure(t, err); e.Temporary || e.Ambiguous || e.Status != status {
			t.Errorf("%s: %+v, want a permanent %d", target, e, status)
		}
	}
}

func TestManyStartsAtOnce(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("app", jenkinstest.Job{Parameters: declare(triggers.IDName)})
	s, _, _ := serve(t, jenkins, withPassword())
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			req := triggers.Request{ID: "b_" + strings.Repeat("x", i), Target: "app"}
			r, err := s.Start(t.Context(), req)
			if err != nil {
				t.Error(err)
				return
			}
			if i == 8 {
				jenkins.ExpireSessions()
			}
			if st, err := s.State(t.Context(), req, r.Handle); err != nil || st.Phase != triggers.Succeeded {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, b := range jenkins.Started() {
		ids[b.Parameters[triggers.IDName]] = true
	}
	if len(ids) != 40 {
		t.Errorf("%d different builds, want 40", len(ids))
	}
}
