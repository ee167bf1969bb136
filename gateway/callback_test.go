package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

const oauthCredentials = "client_id: gate, client_secret: client-secret"

// started gives the rules' names of all builds, in the order they were called
// for, with their branches.
func (s *codeHostStage) started() []string {
	var out []string
	for _, b := range s.builds() {
		out = append(out, strings.Join(b.Build.Rules, "+")+" "+b.Ref+" "+string(b.State))
	}
	return out
}

// TestCallBack is the seed's own case: Bitbucket's push names no file, and just
// the builds whose paths changed start, since the gateway calls back, signed in
// by OAuth; also after the token ran out, and without one it can have.
func TestCallBack(t *testing.T) {
	s := setUpHost(t, rules.BitbucketCloud, codeHostRules, oauthCredentials, hosttest.Options{ClientID: "gate", ClientSecret: "client-secret"})
	api, _ := s.grow(s.base, 2, 3, "api")
	s.moved("main", s.base, api, false)
	docs, _ := s.grow(api, 1, 1, "docs")
	s.moved("main", api, docs, false)
	s.sim.ExpireTokens()
	web, _ := s.grow(docs, 1, 1, "web")
	p := s.moved("main", docs, web, false)
	if diff := cmp.Diff([]string{"api main succeeded", "web main succeeded"}, s.started()); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	if p.Push.Files.Completeness != rules.Complete {
		t.Errorf("files %s: %s", p.Push.Files.Completeness, p.Push.Files.Note)
	}
	tokens := 0
	for _, r := range s.sim.Requests() {
		if strings.HasPrefix(r, "POST /site/oauth2/access_token") {
			tokens++
		}
	}
	if tokens < 2 || tokens > 4 {
		t.Errorf("%d tokens fetched", tokens)
	}
}

// post sends a body of the POST service and gives its delivery and pushes.
func (s *codeHostStage) post(commits, more string) (ledger.Delivery, []ledger.Push) {
	s.t.Helper()
	body := fmt.Sprintf(`{"canon_url":"https://bitbucket.org","user":"ann","repository":{"absolute_url":"/acme/shop/"},"commits":[%s]%s}`, commits, more)
	status, answer := s.send("/hooks/src?token=hook-secret", formType, "payload="+url.QueryEscape(body))
	if status != http.StatusAccepted {
		s.t.Fatalf("%d %s", status, answer)
	}
	s.settle()
	s.until("the first look is over", func() bool {
		at, err := s.ledger.NextLookup(s.t.Context(), "src")
		return err == nil && at.IsZero()
	})
	list, err := s.ledger.Deliveries(s.t.Context(), ledger.Filter{Limit: 1})
	if err != nil || len(list) != 1 {
		s.t.Fatal(err)
	}
	pushes, err := s.ledger.Pushes(s.t.Context(), &list[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return list[0], pushes
}

// postCommit is a commit as the POST service writes it.
func postCommit(branch, parent, id, file string) string {
	return fmt.Sprintf(`{"node":%[3]q,"raw_node":%[3]q,"parents":[%[2]q],"branch":%[1]s,"raw_author":"Ann <ann@example.com>","message":"m","files":[{"file":%[4]q,"type":"modified"}]}`,
		branch, parent[:12], id, file)
}

func events(pushes []ledger.Push) []string {
	var out []string
	for _, p := range pushes {
		out = append(out, fmt.Sprintf("%s %s, %s, %s", p.Push.Event, p.Push.Ref, p.Push.Files.Completeness, strings.Join(p.Matched, "+")))
	}
	slices.Sort(out)
	return out
}

// TestPostServiceAsks: bodies that name no branch are resolved by asking for the
// branches and comparing them with those known; the first look starts nothing.
func TestPostServiceAsks(t *testing.T) {
	text := strings.Replace(codeHostRules, "secret: hook-secret", "token: hook-secret", 1)
	text = strings.ReplaceAll(text, "repos: acme/shop,", "repos: acme/shop, events: [push, create, delete, force],")
	text = strings.ReplaceAll(text, "HOST", "bitbucket-post")
	for _, shape := range []struct{ name, commits, more string }{
		{"empty", "", ""},
		{"truncated", "", `,"truncated":true`},
		{"all null", "NULL", ""},
	} {
		t.Run(shape.name, func(t *testing.T) {
			t.Parallel()
			s := setUpHost(t, rules.BitbucketCloud, text, oauthCredentials, hosttest.Options{ClientID: "gate", ClientSecret: "client-secret", PageSize: 2})
			s.jenkins.AddJob("mb/gone", jenkinstest.Job{})
			n := 0
			unnamed := func() (ledger.Delivery, []ledger.Push) {
				n++
				id := fmt.Sprintf("%040d", n)
				return s.post(strings.Replace(shape.commits, "NULL", postCommit("null", s.base, id, "api/x"), 1), shape.more)
			}
			for i := range 5 {
				s.repo.SetBranch(fmt.Sprint("still-", i), s.base)
			}
			s.repo.SetBranch("gone", s.base)
			d, pushes := unnamed()
			if len(pushes) != 0 || !strings.Contains(d.Note, "records the branches") {
				t.Fatalf("the first look: %q, %q", events(pushes), d.Note)
			}
			api, _ := s.grow(s.base, 3, 2, "api")
			web, _ := s.grow(api, 1, 1, "web")
			s.repo.SetBranch("main", api)
			s.repo.SetBranch("dev", web)
			s.repo.DeleteBranch("gone")
			d, pushes = unnamed()
			want := []string{"create dev, complete, web", "delete gone, complete, api+web", "push main, complete, api"}
			if diff := cmp.Diff(want, events(pushes)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", d.Note, diff)
			}
			if diff := cmp.Diff(3, d.Pushes); diff != "" || !strings.Contains(d.Note, "moved: dev, main, gone") {
				t.Errorf("note %q, %s", d.Note, diff)
			}
			for _, p := range pushes {
				if p.Push.Event != rules.Deleted && (p.Push.Head().Message == "" || p.Push.Ref == "dev" && p.Push.DefaultBranch != "main") {
					t.Errorf("%s: head %+v, default branch %q", p.Push.Ref, p.Push.Head(), p.Push.DefaultBranch)
				}
			}
			// Moved back: the host is asked whether commits were dropped.
			s.repo.SetBranch("dev", s.base)
			if _, pushes = unnamed(); cmp.Diff([]string{"force dev, complete, api+web"}, events(pushes)) != "" {
				t.Errorf("moved back: %q", events(pushes))
			}
			if d, pushes = unnamed(); len(pushes) != 0 || !strings.Contains(d.Note, "no branch has moved") {
				t.Errorf("nothing moved: %q, %q", events(pushes), d.Note)
			}
		})
	}
}

// TestPostServiceLearns: a repository whose pushes name their branches is looked
// at once, so that the first body without a name already tells what moved.
func TestPostServiceLearns(t *testing.T) {
	text := strings.Replace(codeHostRules, "secret: hook-secret", "token: hook-secret", 1)
	s := setUpHost(t, rules.BitbucketCloud, strings.ReplaceAll(text, "HOST", "bitbucket-post"), oauthCredentials, hosttest.Options{ClientID: "gate", ClientSecret: "client-secret"})
	s.repo.SetBranch("dev", s.base)
	one, _ := s.grow(s.base, 1, 1, "api")
	s.repo.SetBranch("main", one)
	if _, pushes := s.post(postCommit(`"main"`, s.base, one, "api/00/000"), ""); cmp.Diff([]string{"push main, complete, api"}, events(pushes)) != "" {
		t.Fatalf("named: %q", events(pushes))
	}
	two, _ := s.grow(one, 1, 1, "api/two")
	s.repo.SetBranch("main", two)
	web, _ := s.grow(s.base, 1, 1, "web")
	s.repo.SetBranch("dev", web)
	if _, pushes := s.post(postCommit(`"main"`, one, two, "api/two/00/000"), ""); len(pushes) != 1 || pushes[0].Gap || pushes[0].Late {
		t.Fatalf("named: %+v", pushes)
	}
	if _, pushes := s.post("", ""); cmp.Diff([]string{"push dev, complete, web"}, events(pushes)) != "" {
		t.Errorf("not named: %q", events(pushes))
	}
}
