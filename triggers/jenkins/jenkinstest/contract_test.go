package jenkinstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func controller(o jenkinstest.Options) *jenkinstest.Controller {
	o.Users = map[string]jenkinstest.User{"ci": {Token: "token", Password: "password"}}
	return jenkinstest.New(o)
}

// ask sends one request in process, with the token unless a header says else.
func ask(c http.Handler, method, target, form string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://ci.example.org"+target, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("ci", "token")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func object(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	return v
}

// The table of the facts file: request, then status and Location.
func TestAnswers(t *testing.T) {
	c := controller(jenkinstest.Options{QuietPeriod: time.Hour, ContextPath: "/ci/"})
	takes := []jenkinstest.Parameter{{Name: "A"}, {Name: "C", Default: "x", Choices: []string{"x", "y"}}}
	c.AddJob("plain", jenkinstest.Job{})
	c.AddJob("takes", jenkinstest.Job{Parameters: takes})
	c.AddJob("disabled", jenkinstest.Job{Disabled: true})
	c.AddJob("declines", jenkinstest.Job{Declines: true})
	c.AddJob("nobuild", jenkinstest.Job{Access: jenkinstest.NoBuild})
	c.AddJob("discover", jenkinstest.Job{Access: jenkinstest.Discover})
	c.AddJob("hidden", jenkinstest.Job{Access: jenkinstest.Hidden})
	c.AddJob("mb", jenkinstest.Job{Multibranch: true})
	c.AddJob("dir/deep/job", jenkinstest.Job{})
	for _, tt := range []struct{ ask, form, want string }{
		{"POST /job/plain/build", "", "201 /queue/item/1/"},
		{"POST /job/plain/build", "", "201 /queue/item/1/"},
		{"POST /job/takes/buildWithParameters", "A=1", "201 /queue/item/2/"},
		{"POST /job/takes/buildWithParameters", "A=1&UNDECLARED=2", "303 /queue/item/2/"},
		{"POST /job/takes/buildWithParameters", "A=2", "201 /queue/item/3/"},
		{"POST /job/takes/buildWithParameters", "C=z", "500"},
		{"POST /job/takes/build", "", "400"},
		{"POST /job/plain/buildWithParameters", "", "400"},
		{"POST /job/plain/build?delay=soon", "", "400"},
		{"GET /job/plain/build", "", "405"},
		{"POST /job/disabled/build", "", "409"},
		{"POST /job/declines/build", "", "302 /job/declines/"},
		{"POST /job/nobuild/build", "", "403"},
		{"POST /job/discover/build", "", "403"},
		{"GET /job/discover/api/json", "", "403"},
		{"POST /job/hidden/build", "", "404"},
		{"POST /job/absent/build", "", "404"},
		{"POST /job/dir/build", "", "404"},
		{"POST /job/mb/build?delay=0sec", "", "302 /job/mb/"},
		{"POST /job/dir/job/deep/job/job/build", "", "201 /queue/item/4/"},
		{"GET /queue/item/1/", "", "200"},
		{"GET /queue/item/99/", "", "404"},
		{"GET /crumbIssuer/api/json/api/json", "", "200"},
		{"POST /queue/cancelItem?id=4", "", "204"},
		{"POST /queue/cancelItem?id=4", "", "500"},
		{"POST /queue/cancelItem?id=99", "", "404"},
		{"GET /whoAmI/api/json", "", "200"},
		{"POST /queue/cancelItem?id=x", "", "422"},
		{"GET /job/plain/1/api/json", "", "404"},
		{"GET /job/plain/scriptText", "", "404"},
		{"GET /job/a%2Fb/api/json", "", "400"},
		{"GET /nowhere", "", "404"},
	} {
		method, path, _ := strings.Cut(tt.ask, " ")
		w := ask(c, method, "/ci"+path, tt.form)
		got := strings.TrimSpace(fmt.Sprint(w.Code, " ", strings.TrimPrefix(w.Header().Get("Location"), "http://ci.example.org/ci")))
		if got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.ask, tt.form, got, tt.want)
		}
		if w.Header().Get("X-Jenkins") == "" || w.Header().Get("X-Jenkins-Session") == "" {
			t.Errorf("%s: without X-Jenkins", tt.ask)
		}
	}
	if w := ask(c, "GET", "/api/json", ""); w.Code != http.StatusNotFound {
		t.Errorf("outside the context path: %d", w.Code)
	}
	if n := c.Requests(); n != 33 {
		t.Errorf("%d requests counted", n)
	}
}

func TestBuildsTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(jenkinstest.Options{QuietPeriod: 5 * time.Second, BuildTime: time.Minute, Executors: 1})
		c.AddJob("a", jenkinstest.Job{Result: func(map[string]string) string { return "UNSTABLE" }})
		c.AddJob("b", jenkinstest.Job{BuildTime: time.Second})
		begin := time.Now()
		ask(c, "POST", "/job/a/build", "")
		ask(c, "POST", "/job/b/build?delay=0sec", "")
		ask(c, "POST", "/job/b/build?delay=9", "") // milliseconds: merged, or at once
		<-time.After(2 * time.Minute)
		var got []string
		for _, b := range c.Started() {
			got = append(got, fmt.Sprint(b.Job, b.Number, " item ", b.QueueID, " ", b.Started.Sub(begin), " to ", b.Ended.Sub(begin), " ", b.Result))
		}
		want := []string{
			"b1 item 2 0s to 1s SUCCESS",
			"b2 item 3 1s to 2s SUCCESS",
			"a1 item 1 5s to 1m5s UNSTABLE",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		// Known for five minutes after it left the queue, which was at 5 s.
		<-time.After(time.Until(begin.Add(304 * time.Second)))
		if w := ask(c, "GET", "/queue/item/1/api/json", ""); w.Code != http.StatusOK {
			t.Errorf("within its life: %d", w.Code)
		}
		<-time.After(2 * time.Second)
		if w := ask(c, "GET", "/queue/item/1/api/json", ""); w.Code != http.StatusNotFound {
			t.Errorf("after its life: %d", w.Code)
		}
	})
}

func TestItemsSayHowTheyStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(jenkinstest.Options{QuietPeriod: 5 * time.Second, BuildTime: time.Hour, Executors: 2, RootURL: "https://people.example.org/"})
		c.AddJob("serial", jenkinstest.Job{Serial: true, Parameters: []jenkinstest.Parameter{{Name: "A"}}})
		for i := range 2 {
			ask(c, "POST", "/job/serial/buildWithParameters", fmt.Sprint("A=", i))
		}
		class := func(id int) string {
			v := object(t, ask(c, "GET", fmt.Sprintf("/queue/item/%d/api/json", id), ""))
			return fmt.Sprint(v["_class"], " ", v["why"])
		}
		var got []string
		got = append(got, class(1))
		<-time.After(5 * time.Second)
		got = append(got, class(1), class(2))
		want := []string{
			"hudson.model.Queue$WaitingItem In the quiet period. Expires in 5 sec",
			"hudson.model.Queue$LeftItem <nil>",
			"hudson.model.Queue$BlockedItem Build #1 is already in progress",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		item := object(t, ask(c, "GET", "/queue/item/1/api/json", ""))
		if d := cmp.Diff("https://people.example.org/job/serial/1/", item["executable"].(map[string]any)["url"]); d != "" {
			t.Error(d)
		}
		items := object(t, ask(c, "GET", "/queue/api/json", ""))["items"].([]any)
		if len(items) != 1 || c.Waiting() != 1 {
			t.Errorf("queue %v", items)
		}
		if w := ask(c, "POST", "/job/serial/1/stop", ""); w.Code != http.StatusFound {
			t.Errorf("stop: %d", w.Code)
		}
		if all := c.Started(); len(all) != 2 || all[0].Result != "ABORTED" || all[1].Result != "" {
			t.Errorf("%+v", all)
		}
	})
}

func TestBranchAppearsWithAScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(jenkinstest.Options{ScanTime: 10 * time.Second})
		c.AddBranch("shop/api", "release%2F1.2", jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "A"}}})
		const job = "/job/shop/job/api/job/release%252F1.2"
		codes := func() string {
			return fmt.Sprint(ask(c, "GET", job+"/api/json", "").Code, ask(c, "POST", job+"/build", "").Code, ask(c, "POST", job+"/buildWithParameters", "A=1").Code)
		}
		got := []string{codes()}
		ask(c, "POST", "/job/shop/job/api/build?delay=0sec", "")
		got = append(got, codes())
		<-time.After(10 * time.Second)
		if w := ask(c, "POST", job+"/buildWithParameters", "A=1"); w.Code != 400 {
			t.Errorf("parameters before the first build: %d", w.Code)
		}
		ask(c, "POST", job+"/build", "")
		got = append(got, codes())
		if d := cmp.Diff([]string{"404 404 404", "404 404 404", "200 400 201"}, got); d != "" {
			t.Error(d)
		}
		c.RemoveJob("shop/api")
		if w := ask(c, "GET", job+"/api/json", ""); w.Code != 404 {
			t.Errorf("removed: %d", w.Code)
		}
	})
}

func TestCrumbs(t *testing.T) {
	c := controller(jenkinstest.Options{})
	c.AddJob("app", jenkinstest.Job{})
	web := httptest.NewServer(c)
	defer web.Close()
	do := func(method, path, crumb string, cookies []*http.Cookie) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("ci", "password")
		r.Header.Set("Jenkins-Crumb", crumb)
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		resp, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	issued := do("GET", "/crumbIssuer/api/json", "", nil)
	var v struct{ Crumb, CrumbRequestField string }
	if err := json.NewDecoder(issued.Body).Decode(&v); err != nil || v.CrumbRequestField != "Jenkins-Crumb" {
		t.Fatalf("%+v, %v", v, err)
	}
	session := issued.Cookies()
	for name, tt := range map[string]struct {
		crumb   string
		cookies []*http.Cookie
		want    int
	}{
		"both":       {v.Crumb, session, 201},
		"no session": {v.Crumb, nil, 403},
		"no crumb":   {"", session, 403},
		"other":      {strings.Repeat("0", 64), session, 403},
	} {
		if resp := do("POST", "/job/app/build", tt.crumb, tt.cookies); resp.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tt.want)
		}
	}
	for name, end := range map[string]func(){"expired": c.ExpireSessions, "restarted": func() { c.Restart(0) }} {
		end()
		resp := do("POST", "/job/app/build", v.Crumb, session)
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 403 || !strings.Contains(string(body), "No valid crumb") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
}

func TestRestartKeepsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := controller(jenkinstest.Options{QuietPeriod: time.Hour})
		c.AddJob("app", jenkinstest.Job{})
		before := ask(c, "POST", "/job/app/build", "").Header().Get("X-Jenkins-Session")
		c.Restart(time.Minute)
		if w := ask(c, "GET", "/queue/item/1/api/json", ""); w.Code != 503 || w.Header().Get("Retry-After") != "" {
			t.Errorf("restarting: %d %v", w.Code, w.Header())
		}
		<-time.After(time.Minute)
		w := ask(c, "GET", "/queue/item/1/api/json", "")
		if w.Code != 200 || w.Header().Get("X-Jenkins-Session") == before {
			t.Errorf("restarted: %d, session %q then %q", w.Code, before, w.Header().Get("X-Jenkins-Session"))
		}
	})
}

func TestFaults(t *testing.T) {
	c := controller(jenkinstest.Options{})
	c.AddJob("app", jenkinstest.Job{})
	for _, tt := range []struct {
		fault  jenkinstest.Fault
		status int // 0: dropped
		builds int
	}{
		{jenkinstest.Fault{Status: 502, Header: http.Header{"Retry-After": {"3"}}, Body: "<html>"}, 502, 0},
		{jenkinstest.Fault{Carry: true, Status: 502}, 502, 1},
		{jenkinstest.Fault{Drop: true}, 0, 1},
		{jenkinstest.Fault{Carry: true, Drop: true}, 0, 2},
		{jenkinstest.Fault{Delay: time.Nanosecond}, 201, 3},
		{jenkinstest.Fault{Carry: true, Delay: time.Nanosecond}, 201, 4},
	} {
		c.Fail(func(*http.Request) *jenkinstest.Fault { return &tt.fault })
		status := func() (status int) {
			defer func() {
				if v := recover(); v != nil && v != http.ErrAbortHandler {
					panic(v)
				}
			}()
			return ask(c, "POST", "/job/app/build", "").Code
		}()
		if n := len(c.Started()); status != tt.status || n != tt.builds {
			t.Errorf("%+v: %d, %d builds", tt.fault, status, n)
		}
	}
}

func TestPagesEscapeNames(t *testing.T) {
	c := controller(jenkinstest.Options{AnonymousRead: true})
	name := `"><script>alert(1)</script>`
	c.AddJob(strings.ReplaceAll(name, "/", "%2F"), jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "<b>", Default: "<i>"}}})
	job := "/job/" + url.PathEscape(strings.ReplaceAll(name, "/", "%2F"))
	if w := ask(c, "POST", job+"/buildWithParameters", ""); w.Code != 201 {
		t.Fatalf("%d", w.Code)
	}
	for _, path := range []string{"/", job + "/", job + "/1/"} {
		w := ask(c, "GET", path, "", "Authorization", "")
		body := w.Body.String()
		if w.Code != 200 || !strings.Contains(body, "simulated Jenkins") || strings.Contains(body, "<script") || strings.Contains(body, "<i>") {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
}
