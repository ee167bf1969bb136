package web

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

const nasty = "\"><script>alert(1)</script>'&\u202e<img src=x onerror=alert(1)>"

const oldRules = `
servers: {ci: {jenkins: "http://ci"}}
rules:
- {name: old, repos: acme/*, start: {server: ci, job: "x/{{.Branch}}", parameters: {A: "{{.Message}}"}}}
- {name: other, repos: nobody/*, start: {server: ci, job: y}}
`

type site struct {
	t      *testing.T
	ledger *ledger.Ledger
	pages  *Pages
	rules  *rules.Set
	state  RulesState
}

func open(t *testing.T) *site {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(t.TempDir(), "l.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &site{t: t, ledger: l, rules: mustLoad(t, oldRules)}
	s.pages, err = New(Options{Ledger: l, Rules: func() *rules.Set { return s.rules }, RulesState: func() RulesState { return s.state }, PublicURL: "http://here", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustLoad(t *testing.T, text string) *rules.Set {
	t.Helper()
	set, err := rules.Load(fstest.MapFS{"rules.yaml": {Data: []byte(text)}}, "rules.yaml", rules.Unresolved)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// receive takes one push and, with decide, decides it under the rules in force.
func (s *site) receive(p rules.Push, note string, decide bool) string {
	s.t.Helper()
	pushes := []rules.Push{p}
	if note != "" {
		pushes = nil
	}
	got, err := s.ledger.Receive(s.t.Context(), ledger.Delivery{Source: "hook", Repo: p.Repo, ReceivedAt: time.Now(), Remote: "r", Note: note,
		Headers: map[string]string{"User-Agent": nasty}}, []byte("{}"), pushes)
	if err != nil {
		s.t.Fatal(err)
	}
	if decide {
		if err := s.ledger.SaveRules(s.t.Context(), s.rules); err != nil {
			s.t.Fatal(err)
		}
		waiting, err := s.ledger.Waiting(s.t.Context(), 10)
		if err != nil {
			s.t.Fatal(err)
		}
		for i := range waiting {
			for k := range waiting[i].Pushes {
				d := s.rules.Decide(&waiting[i].Pushes[k], nil)
				waiting[i].Decided = append(waiting[i].Decided, ledger.Decided{Rules: s.rules.Hash(), Matched: d.Matched(), Builds: d.Builds()})
			}
		}
		if _, err := s.ledger.Decide(s.t.Context(), waiting); err != nil {
			s.t.Fatal(err)
		}
	}
	return got.ID
}

func push(branch string) rules.Push {
	return rules.Push{Source: "hook", Repo: "acme/shop", Kind: rules.Branch, Ref: branch, Event: rules.Pushed, Before: "aaaaaaaaaaaa", After: "bbbbbbbbbbbb",
		Commits: []rules.Commit{{ID: "bbbbbbbbbbbb", Message: nasty, Author: rules.Person{Name: nasty, Email: nasty}}},
		Files:   rules.Files{Completeness: rules.Complete, Paths: []string{nasty, "a\nb"}}, CommitURL: "javascript:alert(1)", CompareURL: "https://host/" + nasty}
}

// get gives a page after checking what holds for all of them.
func (s *site) get(path string, status int) string {
	s.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.pages.Deliveries)
	mux.HandleFunc("GET /deliveries/{id}", s.pages.Delivery)
	mux.HandleFunc("GET /static/style.css", s.pages.Style)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	page := w.Body.String()
	if w.Code != status {
		s.t.Fatalf("%s: %d\n%s", path, w.Code, page)
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'") {
		s.t.Errorf("%s: policy %q", path, policy)
	}
	checkHTML(s.t, page)
	return page
}

// checkHTML refuses elements that are not closed, or closed twice, scripts, and
// links that are no web addresses.
func checkHTML(t *testing.T, page string) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				t.Error(z.Err())
			}
			if len(open) > 0 {
				t.Errorf("not closed: %q", open)
			}
			return
		case html.StartTagToken:
			tok := z.Token()
			switch tok.Data {
			case "meta", "link", "br", "img":
			default:
				open = append(open, tok.Data)
			}
			if tok.Data == "script" || tok.Data == "img" || tok.Data == "style" {
				t.Errorf("the page has a %s", tok.Data)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "https://host/") {
					t.Errorf("attribute %s=%q", a.Key, a.Val)
				}
			}
		case html.EndTagToken:
			tok := z.Token()
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				t.Fatalf("%q closed in %q", tok.Data, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func TestHostileText(t *testing.T) {
	s := open(t)
	id := s.receive(push(nasty), "", true)
	for _, path := range []string{"/", "/deliveries/" + id} {
		page := s.get(path, 200)
		if !strings.Contains(page, html.EscapeString("<script>")) {
			t.Errorf("%s does not show the name", path)
		}
	}
	s.receive(push("x"), nasty, false)
	s.get("/", 200)
}

// TestHostileAnswers: a repository's name, and what a CI server answers, are
// text like any other.
func TestHostileAnswers(t *testing.T) {
	s := open(t)
	p := push("main")
	p.Repo = "acme/" + nasty + "\n\u200f"
	s.rules = mustLoad(t, strings.ReplaceAll(oldRules, "acme/*", `"**"`))
	id := s.receive(p, "", true)
	claimed, err := s.ledger.ClaimStarts(t.Context(), "ci", 1, 0, time.Minute)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claimed %d: %v", len(claimed), err)
	}
	if err := s.ledger.Finish(t.Context(), &claimed[0], ledger.Change{State: ledger.Dead, Reason: "no such job " + nasty, URL: "javascript:alert(1)//" + nasty, Notes: []string{nasty}}); err != nil {
		t.Fatal(err)
	}
	page := s.get("/deliveries/"+id, 200)
	for _, want := range []string{"no such job", "<bdi>x/main</bdi>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, page := range []string{page, s.get("/", 200)} {
		if strings.Contains(page, nasty) || strings.Contains(page, "<script") || strings.Contains(page, "javascript:") {
			t.Errorf("text of a push or a server stands unescaped:\n%s", page)
		}
	}
}

// TestUnanswered: the list says that a code host was asked in vain, a delivery's
// page why, and both what an undecided push waits for.
func TestUnanswered(t *testing.T) {
	s := open(t)
	p := push("main")
	p.Files = rules.Files{Completeness: rules.Unknown, Note: "no answer " + nasty}
	id := s.receive(p, "", true)
	if page := s.get("/", 200); !strings.Contains(page, "files not known") || strings.Contains(page, nasty) {
		t.Errorf("the list does not tell of the files:\n%s", page)
	}
	if page := s.get("/deliveries/"+id, 200); !strings.Contains(page, "<bdi>no answer ") {
		t.Errorf("the page does not say why the files are not known:\n%s", page)
	}
	d, err := s.ledger.Delivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.pages.View(t.Context(), d, false); err != nil || len(v.Pushes) != 1 || v.Pushes[0].Unanswered != p.Files.Note {
		t.Errorf("%+v, %v", v, err)
	}
	id = s.receive(push("other"), "", false)
	waiting, err := s.ledger.Waiting(t.Context(), 10)
	if err != nil || len(waiting) != 1 {
		t.Fatal(err, len(waiting))
	}
	waiting[0].Decided = []ledger.Decided{{Lacks: rules.Lacks{Files: true}}}
	if _, err := s.ledger.Decide(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	if page := s.get("/", 200); !strings.Contains(page, "undecided: the code host is asked what the push does not say<") {
		t.Errorf("the list does not say what is waited for:\n%s", page)
	}
	if page := s.get("/deliveries/"+id, 200); !strings.Contains(page, "without an answer it is decided at ") {
		t.Errorf("the page does not say for how long:\n%s", page)
	}
}

// TestSilence: a code host that tells nothing for several pushes is named above
// the list, until it tells again.
func TestSilence(t *testing.T) {
	s := open(t)
	for i := range 2 * silent {
		p := push(fmt.Sprint("b", i))
		p.Files = rules.Files{Completeness: rules.Unknown, Note: "refused " + nasty}
		s.receive(p, "", true)
		page := s.get("/", 200)
		if told := strings.Contains(page, fmt.Sprintf("of its newest %d pushes", i+1)); told != (i+1 >= silent) || strings.Contains(page, nasty) {
			t.Errorf("after %d pushes: %t\n%s", i+1, told, page)
		}
	}
	s.receive(push("told"), "", true)
	if page := s.get("/", 200); strings.Contains(page, "of its newest") {
		t.Errorf("it told again:\n%s", page)
	}
}

// TestManyRefs: one delivery of very many refs, or of a very long one, does not
// flood the list.
func TestManyRefs(t *testing.T) {
	s := open(t)
	var many []rules.Push
	for i := range 500 {
		many = append(many, push(fmt.Sprintf("b%d-%s", i, strings.Repeat("x", 5000))))
	}
	if _, err := s.ledger.Receive(t.Context(), ledger.Delivery{Source: "hook", Repo: "acme/shop", ReceivedAt: time.Now()}, []byte("{}"), many); err != nil {
		t.Fatal(err)
	}
	if page := s.get("/", 200); len(page) > 20_000 || !strings.Contains(page, "and 490 more") {
		t.Errorf("%d bytes", len(page))
	}
}

func TestDecisionUnderOldRules(t *testing.T) {
	s := open(t)
	id := s.receive(push("main"), "", true)
	s.rules = mustLoad(t, strings.ReplaceAll(oldRules, "old", "new"))
	page := s.get("/deliveries/"+id, 200)
	for _, want := range []string{">old<", "matched", "rules.yaml:4", "acme/*", "x/main"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, ">new<") {
		t.Error("the page shows rules that did not decide")
	}
	s.rules = mustLoad(t, "servers: {ci2: {jenkins: 'http://ci'}}\nrules: [{name: a, start: {server: ci2, job: x}}]")
	if page = s.get("/deliveries/"+id, 200); !strings.Contains(page, "no longer name its server") {
		t.Error("a build whose server is gone does not say so")
	}
}

func TestStatesOfAPush(t *testing.T) {
	s := open(t)
	waiting := s.receive(push("main"), "", false)
	if page := s.get("/deliveries/"+waiting, 200); !strings.Contains(page, "undecided") {
		t.Error("a waiting push does not say so")
	}
	dead := s.receive(push("a\nb"), "", true)
	if page := s.get("/deliveries/"+dead, 200); !strings.Contains(page, "control character") || !strings.Contains(page, "dead") {
		t.Error("a dead build does not say why")
	}
	again := s.receive(push("a\nb"), "", true)
	if page := s.get("/deliveries/"+again, 200); !strings.Contains(page, "starts nothing") {
		t.Error("a repeat does not say so")
	}
	none := push("x")
	none.Repo = "stranger/repo"
	id := s.receive(none, "", true)
	if page := s.get("/deliveries/"+id, 200); !strings.Contains(page, "no rule matched") {
		t.Error("an unmatched push does not say so")
	}
}

func TestList(t *testing.T) {
	s := open(t)
	if page := s.get("/", 200); !strings.Contains(page, "Nothing has been received yet") {
		t.Error("the empty list does not say what to do")
	}
	for i := range pageSize + 1 {
		s.receive(push(fmt.Sprintf("b%d", i)), "", false)
	}
	page := s.get("/", 200)
	_, rest, more := strings.Cut(page, `href="/?before=`)
	if !more || !strings.Contains(page, "<bdi>b50</bdi>") || strings.Contains(page, "<bdi>b0</bdi>") {
		t.Fatal("the first page is not the newest fifty")
	}
	n, _, _ := strings.Cut(rest, `"`)
	if page = s.get("/?before="+n, 200); !strings.Contains(page, "<bdi>b0</bdi>") || strings.Contains(page, "<bdi>b1</bdi>") {
		t.Error("the second page is not the rest")
	}
	if page = s.get("/?before=1", 200); !strings.Contains(page, "Nothing older") {
		t.Error("the page after the last does not say so")
	}
	s.get("/deliveries/d_nothing", 404)
	s.ledger.Close()
	s.get("/", 503)
}

// TestFailingRules: while the rule file does not load every page says so, with
// what is wrong as text, and no longer than a person reads.
func TestFailingRules(t *testing.T) {
	s := open(t)
	id := s.receive(push("main"), "", true)
	const warning = "The rule file has errors since"
	for _, path := range []string{"/", "/deliveries/" + id} {
		if page := s.get(path, 200); strings.Contains(page, warning) {
			t.Errorf("%s warns of rules that are well", path)
		}
	}
	day := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	s.state = RulesState{Hash: s.rules.Hash(), Since: day, FailingSince: day.Add(time.Hour)}
	for i := range problemsShown + 5 {
		s.state.Problems = append(s.state.Problems, rules.Problem{At: rules.Pos{File: "rules.yaml", Line: i + 1, Col: 3}, Text: "unknown field " + nasty + strings.Repeat("x", 5000), Hint: nasty})
	}
	s.state.Problems[1] = rules.Problem{Text: "the ledger is full"}
	check := func(path string, status int) {
		t.Helper()
		page := s.get(path, status)
		for _, want := range []string{warning + " 2024-05-06 08:08:09 UTC; the rules of 2024-05-06 07:08:09 UTC", s.rules.Hash()[:12], "rules.yaml:1:3", "<li><bdi>the ledger is full", "rules.yaml:20:3", "and 5 more"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		if strings.Contains(page, "rules.yaml:21:3") || strings.Contains(page, nasty) || len(page) > 60_000 {
			t.Errorf("%s shows too much, %d bytes", path, len(page))
		}
	}
	check("/", 200)
	check("/deliveries/"+id, 200)
	check("/deliveries/d_nothing", 404)
	s.ledger.Close()
	check("/", 503)
}
