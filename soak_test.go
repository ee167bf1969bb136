package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

const soakRules = `
sources:
  hook: {host: bitbucket-post, token: secret}
  cloud: {host: bitbucket-cloud, secret: hook-secret, api: {url: "${CLOUD_URL}", token: api-token}}
servers: {ci: {jenkins: "${JENKINS_URL}"}, bamboo: {bamboo: "${BAMBOO_URL}", token: t}}
rules:
- {name: job, repos: acme/shop, start: {server: ci, job: job, parameters: {COMMIT: "{{.Commit}}"}}}
- {name: cloud, repos: acme/cloud, paths: ["plan/**"], start: {server: ci, job: job, parameters: {COMMIT: "{{.Commit}}"}}}
- {name: plan, repos: acme/shop, paths: ["plan/**"], start: {server: bamboo, plan: SHOP-API, branch: none, variables: {commit: "{{.Commit}}"}}}
`

// A soak runs the real program against simulated servers and kills it.
type soak struct {
	t       *testing.T
	program string
	dir     string
	env     []string
	jenkins *jenkinstest.Controller
	bamboo  *bambootest.Server
	cloud   *soakHost
	base    string // address of the running program

	mu      sync.Mutex
	next    int
	acked   map[string]int // delivery id → number of the push, negative for those of the code host
	refused int
}

// TestKillLoop kills the program with SIGKILL at random moments under load and
// starts it again, ROUNDS times (PUSHGATE_SOAK_ROUNDS; make soak sets it). Every
// acknowledged delivery must end decided, every build it called for must start,
// and none may stand twice in the ledger. Where the answer to a start was lost with
// the process, the server is asked for the build; what runs twice all the same must
// be marked uncertain, which it is where the job has had more builds since than the
// server is asked for.
func TestKillLoop(t *testing.T) {
	rounds := 12
	if v := os.Getenv("PUSHGATE_SOAK_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 {
			t.Fatalf("PUSHGATE_SOAK_ROUNDS=%q is no number of rounds", v)
		}
	}
	s := newSoak(t)
	for range rounds {
		s.round()
	}
	s.finish(rounds)
}

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, dir: t.TempDir(), acked: map[string]int{},
		jenkins: jenkinstest.New(jenkinstest.Options{Anonymous: true, Executors: 1000}),
		bamboo:  bambootest.New(bambootest.Options{}),
	}
	s.jenkins.AddJob("job", jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "COMMIT"}, {Name: "PUSHGATE_BUILD"}}})
	s.bamboo.AddPlan("SHOP-API", bambootest.Plan{})
	j, b := httptest.NewServer(s.jenkins), httptest.NewServer(s.bamboo)
	s.cloud = newSoakHost()
	c := httptest.NewServer(s.cloud.sim)
	t.Cleanup(func() { j.Close(); b.Close(); c.Close() })
	s.program = filepath.Join(s.dir, "pushgate")
	if out, err := exec.Command("go", "build", "-o", s.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "rules.yaml"), []byte(soakRules), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "JENKINS_URL="+j.URL, "BAMBOO_URL="+b.URL, "CLOUD_URL="+c.URL)
	return s
}

// start runs the program on a free port and waits until it is ready.
func (s *soak) start() *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(s.program, "serve", "--listen", "127.0.0.1:0", "--rules", filepath.Join(s.dir, "rules.yaml"), "--database", "sqlite:"+filepath.Join(s.dir, "ledger.db"))
	cmd.Env = s.env
	log := &lineWatch{found: make(chan string, 1), prefix: " listen="}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	select {
	case address := <-log.found:
		s.base = "http://" + address
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s.t.Fatalf("the program does not start:\n%s", log.text())
	}
	return cmd
}

// A lineWatch keeps the end of what a program says, and finds one value in it.
type lineWatch struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	prefix string
	found  chan string
	done   bool
}

func (w *lineWatch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len() > 1<<20 {
		w.buf.Reset()
	}
	w.buf.Write(p)
	if _, rest, ok := strings.Cut(w.buf.String(), w.prefix); ok && !w.done {
		if value, _, ok := strings.Cut(rest, " "); ok {
			w.done = true
			w.found <- value
		}
	}
	return len(p), nil
}

func (w *lineWatch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// round runs the program under load and kills it after a random while.
func (s *soak) round() {
	cmd := s.start()
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				s.send(ctx, client)
			}
		})
	}
	kill := time.NewTimer(20*time.Millisecond + rand.N(300*time.Millisecond))
	<-kill.C
	if err := cmd.Process.Kill(); err != nil {
		s.t.Error(err)
	}
	_ = cmd.Wait()
	stop()
	wg.Wait()
}

// send pushes once and remembers what was acknowledged.
func (s *soak) send(ctx context.Context, client *http.Client) {
	s.mu.Lock()
	s.next++
	n := s.next
	s.mu.Unlock()
	if n%4 == 3 {
		header, body := s.cloud.push(n)
		s.post(ctx, client, "/hooks/cloud", header, body, -n)
		return
	}
	file := "docs/x"
	if n%2 == 0 {
		file = "plan/x"
	}
	text := fmt.Sprintf(`{"repository":{"absolute_url":"/acme/shop/"},"commits":[{"node":"%012x","raw_node":"%040x","parents":["%012x"],"branch":"b%d","files":[{"file":%q,"type":"modified"}]}]}`,
		n, n, max(0, n-20), n%20, file)
	s.post(ctx, client, "/hooks/hook?token=secret", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(url.Values{"payload": {text}}.Encode()), n)
}

// post sends a body and remembers the number of its push where it is
// acknowledged.
func (s *soak) post(ctx context.Context, client *http.Client, path string, header http.Header, body []byte, n int) {
	req, err := http.NewRequestWithContext(ctx, "POST", s.base+path, bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return // killed: not acknowledged
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	var got struct {
		Delivery string `json:"delivery"`
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal(answer, &got) != nil {
		s.refused++
		return
	}
	s.acked[got.Delivery] = n
}

// finish lets the program end its work and compares what was acknowledged with
// the ledger and the servers.
func (s *soak) finish(rounds int) {
	cmd := s.start()
	l, err := ledger.Open(s.t.Context(), ledger.Options{Database: "sqlite:" + filepath.Join(s.dir, "ledger.db"), ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Minute); ; <-tick.C {
		deliveries, builds, err := l.Unfinished(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		at, err := l.NextStatus(s.t.Context(), "cloud")
		if err != nil {
			s.t.Fatal(err)
		}
		if deliveries+builds == 0 && at.IsZero() {
			break
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d deliveries and %d builds are still unfinished", deliveries, builds)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("the program's end: %v", err)
	}
	ran := map[string]int{} // build id → times it ran on a server
	for _, b := range s.jenkins.Started() {
		ran[b.Parameters["PUSHGATE_BUILD"]]++
	}
	for _, b := range s.bamboo.Started() {
		ran[b.Variables["PUSHGATE_BUILD"]]++
	}
	lost, builds, started, adopted, absent, uncertain, doubles, asked := 0, 0, 0, 0, 0, 0, 0, 0
	for id, n := range s.acked {
		d, err := l.Delivery(s.t.Context(), id)
		if err != nil {
			lost++
			s.t.Errorf("acknowledged and lost: %v", err)
			continue
		}
		list, err := l.Builds(s.t.Context(), &d)
		if err != nil {
			s.t.Fatal(err)
		}
		want := 1 + (n+1)%2
		if n < 0 {
			want = s.cloud.check(s.t, l, &d, -n)
			asked++
		}
		if len(list) != want {
			s.t.Errorf("push %d called for %d builds, the ledger has %d", n, want, len(list))
		}
		for _, b := range list {
			builds++
			if ran[b.ID] > 0 {
				started++
			}
			if b.State != ledger.Succeeded || ran[b.ID] < 1 {
				s.t.Errorf("build %s of push %d: %s, ran %d times (%s)", b.ID, n, b.State, ran[b.ID], b.Reason)
			}
			if b.Uncertain {
				uncertain++
			}
			if ran[b.ID] > 1 {
				doubles++
				if !b.Uncertain {
					s.t.Errorf("build %s ran %d times and is not marked uncertain", b.ID, ran[b.ID])
				}
			}
			tries, err := l.Attempts(s.t.Context(), &b)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, a := range tries {
				switch a.Outcome {
				case "found":
					adopted++
				case "absent":
					absent++
				}
			}
		}
	}
	s.t.Logf("%d kills: %d sent, %d acknowledged, %d of them lost; %d builds in the ledger for them, %d started; of the starts whose answer died with the process %d had reached their server, %d had not, %d could not be known, and %d builds ran twice; %d answers other than 202; the code host was asked about %d pushes with every thirtieth request refused, and told of %d commits; %d webhooks of its lost in kills, what they asked for built with later pushes",
		rounds, s.next, len(s.acked), lost, builds, started, adopted, absent, uncertain, doubles, s.refused, asked, s.cloud.told, s.cloud.lost(s.t, l))
	if len(s.acked) < 10*rounds {
		s.t.Errorf("only %d deliveries acknowledged in %d rounds: no load", len(s.acked), rounds)
	}
	if s.refused > 0 {
		s.t.Errorf("%d deliveries were refused", s.refused)
	}
}
