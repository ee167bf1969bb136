package api

import (
	"fmt"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/rules"
)

// TestSmallPages: however short the host's pages are, and though tokens run out
// in between, a push gets all that it lacks.
func TestSmallPages(t *testing.T) {
	for _, tt := range []struct {
		host, sim string
		api       rules.API
	}{
		{rules.BitbucketPost, rules.BitbucketCloud, rules.API{ClientID: "id", ClientSecret: canary}},
		{rules.BitbucketCloud, rules.BitbucketCloud, rules.API{URL: "/2.0", User: "ann@example.com", Password: canary}},
		{rules.BitbucketDataCenter, rules.BitbucketDataCenter, rules.API{URL: "/rest", User: "ann", Password: canary}},
		{rules.BitbucketDataCenter, rules.BitbucketDataCenter, rules.API{URL: "/rest/api/1.0", Token: canary}},
	} {
		sim := hosttest.New(hosttest.Options{
			Host: tt.sim, PageSize: 37, Token: string(tt.api.Token), User: tt.api.User, Password: string(tt.api.Password),
			ClientID: tt.api.ClientID, ClientSecret: string(tt.api.ClientSecret),
		})
		r := sim.AddRepo("acme/shop", "main")
		root := r.Commit(nil, "root", author, hosttest.Change{Path: "README"}, hosttest.Change{Path: "old name"})
		all := named("dir/ä %03d", 200)
		old := r.Commit([]string{root}, "dropped", author, hosttest.Change{Path: "dropped"})
		now := r.Commit([]string{root}, "instead\n\nand why", author, append(changesOf(all), hosttest.Change{Path: "new name", From: "old name", Kind: hosttest.Renamed})...)
		r.SetBranch("main", root)
		r.SetBranch("feature/x", now)
		c := served(t, tt.host, tt.api, sim)
		for _, before := range []string{old, ""} {
			p := rules.Push{Repo: "acme/shop", Kind: rules.Branch, Ref: "feature/x", Event: rules.Pushed, Before: before, After: now}
			want := append([]string{"new name", "old name"}, all...)
			event := rules.Forced
			if before == "" {
				p.Event, event = rules.Created, rules.Created
			} else {
				want = append(want, "dropped")
				if tt.host == rules.BitbucketCloud {
					p.Event = rules.Forced // its webhook says so
				}
			}
			got, err := c.Complete(t.Context(), p, rules.Lacks{Files: true, Force: true, Head: true, DefaultBranch: true})
			if err != nil {
				t.Fatalf("%s: %v", tt.host, err)
			}
			if got.Event != event || got.Files.Completeness != rules.Complete || got.DefaultBranch != "main" || len(got.Commits) != 1 || got.Commits[0].Message != "instead\n\nand why" {
				t.Errorf("%s: %+v", tt.host, got)
			}
			missing := map[string]bool{}
			for _, name := range want {
				missing[name] = true
			}
			for _, name := range got.Files.Paths {
				if !missing[name] {
					t.Errorf("%s: %q should not be there", tt.host, name)
				}
				delete(missing, name)
			}
			same(t, fmt.Sprintf("%s: missing", tt.host), map[string]bool{}, missing)
			sim.ExpireTokens()
		}
	}
}
