package bamboo

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

var buildDiff = cmp.Options{
	cmpopts.IgnoreUnexported(bambootest.Build{}),
	cmpopts.IgnoreFields(bambootest.Build{}, "Queued"),
}

func TestStart(t *testing.T) {
	site := newSite(t, bambootest.Options{ContextPath: "/bamboo"})
	site.AddPlan("SHOP-API", bambootest.Plan{Stages: []string{"Build & test"}, Variables: map[string]string{"colour": "red", "kept": "yes"}})
	odd := map[string]string{
		"newlines":     "one\r\ntwo\n\n",
		"template":     "{{.Branch}} {{ `x` }}",
		"parameters":   "&bamboo.variable.evil=1&x=+%20;y=?#",
		"expansion":    "${bamboo.secret} $(id) `id`",
		"bytes":        "\x00\xff\x7f ü\u202e",
		"empty":        "",
		"name with &=": "v",
		"colour":       "blue",
	}
	got, err := site.client.Start(t.Context(), triggers.Request{
		ID:        "b_42",
		Target:    "SHOP-API",
		Values:    odd,
		Revision:  "3f1c&stage=x",
		Stage:     "Build & test",
		AllStages: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := triggers.Receipt{
		Outcome: triggers.Started,
		Handle:  "result/SHOP-API-1",
		URL:     site.http.URL + "/bamboo/browse/SHOP-API-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	variables := map[string]string{"kept": "yes", triggers.IDName: "b_42"}
	for name, value := range odd {
		variables[name] = value
	}
	builds := []bambootest.Build{{
		Plan: "SHOP-API", Number: 1, Revision: "3f1c&stage=x", Stage: "Build & test", AllStages: true, Variables: variables,
	}}
	if diff := cmp.Diff(builds, site.Started(), buildDiff); diff != "" {
		t.Errorf("builds (-want +got):\n%s", diff)
	}
}

// TestStartPlain sends no variable at all, so an empty form.
func TestStartPlain(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", bambootest.Plan{})
	if _, err := site.client.Start(t.Context(), triggers.Request{Target: "SHOP-API"}); err != nil {
		t.Fatal(err)
	}
	if got := len(site.Started()); got != 1 {
		t.Errorf("%d builds, want 1", got)
	}
}

func TestTheRequestOnTheWire(t *testing.T) {
	var got *http.Request
	client := serving(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		_ = r.ParseForm()
		_, _ = w.Write([]byte(`{"buildResultKey":"SHOP-API-9"}`))
	})
	if _, err := client.Start(t.Context(), triggers.Request{ID: "b_1", Target: "SHOP-API", Values: map[string]string{"a": "1"}}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Accept":            "application/json",
		"Authorization":     "Bearer " + token,
		"Content-Type":      "application/x-www-form-urlencoded",
		"X-Atlassian-Token": "no-check",
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.URL.RawQuery != "" || got.ContentLength < 1 || got.PostForm.Get("bamboo.variable.a") != "1" {
		t.Errorf("query %q, length %d, form %v", got.URL.RawQuery, got.ContentLength, got.PostForm)
	}
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	var requests atomic.Int32
	client := serving(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	for name, req := range map[string]triggers.Request{
		"job key":            {Target: "SHOP-API-JOB1"},
		"no key":             {Target: ""},
		"lower case":         {Target: "shop-api"},
		"climbing":           {Target: "../../admin"},
		"escaped":            {Target: "SHOP-API%2F.."},
		"newline after":      {Target: "SHOP-API\n"},
		"long":               {Target: "SHOP-" + strings.Repeat("A", 300)},
		"nameless variable":  {Target: "SHOP-API", Values: map[string]string{"": "x"}},
		"newline in a name":  {Target: "SHOP-API", Values: map[string]string{"a\nb": "x"}},
		"branch that climbs": {Target: "SHOP-API", Branch: ".."},
		"branch of control":  {Target: "SHOP-API", Branch: "a\x1bb"},
	} {
		_, err := client.Start(t.Context(), req)
		got, e := failureOf(t, err)
		if diff := cmp.Diff(failure{}, got); diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if strings.ContainsFunc(e.Error(), rest.IsControl) {
			t.Errorf("%s: %q holds control characters", name, e)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent", requests.Load())
	}
}

func TestCredentials(t *testing.T) {
	site := newSite(t, bambootest.Options{
		Tokens: map[string]bambootest.Permission{token: bambootest.Trigger, "reader": bambootest.Read},
		Users:  map[string]string{"gate": "pä:ss"},
	})
	site.AddPlan("SHOP-API", bambootest.Plan{})
	tests := []struct {
		name    string
		options Options
		want    failure // zero Status: it works
	}{
		{"token", Options{Token: token}, failure{}},
		{"password", Options{User: "gate", Password: "pä:ss"}, failure{}},
		{"wrong token", Options{Token: "no"}, failure{Status: 401, Temporary: true, Server: true}},
		{"wrong password", Options{User: "gate", Password: "no"}, failure{Status: 401, Temporary: true, Server: true}},
		{"read-only token", Options{Token: "reader"}, failure{Status: 403}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.URL = site.http.URL
			_, err := newClient(t, tt.options).Start(t.Context(), triggers.Request{Target: "SHOP-API"})
			if tt.want.Status == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			got, e := failureOf(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if e.Hint == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no url":              {Token: token},
		"no scheme":           {URL: "ci.example.com", Token: token},
		"a file":              {URL: "file:///etc", Token: token},
		"no host":             {URL: "https:///x", Token: token},
		"credentials in url":  {URL: "https://gate:canary@ci.example.com", Token: token},
		"broken, with secret": {URL: "https://gate:canary@ci.example.com:port/%zz", Token: token},
		"query":               {URL: "https://ci.example.com?x", Token: token},
		"no credentials":      {URL: "https://ci.example.com"},
		"both":                {URL: "https://ci.example.com", Token: token, User: "gate", Password: "x"},
		"no password":         {URL: "https://ci.example.com", User: "gate"},
		"token with newline":  {URL: "https://ci.example.com", Token: "a\nb"},
	} {
		_, err := New(o)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v shows a secret", name, err)
		}
	}
}

// TestLinksInAnswersAreNotFollowed has a canary host that nobody may ask.
func TestLinksInAnswersAreNotFollowed(t *testing.T) {
	var asked atomic.Int32
	canary := serving(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) }).base
	answers := map[string]string{
		"POST": `{"buildResultKey":"SHOP-API-1","link":{"href":"` + canary + `/rest/api/latest/result/SHOP-API-1","rel":"self"},"href":"` + canary + `"}`,
		"GET":  `{"buildResultKey":"SHOP-API-1","lifeCycleState":"Queued","link":{"href":"` + canary + `"}}`,
	}
	redirect := false
	client := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if redirect {
			http.Redirect(w, r, canary+"/", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write([]byte(answers[r.Method]))
	})
	req := triggers.Request{Target: "SHOP-API"}
	receipt, err := client.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	state, err := client.State(t.Context(), req, receipt.Handle)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{receipt.URL, state.URL} {
		if link != client.base+"/browse/SHOP-API-1" {
			t.Errorf("link %q", link)
		}
	}
	redirect = true
	if _, err := client.Start(t.Context(), req); err == nil {
		t.Error("a redirect was taken for a receipt")
	}
	if _, err := client.State(t.Context(), req, receipt.Handle); err == nil {
		t.Error("a redirect was taken for a state")
	}
	if asked.Load() != 0 {
		t.Errorf("the canary was asked %d times", asked.Load())
	}
}

func TestManyAtOnce(t *testing.T) {
	site := newSite(t, bambootest.Options{})
	site.AddPlan("SHOP-API", bambootest.Plan{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			req := triggers.Request{ID: "b_1", Target: "SHOP-API", Branch: "feature/x", CreateBranch: true}
			receipt, err := site.client.Start(t.Context(), req)
			if err != nil {
				t.Errorf("start: %v", err)
				return
			}
			if _, err := site.client.State(t.Context(), req, receipt.Handle); err != nil {
				t.Errorf("state: %v", err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[string]string{"feature/x": "SHOP-API0"}, site.PlanBranches("SHOP-API")); diff != "" {
		t.Errorf("plan branches (-want +got):\n%s", diff)
	}
	if got := len(site.Started()); got != 20 {
		t.Errorf("%d builds, want 20", got)
	}
}
