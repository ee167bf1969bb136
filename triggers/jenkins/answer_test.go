package jenkins

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pushgate/pushgate/triggers"
)

// canned answers every POST with one answer; look-ups find a job without
// parameters and a root that is Jenkins.
type canned struct {
	status int
	header map[string]string
	body   string
}

func (c canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("X-Jenkins", "2.579")
		_, _ = w.Write([]byte(`{"_class":"x","name":"app"}`))
		return
	}
	for k, v := range c.header {
		w.Header().Set(k, strings.ReplaceAll(v, "HOST", "http://"+r.Host))
	}
	w.WriteHeader(c.status)
	_, _ = w.Write([]byte(c.body))
}

func location(to string) map[string]string { return map[string]string{"Location": to} }

func TestEveryAnswerToAStart(t *testing.T) {
	const (
		temporary = 1 << iota
		server
		ambiguous
	)
	jenkinsHTML := map[string]string{"Content-Type": "text/html;charset=utf-8", "X-Jenkins": "2.579"}
	tests := []struct {
		name    string
		answer  canned
		want    triggers.Receipt
		flags   int           // of the error
		after   time.Duration // RetryAfter
		reason  string        // in Reason; empty: a receipt is wanted
		mention string        // in Hint or Error()
	}{
		{name: "201 absolute", answer: canned{201, location("HOST/queue/item/123/"), ""}, want: triggers.Receipt{Outcome: triggers.Started, Handle: "queue/123"}},
		{name: "201 relative", answer: canned{201, location("/jenkins/queue/item/9"), ""}, want: triggers.Receipt{Outcome: triggers.Started, Handle: "queue/9"}},
		{name: "201 elsewhere", answer: canned{201, location("http://other.invalid/queue/item/5/"), ""}, want: triggers.Receipt{Outcome: triggers.Started, Handle: "queue/5"}},
		{name: "201 with X-Error", answer: canned{201, map[string]string{"Location": "/queue/item/4/", "X-Error": "odd"}, ""}, want: triggers.Receipt{Outcome: triggers.Started, Handle: "queue/4"}},
		{name: "201 alone", answer: canned{201, nil, ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "201 no number", answer: canned{201, location("/queue/item/12x/"), ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "201 not at its end", answer: canned{201, location("/queue/item/12/more/"), ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "201 huge number", answer: canned{201, location("/queue/item/99999999999999999999/"), ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "201 zero", answer: canned{201, location("/queue/item/0/"), ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "201 number in the query", answer: canned{201, location("/x?/queue/item/3/"), ""}, want: triggers.Receipt{Outcome: triggers.Triggered}},
		{name: "303 merged", answer: canned{303, location("HOST/queue/item/7/"), ""}, want: triggers.Receipt{Outcome: triggers.Merged, Handle: "queue/7"}},

		{name: "200 html", answer: canned{200, map[string]string{"Content-Type": "text/html"}, "<title>Sign in</title>"}, flags: temporary | server, reason: "answered 200 text/html: not jenkins' answer"},
		{name: "200 of jenkins", answer: canned{200, jenkinsHTML, ""}, flags: temporary | server | ambiguous, reason: "answered 200"},
		{name: "204", answer: canned{204, nil, ""}, flags: temporary | server, reason: "answered 204"},
		{name: "302 declined", answer: canned{302, location("HOST/job/app/"), ""}, reason: "declined to queue"},
		{name: "302 declined, relative", answer: canned{302, location("."), ""}, reason: "declined to queue"},
		{name: "302 login", answer: canned{302, location("/login?from=%2Fjob"), ""}, flags: temporary | server, reason: "answered 302", mention: "url"},
		{name: "301 to https", answer: canned{301, location("https://ci.invalid/job/app/build"), ""}, flags: temporary | server, reason: "answered 301", mention: "https://ci.invalid"},
		{name: "308", answer: canned{308, location("https://ci.invalid/job/app/build"), ""}, flags: temporary | server, reason: "answered 308", mention: "url"},
		{name: "303 elsewhere", answer: canned{303, location("/"), ""}, flags: temporary | server, reason: "answered 303", mention: "url"},
		{name: "302 nowhere", answer: canned{302, nil, ""}, flags: temporary | server, reason: "answered 302", mention: "url"},
		{name: "304", answer: canned{304, nil, ""}, flags: temporary | server, reason: "answered 304"},

		{name: "400", answer: canned{400, nil, "<html><head><title>Error 400\r\n Nothing \x1b[31mis &lt;submitted&gt;</title>"}, reason: "answered 400", mention: `Error 400 Nothing [31mis <submitted>`},
		{name: "401", answer: canned{401, nil, ""}, flags: temporary | server, reason: "credentials", mention: "token"},
		{name: "402", answer: canned{402, nil, ""}, reason: "answered 402"},
		{name: "403", answer: canned{403, map[string]string{"X-Required-Permission": "hudson.model.Item.Build"}, ""}, reason: "not permitted", mention: "hudson.model.Item.Build"},
		{name: "403 anonymous", answer: canned{403, jenkinsHTML, "<html><head></head><body>Authentication required</body></html>"}, reason: "not permitted", mention: "Job/Build"},
		{name: "404", answer: canned{404, nil, ""}, reason: "no such job", mention: "Job/Read"},
		{name: "405", answer: canned{405, nil, ""}, reason: "answered 405", mention: "proxy"},
		{name: "407", answer: canned{407, nil, ""}, flags: temporary | server, reason: "answered 407"},
		{name: "408", answer: canned{408, nil, ""}, flags: temporary | server, reason: "answered 408"},
		{name: "409", answer: canned{409, nil, ""}, reason: "answered 409", mention: "disabled"},
		{name: "415", answer: canned{415, nil, ""}, reason: "answered 415", mention: "Content-Type"},
		{name: "429", answer: canned{429, map[string]string{"Retry-After": "17"}, ""}, flags: temporary, after: 17 * time.Second, reason: "too many"},
		{name: "429 unsaid", answer: canned{429, nil, ""}, flags: temporary, reason: "too many"},
		{name: "499", answer: canned{499, nil, ""}, reason: "answered 499"},
		{name: "500", answer: canned{500, nil, ""}, flags: temporary | server | ambiguous, reason: "answered 500"},
		{name: "500 with X-Error", answer: canned{500, map[string]string{"X-Error": "no executor"}, ""}, flags: temporary | server | ambiguous, reason: "answered 500", mention: "no executor"},
		{name: "502", answer: canned{502, nil, "<html>"}, flags: temporary | server | ambiguous, reason: "answered 502"},
		{name: "503", answer: canned{503, nil, "<html>"}, flags: temporary | server, reason: "answered 503"},
		{name: "503 said", answer: canned{503, map[string]string{"Retry-After": "120"}, ""}, flags: temporary | server, after: 2 * time.Minute, reason: "answered 503"},
		{name: "504", answer: canned{504, nil, ""}, flags: temporary | server | ambiguous, reason: "answered 504"},
		{name: "599", answer: canned{599, nil, ""}, flags: temporary | server | ambiguous, reason: "answered 599"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _, web := serve(t, tt.answer, withToken())
			got, err := s.Start(t.Context(), triggers.Request{Target: "app"})
			if tt.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				tt.want.URL = web.URL + "/job/app/"
				if d := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(triggers.Receipt{}, "Notes")); d != "" {
					t.Error(d)
				}
				if (len(got.Notes) > 0) != (got.Handle == "") {
					t.Errorf("notes %q with handle %q", got.Notes, got.Handle)
				}
				return
			}
			e := failure(t, err)
			flags := 0
			for flag, on := range map[int]bool{temporary: e.Temporary, server: e.Server, ambiguous: e.Ambiguous} {
				if on {
					flags |= flag
				}
			}
			if flags != tt.flags || e.Status != tt.answer.status || e.RetryAfter != tt.after || e.Within != 0 {
				t.Errorf("%+v, want status %d, flags %b, after %s", e, tt.answer.status, tt.flags, tt.after)
			}
			if e.Op != "start app" || !strings.Contains(e.Reason, tt.reason) || !strings.Contains(e.Hint+e.Error(), tt.mention) {
				t.Errorf("op %q, %v, hint %q; want %q and %q", e.Op, err, e.Hint, tt.reason, tt.mention)
			}
		})
	}
}

func TestEveryAnswerToAScan(t *testing.T) {
	jenkins := map[string]string{"X-Jenkins": "2.579"}
	for _, tt := range []struct {
		answer canned
		ok     bool
		notes  int
	}{
		{canned{302, location("."), ""}, true, 0},
		{canned{302, location("HOST/job/mb/"), ""}, true, 0},
		{canned{201, nil, ""}, true, 0},
		{canned{200, jenkins, ""}, true, 0},
		{canned{201, location("/queue/item/3/"), ""}, true, 1},
		{canned{200, nil, "<html>"}, false, 0},
		{canned{302, location("/login"), ""}, false, 0},
		{canned{302, location("https://ci.invalid/job/mb/build"), ""}, false, 0},
		{canned{403, nil, ""}, false, 0},
		{canned{404, nil, ""}, false, 0},
		{canned{500, nil, ""}, false, 0},
	} {
		t.Run(fmt.Sprint(tt.answer.status, tt.answer.header), func(t *testing.T) {
			s, tp, _ := serve(t, tt.answer, withToken())
			got, err := s.Start(t.Context(), triggers.Request{Target: "mb", Scan: true})
			if (err == nil) != tt.ok || tt.ok && (got.Outcome != triggers.Triggered || got.Handle != "" || len(got.Notes) != tt.notes) {
				t.Errorf("got %+v, %v", got, err)
			}
			if d := cmp.Diff([]string{"POST /job/mb/build?delay=0sec"}, tp.lines("POST")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\n\tb ":              "a b",
		"red\x1b[31m":             "red[31m",
		"over\u202eturned\u200b":  "overturned",
		strings.Repeat("é", 9000): strings.Repeat("é", 160) + "…",
		"\xff":                    "",
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%.40q) = %q, want %q", text, got, want)
		}
	}
}
