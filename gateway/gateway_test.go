package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// TestPushToResult is the whole way: a form body, builds started once each with
// their values, followed to their result; the same body again starts nothing.
func TestPushToResult(t *testing.T) {
	s := setUp(t, stageRules, nil)
	hostile := "line one\nline two {{.Commit}} ${HOME} &COMMIT=x ✓"
	text := payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x.go", hostile)
	first := s.push(text)
	s.settle()
	var a, b accepted
	if err := json.Unmarshal([]byte(first), &a); err != nil || a.Pushes != 1 || a.Duplicate || a.URL != "http://127.0.0.1:1/deliveries/"+a.Delivery {
		t.Errorf("%s %v", first, err)
	}
	if err := json.Unmarshal([]byte(s.push(text)), &b); err != nil || b.Delivery != a.Delivery || !b.Duplicate {
		t.Errorf("the same body again: %+v %v", b, err)
	}
	s.settle()

	builds := s.builds()
	if len(builds) != 2 {
		t.Fatalf("%d builds in the ledger", len(builds))
	}
	for _, b := range builds {
		if b.State != ledger.Succeeded || b.Attempts != 1 || b.Uncertain || b.URL == "" || b.EndedAt.IsZero() {
			t.Errorf("%+v", b)
		}
	}
	onJenkins := s.jenkins.Started()
	if len(onJenkins) != 1 {
		t.Fatalf("started on Jenkins: %+v", onJenkins)
	}
	if diff := cmp.Diff(map[string]string{"COMMIT": "bbbbbbbbbbbb", "MESSAGE": hostile, "PUSHGATE_BUILD": builds[0].ID}, onJenkins[0].Parameters); diff != "" || onJenkins[0].Job != "mb/main" {
		t.Errorf("job %s\n%s", onJenkins[0].Job, diff)
	}
	onBamboo := s.bamboo.Started()
	if len(onBamboo) != 1 {
		t.Fatalf("started on Bamboo: %+v", onBamboo)
	}
	if diff := cmp.Diff(map[string]string{"message": hostile, "PUSHGATE_BUILD": builds[1].ID}, onBamboo[0].Variables); diff != "" || onBamboo[0].Revision != "bbbbbbbbbbbb" {
		t.Errorf("revision %s\n%s", onBamboo[0].Revision, diff)
	}
}

// TestHostileBranches: a branch's name fills one segment of the job's path.
func TestHostileBranches(t *testing.T) {
	s := setUp(t, stageRules, nil)
	s.push(payload("../../../scriptText", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.push(payload("a?b#c%2F", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.push(payload("a\nb", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.settle()
	var jobs []string
	for _, b := range s.jenkins.Started() {
		jobs = append(jobs, b.Job)
	}
	if diff := cmp.Diff(map[string]bool{"mb/..%2F..%2F..%2FscriptText": true, "mb/a%3Fb%23c%252F": true}, asSet(jobs)); diff != "" {
		t.Error(diff)
	}
	last := s.builds()[2]
	if last.State != ledger.Dead || !strings.Contains(last.Reason, "control character") {
		t.Errorf("%+v", last)
	}
}

func asSet(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

// TestOutage: with Jenkins away nothing is lost and Bamboo is not held back;
// once it is back every build starts, in the order of each ref's pushes.
func TestOutage(t *testing.T) {
	s := setUp(t, stageRules, nil)
	s.jenkins.Down(true)
	const pushes = 12
	commit := func(i int) string { return fmt.Sprintf("%012x", i+1) }
	for i := range pushes {
		s.push(payload("main", commit(i), commit(i+1), "api/x", "m"))
		s.push(payload("dev", commit(i), commit(i+1), "api/x", "m"))
	}
	s.until("Bamboo's builds started", func() bool { return len(s.bamboo.Started()) == pushes })
	s.until("Jenkins was tried", func() bool { return s.jenkins.Requests() > 1 })
	if n := len(s.jenkins.Started()); n != 0 {
		t.Fatalf("%d builds started on a server that is down", n)
	}
	s.jenkins.Down(false)
	s.settle()
	got := map[string][]string{}
	for _, b := range s.jenkins.Started() {
		got[b.Job] = append(got[b.Job], b.Parameters["COMMIT"])
	}
	var want []string
	for i := range pushes {
		want = append(want, commit(i+1))
	}
	if diff := cmp.Diff(map[string][]string{"mb/main": want, "mb/dev": want}, got); diff != "" {
		t.Error(diff)
	}
	for _, b := range s.builds() {
		if b.State != ledger.Succeeded || b.Failures != 0 {
			t.Errorf("%s %s: %s after %d failures of its own (%s)", b.Target, b.Ref, b.State, b.Failures, b.Reason)
		}
	}
}

// TestPermanentFailures: what cannot be started is dead, with a reason, and
// holds nothing else back.
func TestPermanentFailures(t *testing.T) {
	s := setUp(t, strings.Replace(stageRules, "mb/{{.Branch}}", "gone", 1), nil)
	s.push(payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.settle()
	builds := s.builds()
	if builds[0].State != ledger.Dead || !strings.Contains(builds[0].Reason, "no such job") || builds[1].State != ledger.Succeeded {
		t.Errorf("%+v", builds)
	}
}

// TestBroker: the old path finds the source by its token.
func TestBroker(t *testing.T) {
	s := setUp(t, stageRules, nil)
	text := payload("x", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "f", "m")
	if status, answer := s.send("/broker?token=other-secret", "application/json", text); status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
	list, err := s.ledger.Deliveries(t.Context(), ledger.Filter{})
	if err != nil || len(list) != 1 || list[0].Source != "other" {
		t.Errorf("%+v %v", list, err)
	}
	if status, _ := s.send("/broker?token=x", "application/json", text); status != http.StatusUnauthorized {
		t.Errorf("a wrong token got %d", status)
	}
}

// TestNamesNoBranch: bodies without a ref are kept and shown as such, and never
// taken for a repeat of each other.
func TestNamesNoBranch(t *testing.T) {
	s := setUp(t, stageRules, nil)
	empty := `{"repository":{"absolute_url":"/acme/shop/"},"commits":[]}`
	if a, b := s.push(empty), s.push(empty); a == b || strings.Contains(b, `"duplicate":true`) {
		t.Errorf("%s %s", a, b)
	}
	list, err := s.ledger.Deliveries(t.Context(), ledger.Filter{})
	if err != nil || len(list) != 2 || !strings.HasPrefix(list[0].Note, "names no branch") {
		t.Errorf("%+v %v", list, err)
	}
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

// TestBadInput: every one gets a plain status, an error of one line and a hint,
// and changes nothing.
func TestBadInput(t *testing.T) {
	const limit = 100_000
	s := setUp(t, stageRules, func(o *Options) { o.MaxBody = limit })
	good := payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "f", "m")
	strangers := map[string]bool{}
	for name, c := range map[string]struct {
		path, kind, body string
		header           []string
		chunked          bool
		status           int
	}{
		"wrong token":            {path: "/hooks/hook?token=x", body: good, status: 401},
		"missing token":          {path: "/hooks/hook", body: good, status: 401},
		"unknown source":         {path: "/hooks/nobody?token=secret", body: good, status: 401},
		"another source's token": {path: "/hooks/hook?token=other-secret", body: good, status: 401},
		"no token at the broker": {path: "/broker", body: good, status: 401},
		"empty body":             {body: "", status: 400},
		"not JSON":               {body: "hello", status: 400},
		"another shape":          {body: `{"ref":"refs/heads/main","repository":{"full_name":"a/b"}}`, status: 400},
		"form without payload":   {kind: formType, body: "a=b", status: 400},
		"too large":              {body: strings.Repeat(" ", limit+1), status: 413},
		"too large, chunked":     {body: strings.Repeat(" ", limit+1), chunked: true, status: 413},
		"bomb":                   {body: gzipped(strings.Repeat(" ", 50*limit)), header: []string{"Content-Encoding", "gzip"}, status: 413},
		"not gzip":               {body: good, header: []string{"Content-Encoding", "gzip"}, status: 400},
		"cut gzip":               {body: gzipped(good)[:60], header: []string{"Content-Encoding", "gzip"}, status: 400},
		"unknown encoding":       {body: good, header: []string{"Content-Encoding", "br"}, status: 415},
		"unknown content type":   {kind: "text/xml", body: "<a/>", status: 415},
		"deep nesting":           {body: strings.Repeat("[", 5000), status: 400},
		"invalid UTF-8":          {body: strings.Replace(good, `"main"`, "\"m\xff\"", 1), status: 400},
	} {
		if c.path == "" {
			c.path = "/hooks/hook?token=secret"
		}
		if c.kind == "" {
			c.kind = "application/json"
		}
		before := s.gateway.refusals.Load()
		var body io.Reader = strings.NewReader(c.body)
		if c.chunked {
			body = struct{ io.Reader }{body}
		}
		status, answer := s.sendFrom(c.path, c.kind, body, c.header...)
		var got refused
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != c.status || got.Error == "" || got.Hint == "" || strings.ContainsAny(got.Error+got.Hint, "\r\n") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
		if status == 401 {
			strangers[answer] = true
		}
		if s.gateway.refusals.Load() != before+1 {
			t.Errorf("%s: not counted", name)
		}
	}
	if len(strangers) != 1 {
		t.Errorf("strangers can tell refusals apart: %v", strangers)
	}
	if status, answer := s.send("/hooks/hook?token=secret", "application/json", gzipped(good), "Content-Encoding", "gzip"); status != http.StatusAccepted {
		t.Errorf("gzip: %d %s", status, answer)
	}
	if list, err := s.ledger.Deliveries(t.Context(), ledger.Filter{}); err != nil || len(list) != 1 {
		t.Errorf("%d deliveries, %v", len(list), err)
	}
}

// TestOddSender: bytes that are no UTF-8 in a header keep no push out.
func TestOddSender(t *testing.T) {
	s := setUp(t, stageRules, nil)
	status, answer := s.send("/hooks/hook?token=secret", "application/json", payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"), "User-Agent", "caf\xe9")
	if status != http.StatusAccepted {
		t.Errorf("%d %s", status, answer)
	}
}

// TestPoisonedDecision: a decision that cannot be recorded is dead, visible, and
// keeps nobody else waiting.
func TestPoisonedDecision(t *testing.T) {
	s := setUp(t, stageRules, nil)
	s.stop()
	s.push(payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.push(payload("dev", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	waiting, err := s.ledger.Waiting(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range waiting {
		b := rules.Build{Rules: []string{"api"}, Server: "ci", Job: "x", Parameters: map[string]string{"A": "ok"}}
		if i == 0 {
			b.Parameters["A"] = "\xff"
		}
		waiting[i].Decided = []ledger.Decided{{Rules: "h", Matched: b.Rules, Builds: []rules.Build{b}}}
	}
	if _, err := s.ledger.Decide(t.Context(), waiting); err == nil {
		t.Fatal("the poison is none")
	}
	verdicts, err := s.gateway.decideSingly(t.Context(), waiting)
	if err != nil || len(verdicts) != 2 || verdicts[0][0].Dead != 1 || verdicts[1][0].Dead != 0 {
		t.Fatalf("%+v %v", verdicts, err)
	}
	builds := s.builds()
	if len(builds) != 2 || builds[0].State != ledger.Dead || !strings.Contains(builds[0].Reason, "cannot be recorded") || builds[1].State != ledger.Due {
		t.Errorf("%+v", builds)
	}
}

// TestLedgerGone: without a commit there is no acknowledgement.
func TestLedgerGone(t *testing.T) {
	s := setUp(t, stageRules, nil)
	s.stop()
	s.ledger.Close()
	status, answer := s.send("/hooks/hook?token=secret", "application/json", payload("main", "a", "b", "f", "m"))
	if status != http.StatusServiceUnavailable || !strings.Contains(answer, "hint") {
		t.Errorf("%d %s", status, answer)
	}
}

// TestPagesStayHome: the dashboard answers this machine's names only.
func TestPagesStayHome(t *testing.T) {
	s := setUp(t, stageRules, nil)
	for host, want := range map[string]int{"127.0.0.1": 200, "localhost:8080": 200, "[::1]:80": 200, "evil.example.com": 403, "": 403} {
		if got := s.gateway.ownName(host); got != (want == 200) {
			t.Errorf("host %q: %v", host, got)
		}
	}
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/static/style.css": 200, "/nothing": 404, "/deliveries/d_x": 404} {
		resp, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	for _, c := range []struct {
		path, header string
		want         int
	}{{"/", "X-Forwarded-For", 403}, {"/", "Forwarded", 403}, {"/healthz", "X-Forwarded-For", 200}, {"/hooks/hook", "", 405}, {"/broker", "", 405}} {
		r := httptest.NewRequest("GET", "http://localhost"+c.path, nil)
		if c.header != "" {
			r.Header.Set(c.header, "203.0.113.1")
		}
		w := httptest.NewRecorder()
		s.gateway.Handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}

// TestReload: new rules decide new pushes; work goes on.
func TestReload(t *testing.T) {
	s := setUp(t, stageRules, nil)
	s.push(payload("main", "aaaaaaaaaaaa", "bbbbbbbbbbbb", "api/x", "m"))
	s.settle()
	text := s.gateway.Rules().Files()[0].Content
	set := mustLoad(t, strings.Replace(text, `repos: acme/shop, branches`, `repos: acme/nothing, branches`, 1))
	if err := s.gateway.SetRules(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	s.push(payload("main", "bbbbbbbbbbbb", "cccccccccccc", "api/x", "m"))
	s.settle()
	if j, b := len(s.jenkins.Started()), len(s.bamboo.Started()); j != 2 || b != 1 {
		t.Errorf("%d builds on Jenkins, %d on Bamboo", j, b)
	}
}
