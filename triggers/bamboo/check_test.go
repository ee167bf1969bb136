package bamboo

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/internal/rest"
	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
)

func TestCheck(t *testing.T) {
	site, sent := deletes(t)
	site.AddPlan("SHOP-API", bambootest.Plan{Variables: map[string]string{"a": "1", "b": "2", triggers.IDName: ""}})
	site.AddPlan("SHOP-OLD", bambootest.Plan{Variables: map[string]string{"a": "1"}})
	site.AddPlan("SHOP-OFF", bambootest.Plan{Disabled: true})
	values := map[string]string{"a": "1", "b": "2"}
	got := site.client.Check(t.Context(), []triggers.Request{
		{Target: "SHOP-API", Values: map[string]string{"a": "x"}}, {Target: "SHOP-OLD", Values: values}, {Target: "SHOP-API", Values: values},
		{Target: "SHOP-OFF"}, {Target: "SHOP-GONE"}, {Target: "SHOP-API-JOB1"}, {Target: "../x\n"},
	})
	type line struct {
		Target string
		OK     bool
		Text   string
	}
	var lines []line
	for _, f := range got {
		lines = append(lines, line{f.Target, f.OK, f.Found + f.Problem})
		if f.Problem != "" && f.Hint == "" {
			t.Errorf("%+v has no hint", f)
		}
	}
	want := []line{
		{"", true, "bamboo 12.1.1, signed in as gate"},
		{"SHOP-API", true, "declares PUSHGATE_BUILD and all variables sent"},
		{"SHOP-OLD", true, `variable "b" is not declared by the plan`},
		{"SHOP-OLD", true, "variable PUSHGATE_BUILD is not declared by the plan"},
		{"SHOP-OFF", false, "the plan is disabled"},
		{"SHOP-GONE", false, "answered 404: not found: Plan SHOP-GONE not found."},
		{"SHOP-API-JOB1", false, `"SHOP-API-JOB1" is the key of a job, which cannot be queued`},
		{"../x\n", false, `"../x\n" is not a plan's key`},
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
	if posts := sent(); len(posts) != 0 || len(site.Started()) != 0 {
		t.Errorf("a check started something: %q", posts)
	}
}

func TestCheckOfTheServer(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		ok      bool
		words   string
	}{
		"credentials":  {answer(401, ""), false, "401: credentials refused"},
		"a login page": {answer(200, "<html>"), false, "not Bamboo's answer"},
		"no such site": {answer(404, "<html>"), false, "404"},
		"redirects":    {answer(302, ""), false, "302"},
		"starting":     {answer(503, "<html>"), false, "503"},
		"null":         {answer(200, "null"), false, "not Bamboo's answer"},
		"wrong types":  {answer(200, `{"version":[],"name":{}}`), false, "not Bamboo's answer"},
		"paused":       {answer(200, `{"version":"9","name":"x","state":"PAUSED"}`), true, "bamboo is PAUSED"},
		"hostile":      {answer(200, `{"version":"`+token+`\u001b[31m","name":"a\n`+strings.Repeat("x", 999)+`"}`), true, ""},
	} {
		got := serving(t, tt.handler).Check(t.Context(), []triggers.Request{{Target: "SHOP-API"}})
		if len(got) == 0 || got[0].Target != "" || got[0].OK != tt.ok || !strings.Contains(got[0].Problem, tt.words) || got[0].Problem != "" && got[0].Hint == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if !tt.ok && len(got) != 1 {
			t.Errorf("%s: plans were asked: %+v", name, got)
		}
		for _, f := range got {
			if text := f.Found + f.Problem; strings.ContainsFunc(text, rest.IsControl) || strings.Contains(text, token) || len(text) > 400 {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
