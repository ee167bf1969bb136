package hosttest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

// hear has the gateway verify and read what a host sends, and refuse it under
// another secret.
func hear(t *testing.T, hostName string, h http.Header, body []byte) rules.Push {
	t.Helper()
	src := rules.Source{Name: "s", Host: hostName, Secrets: []rules.Secret{"other", "secret"}}
	if err := host.Verify(src, h, body); err != nil {
		t.Errorf("%s: not verified: %v, %v", hostName, err, h)
	}
	src.Secrets = src.Secrets[:1]
	if host.Verify(src, h, body) == nil {
		t.Errorf("%s: verified with another secret", hostName)
	}
	d, err := host.Parse(src, h, body)
	if err != nil || len(d.Pushes) != 1 {
		t.Fatalf("%s: %+v, %v in %s", hostName, d, err, body)
	}
	return d.Pushes[0]
}

// summary is what matters of a push, in a line.
func summary(p rules.Push) string {
	var commits []string
	for _, c := range p.Commits {
		m, _, _ := strings.Cut(c.Message, "\n")
		commits = append(commits, m)
	}
	return fmt.Sprintf("%s %s %s %.4s %.4s %v %s %v", p.Event, p.Kind, p.Ref, p.Before, p.After, commits, p.Files.Completeness, p.Files.Paths)
}

// A delivery is a move and, per host, the summary of the push that is read.
type delivery struct {
	name, ref, before, after string
	forced                   bool
	want                     map[string]string
}

func TestWebhooks(t *testing.T) {
	for _, name := range []string{"bitbucket-cloud", "github", "bitbucket-datacenter", "gitlab", "gitea"} {
		t.Run(name, func(t *testing.T) {
			s := hosttest.New(hosttest.Options{Host: name})
			h := describe(s)
			h.SetBranch("same", h.merge)
			h.SetTag("light", h.side, false)
			tip := h.first
			for i := range 25 {
				tip = h.Commit([]string{tip}, fmt.Sprint("c", i), someone, hosttest.Change{Path: fmt.Sprint("f", i)})
			}
			h.SetBranch("long", tip)
			four := func(id string) string { return id[:4] }
			for _, d := range deliveries(h, tip, four) {
				header, body := s.Webhook("acme/shop", d.ref, d.before, d.after, d.forced, "secret")
				got := summary(hear(t, name, header, body))
				want, ok := d.want[name]
				if !ok {
					continue
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", d.name, diff)
				}
			}
		})
	}
}

func deliveries(h *history, tip string, short func(string) string) []delivery {
	first, second, side, merge, end := short(h.first), short(h.second), short(h.side), short(h.merge), short(tip)
	return []delivery{
		{"push", "refs/heads/main", h.second, h.merge, false, map[string]string{
			"bitbucket-cloud":      "push branch main " + second + " " + merge + " [side Merge feature/x] unknown []",
			"github":               "push branch main " + second + " " + merge + " [side Merge feature/x] complete [side/c d.go src/b.go]",
			"bitbucket-datacenter": "push branch main " + second + " " + merge + " [side Merge feature/x] unknown []",
			"gitlab":               "push branch main " + second + " " + merge + " [side Merge feature/x] complete [side/c d.go src/b.go]",
			"gitea":                "push branch main " + second + " " + merge + " [side Merge feature/x] complete [side/c d.go src/b.go]",
		}},
		{"renamed", "refs/heads/main", h.first, h.second, false, map[string]string{
			"github": "push branch main " + first + " " + second + " [second] complete [new.txt old.txt src/a.go]",
			"gitlab": "push branch main " + first + " " + second + " [second] complete [new.txt src/a.go]",
			"gitea":  "push branch main " + first + " " + second + " [second] complete [new.txt old.txt src/a.go]",
		}},
		{"forced", "refs/heads/feature/x", h.second, h.side, true, map[string]string{
			"bitbucket-cloud":      "force branch feature/x " + second + " " + side + " [side] unknown []",
			"github":               "force branch feature/x " + second + " " + side + " [side] partial [side/c d.go src/b.go]",
			"bitbucket-datacenter": "push branch feature/x " + second + " " + side + " [side] unknown []",
			"gitlab":               "push branch feature/x " + second + " " + side + " [side] complete [side/c d.go src/b.go]",
			"gitea":                "push branch feature/x " + second + " " + side + " [side] complete [side/c d.go src/b.go]",
		}},
		{"rewound", "refs/heads/main", h.merge, h.first, true, map[string]string{
			"bitbucket-cloud":      "force branch main " + merge + " " + first + " [first] unknown []",
			"github":               "force branch main " + merge + " " + first + " [first] unknown []",
			"bitbucket-datacenter": "push branch main " + merge + " " + first + " [first] unknown []",
			"gitlab":               "push branch main " + merge + " " + first + " [] unknown []",
			"gitea":                "push branch main " + merge + " " + first + " [first] unknown []",
		}},
		{"created at an old commit", "refs/heads/same", zeros, h.merge, false, map[string]string{
			"bitbucket-cloud":      "create branch same  " + merge + " [Merge feature/x] unknown []",
			"github":               "create branch same  " + merge + " [Merge feature/x] unknown []",
			"bitbucket-datacenter": "create branch same  " + merge + " [first second side Merge feature/x] unknown []",
			"gitlab":               "create branch same  " + merge + " [] unknown []",
			"gitea":                "create branch same  " + merge + " [Merge feature/x] unknown []",
		}},
		{"created", "refs/heads/long", "", tip, false, map[string]string{
			"bitbucket-cloud": "create branch long  " + end + " [c20 c21 c22 c23 c24] unknown []",
		}},
		{"deleted", "refs/heads/gone", h.side, "", false, map[string]string{
			"bitbucket-cloud":      "delete branch gone " + side + "  [] complete []",
			"github":               "delete branch gone " + side + "  [] complete []",
			"bitbucket-datacenter": "delete branch gone " + side + "  [] complete []",
			"gitlab":               "delete branch gone " + side + "  [] complete []",
			"gitea":                "delete branch gone   [] complete []",
		}},
		{"tag", "refs/tags/light", "", h.side, false, map[string]string{
			"bitbucket-cloud":      "create tag light  " + side + " [side] unknown []",
			"github":               "create tag light  " + side + " [side] unknown []",
			"bitbucket-datacenter": "create tag light  " + side + " [first side] unknown []",
			"gitlab":               "create tag light  " + side + " [side] partial [side/c d.go src/b.go]",
			"gitea":                "create tag light  " + side + " [side] unknown []",
		}},
		{"annotated tag", "refs/tags/v1", "", h.Tag("v1"), false, map[string]string{
			"bitbucket-cloud":      "create tag v1  " + merge + " [Merge feature/x] unknown []",
			"github":               "create tag v1  " + merge + " [Merge feature/x] unknown []",
			"bitbucket-datacenter": "create tag v1  " + merge + " [first second side Merge feature/x] unknown []",
			"gitlab":               "create tag v1  " + merge + " [Merge feature/x] partial [side/c d.go src/b.go]",
			"gitea":                "create tag v1  " + merge + " [Merge feature/x] unknown []",
		}},
		{"tag deleted", "refs/tags/v1", h.Tag("v1"), "", false, map[string]string{
			"bitbucket-cloud": "delete tag v1 " + merge + "  [] complete []",
			"gitlab":          "delete tag v1 " + short(h.Tag("v1")) + "  [] complete []",
			"gitea":           "delete tag v1 " + short(h.Tag("v1")) + "  [] complete []",
		}},
		{"long", "refs/heads/long", h.first, tip, false, map[string]string{
			"bitbucket-cloud": "push branch long " + first + " " + end + " [c20 c21 c22 c23 c24] unknown []",
			"gitea":           "push branch long " + first + " " + end + " [c20 c21 c22 c23 c24] partial [f24 f23 f22 f21 f20]",
		}},
	}
}
