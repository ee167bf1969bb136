package bambootest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const form = "application/x-www-form-urlencoded"

// ask sends one request to the handler; header holds pairs.
func ask(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Atlassian-Token", "no-check")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	s := New(Options{
		ContextPath: "/bamboo/",
		Tokens:      map[string]Permission{"t": Trigger, "r": Read},
		QueueTime:   time.Hour,
	})
	s.AddPlan("SHOP-API", Plan{
		Stages:      []string{"Build"},
		Limit:       2,
		Branches:    map[string]Branch{"feature/x": {}, "old": {Disabled: true}},
		VCSBranches: []string{"main"},
	})
	const api = "/bamboo/rest/api/latest"
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		words                    string
	}{
		{"queue", "POST", "/queue/SHOP-API?bamboo.variable.a=query", "bamboo.variable.a=body&bamboo.variable.b=2", []string{"Content-Type", form}, 200, `"buildResultKey":"SHOP-API-1"`},
		{"stage", "POST", "/queue/SHOP-API?stage=None", "", nil, 400, `"errors":["There is no stage`},
		{"XML", "POST", "/queue/SHOP-API0", "", []string{"Accept", "*/*"}, 200, "<buildResultKey>SHOP-API0-1</buildResultKey>"},
		{"second", "POST", "/queue/SHOP-API", "", nil, 200, `"buildNumber":2`},
		{"limit", "POST", "/queue/SHOP-API", "", nil, 400, "concurrent"},
		{"job key", "POST", "/queue/SHOP-API-JOB1", "", nil, 404, ""},
		{"disabled", "POST", "/queue/SHOP-API1", "", nil, 400, "disabled"},
		{"media type", "POST", "/queue/SHOP-API", "x", []string{"Content-Type", "text/plain"}, 415, ""},
		{"anonymous", "POST", "/queue/SHOP-API", "", []string{"Authorization", ""}, 401, ""},
		{"read-only", "POST", "/queue/SHOP-API", "", []string{"Authorization", "Bearer r"}, 403, ""},
		{"another site's form", "POST", "/queue/SHOP-API", "", []string{"X-Atlassian-Token", ""}, 403, "XSRF"},
		{"result", "GET", "/result/SHOP-API-1", "", []string{"Authorization", "Bearer r"}, 200, `"lifeCycleState":"Queued"`},
		{"queued", "GET", "/queue?expand=queuedBuilds", "", nil, 200, `"planKey":"SHOP-API-JOB1"`},
		{"results", "GET", "/result/SHOP-API?includeAllStates=true&max-results=1&start-index=1", "", nil, 200, `"size":2,"start-index":1`},
		{"finished results", "GET", "/result/SHOP-API", "", nil, 200, `"size":0`},
		{"results of no plan", "GET", "/result/SHOP-NONE", "", nil, 404, ""},
		{"variables", "GET", "/result/SHOP-API-1?expand=variables", "", nil, 200, `[{"name":"a","value":"query"},{"name":"b","value":"2"}]`},
		{"listed variables", "GET", "/result/SHOP-API?includeAllStates=true&expand=results.result.variables", "", nil, 200, `{"name":"b","value":"2"}`},
		{"jobs", "GET", "/result/SHOP-API-1?expand=stages.stage.results.result", "", nil, 200, `"key":"SHOP-API-JOB1-1"`},
		{"plan", "GET", "/plan/SHOP-API0?expand=variableContext", "", nil, 200, `"variableContext":{`},
		{"disabled plan", "GET", "/plan/SHOP-API1", "", nil, 200, `"enabled":false`},
		{"info", "GET", "/info", "", nil, 200, `"version":"12.1.1"`},
		{"current user", "GET", "/currentUser", "", nil, 200, `"name":"gate"`},
		{"status", "GET", "/result/status/SHOP-API-1", "", nil, 200, `"finished":false`},
		{"stop by plan", "DELETE", "/queue/SHOP-API-1", "", nil, 404, ""},
		{"stop by another job", "DELETE", "/queue/SHOP-API-JOB2-1", "", nil, 404, ""},
		{"stop by job", "DELETE", "/queue/SHOP-API-JOB1-1", "", nil, 204, ""},
		{"stopped", "GET", "/result/SHOP-API-1", "", nil, 200, `"lifeCycleState":"NotBuilt"`},
		{"status of the stopped", "GET", "/result/status/SHOP-API-1", "", nil, 404, ""},
		{"no result", "GET", "/result/SHOP-API-9", "", nil, 404, ""},
		{"branch", "GET", "/plan/SHOP-API/branch/feature-x", "", nil, 200, `"key":"SHOP-API0"`},
		{"no branch", "GET", "/plan/SHOP-API/branch/feature%2Fx", "", nil, 404, ""},
		{"branch of a branch", "GET", "/plan/SHOP-API0/branch/x", "", nil, 400, ""},
		{"new branch", "PUT", "/plan/SHOP-API/branch/y?vcsBranch=z/y&enabled=true", "{}", []string{"Content-Type", "application/json"}, 200, `"key":"SHOP-API2"`},
		{"new branch again", "PUT", "/plan/SHOP-API/branch/y", "", nil, 400, "already used"},
		{"new branch by form", "PUT", "/plan/SHOP-API/branch/w", "a=b", []string{"Content-Type", form}, 415, ""},
		{"branches", "GET", "/plan/SHOP-API/branch?max-result=1&start-index=1", "", nil, 200, `"size":3,"start-index":1`},
		{"enabled branches", "GET", "/plan/SHOP-API/branch?enabledOnly", "", nil, 200, `"size":2`},
		{"VCS branches", "GET", "/plan/SHOP-API/vcsBranches", "", nil, 200, `[{"name":"feature/x"},{"name":"main"},{"name":"old"},{"name":"z/y"}]`},
		{"search", "GET", "/search/branches?masterPlanKey=SHOP-API&searchTerm=FEAT", "", nil, 200, `"branchName":"feature-x"`},
		{"elsewhere", "GET", "/plan/SHOP-API/nothing", "", nil, 404, ""},
	}
	for _, tt := range tests {
		w := ask(s, tt.method, api+tt.path, tt.body, append([]string{"Authorization", "Bearer t"}, tt.header...)...)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.words) {
			t.Errorf("%s: %d %s, want %d and %q", tt.name, w.Code, w.Body, tt.status, tt.words)
		}
	}
	first := s.Started()[0].Variables
	if diff := cmp.Diff(map[string]string{"a": "query", "b": "2"}, first); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestPagesEscapeAndSayWhatTheyAre(t *testing.T) {
	s := New(Options{})
	s.AddPlan("SHOP-API", Plan{Branches: map[string]Branch{"<script>": {}}})
	ask(s, "POST", "/rest/api/latest/queue/SHOP-API?bamboo.variable.x=<script>", "")
	for path, status := range map[string]int{"/": 200, "/browse/SHOP-API-1": 200, "/browse/%3Cscript%3E": 404} {
		w := ask(s, "GET", path, "")
		if body := w.Body.String(); w.Code != status || strings.Contains(body, "<script>") || !strings.Contains(body, "simulated") {
			t.Errorf("%s: %d\n%s", path, w.Code, body)
		}
	}
	s.Down(true)
	if w := ask(s, "GET", "/", ""); w.Code != 503 {
		t.Errorf("down: %d", w.Code)
	}
}

// TestClock: a build passes through its stands with nobody to push it.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{QueueTime: time.Second, BuildTime: time.Minute})
		s.AddPlan("SHOP-API", Plan{Result: Failed})
		ask(s, "POST", "/rest/api/latest/queue/SHOP-API", "")
		for _, step := range []struct {
			after       time.Duration
			life, state string
		}{
			{0, "Queued", "Unknown"},
			{2 * time.Second, "InProgress", "Unknown"},
			{time.Minute, "Finished", "Failed"},
		} {
			<-time.After(step.after)
			body := ask(s, "GET", "/rest/api/latest/result/SHOP-API-1", "").Body.String()
			if !strings.Contains(body, `"lifeCycleState":"`+step.life+`"`) || !strings.Contains(body, `"state":"`+step.state+`"`) {
				t.Errorf("after %s: %s, want %s and %s", step.after, body, step.life, step.state)
			}
		}
	})
}
