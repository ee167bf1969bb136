package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pushgate/pushgate/gateway/host/hosttest"
)

// A simulatedHost is a simulated Bitbucket Cloud with one repository. POST /push
// pushes a commit to it: branch= names the branch, each file= a changed file.
type simulatedHost struct {
	sim    *hosttest.Server
	repo   *hosttest.Repo
	hook   string // where its webhook goes
	secret string
	asked  io.Writer // told of each request to its API

	mu sync.Mutex // for one commit, or one line, at a time
}

const (
	simulatedRepo   = "marcus/project-x"
	simulatedBranch = "master"
)

// simulatedAccess are the values that examples/bitbucket-callback takes from the
// environment, but for the address.
func simulatedAccess() map[string]string {
	return map[string]string{
		"BITBUCKET_SECRET": "simulated-secret", "BITBUCKET_CLIENT_ID": "simulated-client", "BITBUCKET_CLIENT_SECRET": "simulated-client-secret",
	}
}

func newSimulatedHost(hook string, asked io.Writer) *simulatedHost {
	access := simulatedAccess()
	h := &simulatedHost{hook: hook, secret: access["BITBUCKET_SECRET"], asked: asked, sim: hosttest.New(hosttest.Options{
		Host: "bitbucket-cloud", ClientID: access["BITBUCKET_CLIENT_ID"], ClientSecret: access["BITBUCKET_CLIENT_SECRET"],
	})}
	h.repo = h.sim.AddRepo(simulatedRepo, simulatedBranch)
	// The time makes commits of their own of each run: a ledger takes the same ones
	// again for repeats.
	first := "first, " + time.Now().Format(time.RFC3339Nano)
	h.repo.SetBranch(simulatedBranch, h.repo.Commit(nil, first, "Marcus <marcus@example.com>", hosttest.Change{Path: "README.md"}))
	return h
}

func (h *simulatedHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/push" {
		h.push(w, r)
		return
	}
	h.mu.Lock()
	fmt.Fprintf(h.asked, "asked: %s %s\n", r.Method, plain(r.URL.Path))
	h.mu.Unlock()
	h.sim.ServeHTTP(w, r)
}

// commit adds a commit to a branch, which may be new, and gives where it was and
// is.
func (h *simulatedHost) commit(branch string, files []string) (before, after string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var changes []hosttest.Change
	for _, file := range files {
		changes = append(changes, hosttest.Change{Path: file})
	}
	before = h.repo.Branch(branch)
	after = h.repo.Commit([]string{cmp.Or(before, simulatedBranch)}, "change "+strings.Join(files, ", "), "Marcus <marcus@example.com>", changes...)
	h.repo.SetBranch(branch, after)
	return before, after
}

// push makes a commit and sends its webhook, which names no file.
func (h *simulatedHost) push(w http.ResponseWriter, r *http.Request) {
	branch, files := cmp.Or(r.PostFormValue("branch"), simulatedBranch), r.PostForm["file"]
	if len(files) == 0 {
		http.Error(w, "name what changed, as in: curl -d branch=master -d file=docs/a.md ADDRESS/push", http.StatusBadRequest)
		return
	}
	before, after := h.commit(branch, files)
	header, body := h.sim.Webhook(simulatedRepo, "refs/heads/"+branch, before, after, false, h.secret)
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, h.hook, bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		http.Error(w, "pushed, but pushgate does not answer: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, "pushed %s to %s; pushgate answered %d %s\n", short(after), branch, resp.StatusCode, bytes.TrimSpace(said))
}
