package jenkins

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/triggers"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

func TestCheck(t *testing.T) {
	jenkins := controller(jenkinstest.Options{})
	jenkins.AddJob("shop/api", jenkinstest.Job{Parameters: declare("A", "B", triggers.IDName)})
	jenkins.AddJob("shop/old", jenkinstest.Job{Parameters: declare("A")})
	jenkins.AddJob("plain", jenkinstest.Job{})
	jenkins.AddJob("off", jenkinstest.Job{Disabled: true})
	jenkins.AddJob("mb", jenkinstest.Job{Multibranch: true})
	jenkins.AddJob("secret", jenkinstest.Job{Access: jenkinstest.Discover})
	s, tp, _ := serve(t, jenkins, withToken())
	values := map[string]string{"A": "1", "B": "2"}
	got := s.Check(t.Context(), []triggers.Request{
		{Target: "shop/api", Values: map[string]string{"A": "x"}}, {Target: "shop/old", Values: values}, {Target: "shop/api", Values: values},
		{Target: "plain"}, {Target: "off"}, {Target: "mb"}, {Target: "mb/x", Dynamic: true}, {Target: "secret"}, {Target: "gone"}, {Target: "a/../b"},
		{Target: "shop"},
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
		{"", true, "jenkins 2.579, signed in as ci"},
		{"shop/api", true, "declares PUSHGATE_BUILD and all parameters sent"},
		{"shop/old", false, `parameter "B" is not declared by the job; jenkins ignores it`},
		{"shop/old", true, "parameter PUSHGATE_BUILD is not declared by the job"},
		{"plain", true, "parameter PUSHGATE_BUILD is not declared by the job"},
		{"off", false, "the job cannot be built"},
		{"mb", false, "a folder or multibranch project, which cannot be built"},
		{"mb/x", true, "no such job yet"},
		{"secret", false, "answered 403: not permitted"},
		{"gone", false, "answered 404: no such job"},
		{"a/../b", false, `job path "a/../b": ".." is not a job's name`},
		{"shop", false, "a folder or multibranch project, which cannot be built"},
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
	if posts := tp.lines("POST"); len(posts) != 0 {
		t.Errorf("a check started something: %q", posts)
	}
	for target, ok := range map[string]bool{"mb": true, "plain": false} {
		got := s.Check(t.Context(), []triggers.Request{{Target: target, Scan: true}})
		if len(got) != 2 || got[1].OK != ok {
			t.Errorf("scan of %s: %+v", target, got)
		}
	}
}

func TestCheckOfTheServer(t *testing.T) {
	answers := func(status int, version, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if version != "" {
				w.Header().Set("X-Jenkins", version)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	down := controller(jenkinstest.Options{})
	down.Down(true)
	quiet := controller(jenkinstest.Options{AnonymousRead: true})
	quiet.QuietDown(true)
	for name, tt := range map[string]struct {
		handler http.Handler
		options Options
		ok      bool
		words   string
	}{
		"wrong token":     {controller(jenkinstest.Options{}), Options{User: "ci", Token: "wrong"}, false, "credentials"},
		"anonymous":       {controller(jenkinstest.Options{Anonymous: true}), Options{}, true, "requests are anonymous"},
		"not for all":     {controller(jenkinstest.Options{}), Options{}, false, "403"},
		"shutting down":   {quiet, withToken(), true, "prepares to shut down"},
		"starting":        {down, withToken(), false, "503"},
		"another program": {answers(200, "", "<html>"), withToken(), false, "not jenkins"},
		"a page":          {answers(200, "2.1", "<html>"), withToken(), false, "not jenkins"},
		"no version":      {answers(200, "", `{"name":"ci"}`), withToken(), true, "X-Jenkins"},
		"hostile":         {answers(200, "2.1", `{"name":"a\u001b[31m\n`+strings.Repeat("x", 999)+`"}`), withToken(), true, ""},
		"a proxy":         {http.NotFoundHandler(), withToken(), false, "404"},
		"redirects":       {answers(302, "", ""), withToken(), false, "302"},
		"wrong types":     {answers(200, "2.1", `{"name":{},"anonymous":3}`), withToken(), false, "not jenkins"},
	} {
		s, _, _ := serve(t, tt.handler, tt.options)
		got := s.Check(t.Context(), []triggers.Request{{Target: "app"}})
		if len(got) == 0 || got[0].Target != "" || got[0].OK != tt.ok || !strings.Contains(got[0].Problem, tt.words) || got[0].Problem != "" && got[0].Hint == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if !tt.ok && len(got) != 1 {
			t.Errorf("%s: targets were asked: %+v", name, got)
		}
		for _, f := range got {
			if strings.ContainsAny(f.Found+f.Problem, "\x1b\n") || len(f.Found) > 300 {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	s, _, web := serve(t, http.NotFoundHandler(), withToken())
	web.Close()
	if got := s.Check(t.Context(), nil); len(got) != 1 || got[0].OK || !strings.Contains(got[0].Problem, "cannot connect") || strings.Contains(got[0].Problem, "canary") {
		t.Errorf("closed port: %+v", got)
	}
}
