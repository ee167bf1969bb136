package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

// A soakHost is a simulated Bitbucket Cloud that refuses every thirtieth request. Its
// webhooks name no files.
type soakHost struct {
	sim  *hosttest.Server
	repo *hosttest.Repo

	mu      sync.Mutex
	heads   map[string]string // branch → commit
	commits map[int]string    // number of a push → its commit
	told    int               // commits of which it was told, after check
}

func newSoakHost() *soakHost {
	h := &soakHost{heads: map[string]string{}, commits: map[int]string{},
		sim: hosttest.New(hosttest.Options{Host: "bitbucket-cloud", Token: "api-token"})}
	h.sim.Break(hosttest.Fault{Match: func(*http.Request) bool { return rand.IntN(30) == 0 }, Status: http.StatusServiceUnavailable})
	h.repo = h.sim.AddRepo("acme/cloud", "main")
	base := h.repo.Commit(nil, "first", "Ann <ann@example.com>", hosttest.Change{Path: "README"})
	for i := range 5 {
		h.heads[fmt.Sprint("b", i)] = base
	}
	return h
}

// push makes a commit on a branch and gives its webhook. An even half of the
// numbers change a file that a rule asks for.
func (h *soakHost) push(n int) (http.Header, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	branch := fmt.Sprint("b", n%5)
	before := h.heads[branch]
	after := h.repo.Commit([]string{before}, fmt.Sprint("push ", n), "Ann <ann@example.com>", hosttest.Change{Path: h.file(n)})
	h.repo.SetBranch(branch, after)
	h.heads[branch], h.commits[n] = after, after
	return h.sim.Webhook("acme/cloud", "refs/heads/"+branch, before, after, false, "hook-secret")
}

func (h *soakHost) file(n int) string {
	if n%8 == 3 {
		return fmt.Sprint("plan/", n)
	}
	return fmt.Sprint("docs/", n)
}

// number is that of the push that changed a file.
func number(file string) int {
	_, digits, _ := strings.Cut(file, "/")
	n, _ := strconv.Atoi(digits)
	return n
}

// check holds a push to what the host had to tell and be told, and gives how many
// builds it calls for. Besides its own file it has those of pushes of its branch
// whose webhooks were lost in a kill, or came after it.
func (h *soakHost) check(t *testing.T, l *ledger.Ledger, d *ledger.Delivery, n int) (builds int) {
	t.Helper()
	pushes, err := l.Pushes(t.Context(), d)
	if err != nil || len(pushes) != 1 {
		t.Errorf("push %d: %d pushes, %v", n, len(pushes), err)
		return builds
	}
	f := pushes[0].Push.Files
	if f.Completeness != rules.Complete || !slices.Contains(f.Paths, h.file(n)) {
		t.Errorf("push %d: files %+v, want %s", n, f, h.file(n))
	}
	for _, file := range f.Paths {
		if of := number(file); of > n || (n-of)%5 != 0 {
			t.Errorf("push %d has the file of push %d", n, of)
		}
		if strings.HasPrefix(file, "plan/") {
			builds = 1
		}
	}
	list := h.sim.Statuses("acme/cloud", h.commits[n])
	if builds == 0 {
		return builds
	}
	h.told++
	if len(list) == 0 || list[len(list)-1].State != "SUCCESSFUL" {
		t.Errorf("push %d: its commit was told %+v", n, list)
	}
	for i := 1; i < len(list); i++ {
		if list[i].State != "SUCCESSFUL" && list[i-1].State == "SUCCESSFUL" {
			t.Errorf("push %d: told %s after %s", n, list[i].State, list[i-1].State)
		}
	}
	return builds
}

// lost counts pushes whose webhooks never came, between the first and the last one
// of their branch that did. What a rule asks for in them must have been built with
// a later push: for its own sake, or since the host was asked what is new since
// the head that was known.
func (h *soakHost) lost(t *testing.T, l *ledger.Ledger) (lost int) {
	t.Helper()
	list, err := l.Deliveries(t.Context(), ledger.Filter{Repo: "acme/cloud", Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{}
	for n, commit := range h.commits {
		numbers[commit] = n
	}
	came := map[int]bool{} // by number: whether it called for a build
	first, last := map[int]int{}, map[int]int{}
	for i := range list {
		pushes, err := l.Pushes(t.Context(), &list[i])
		if err != nil || len(pushes) != 1 {
			t.Fatal(len(pushes), err)
		}
		n := numbers[pushes[0].Push.After]
		came[n] = len(pushes[0].Matched) > 0
		if b := n % 5; first[b] == 0 || n < first[b] {
			first[b] = n
		}
		last[n%5] = max(last[n%5], n)
	}
	for n := range h.commits {
		if _, is := came[n]; is || n < first[n%5] || n > last[n%5] {
			continue
		}
		lost++
		// The next push that came is asked about it; the one after that, where two
		// came at once in the wrong order.
		built, next := false, 0
		for m := n + 1; m <= last[n%5] && next < 2; m++ {
			if builds, is := came[m]; is && m%5 == n%5 {
				next++
				built = built || builds
			}
		}
		if strings.HasPrefix(h.file(n), "plan/") && !built {
			t.Errorf("push %d: its webhook was lost, and nothing was built after it", n)
		}
	}
	return lost
}
