package cli

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pushgate/pushgate/rules"
)

// A watchStage is a watcher over real files, with what it did.
type watchStage struct {
	t      *testing.T
	dir    string
	log    *syncBuffer
	hangup chan os.Signal

	mu       sync.Mutex
	sets     []*rules.Set // put in force, the first by the start
	tries    int          // to put one in force
	failures []error      // reported
	refusal  error        // what SetRules answers
}

// never is a Poll that leaves everything to events.
const never = time.Hour

// noLeaks holds a test to ending all it started; it comes first.
func noLeaks(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func newWatchStage(t *testing.T) *watchStage {
	return &watchStage{t: t, dir: t.TempDir(), log: &syncBuffer{}, hangup: make(chan os.Signal, 1)}
}

// watch loads a rule file and watches it until the test ends.
func (s *watchStage) watch(path string, poll time.Duration, tune ...func(*ruleReader)) {
	s.t.Helper()
	p := &program{env: func(string) (string, bool) { return "", false }}
	reader, err := p.ruleReader(filepath.Join(s.dir, path))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range tune {
		f(reader)
	}
	first := reader.read()
	if first.err != nil {
		s.t.Fatal(first.err)
	}
	s.sets = []*rules.Set{first.set}
	w := newWatcher(watchOptions{
		Reader: reader, InForce: first, Hangup: s.hangup, Poll: poll, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		SetRules: func(_ context.Context, set *rules.Set) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tries++
			if s.refusal == nil {
				s.sets = append(s.sets, set)
			}
			return s.refusal
		},
		Failed: func(err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failures = append(s.failures, err)
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	s.t.Cleanup(func() { cancel(); wg.Wait() })
}

// state gives the set in force, how many there were and how many failures.
func (s *watchStage) state() (set *rules.Set, sets, failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sets[len(s.sets)-1], len(s.sets), len(s.failures)
}

// failure is the last one reported.
func (s *watchStage) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[len(s.failures)-1]
}

func (s *watchStage) until(what string, ok func() bool) {
	s.t.Helper()
	until(s.t, what, s.log, ok)
}

// fails waits until so many failures are reported.
func (s *watchStage) fails(n int) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d failures are reported", n), func() bool { _, _, failures := s.state(); return failures >= n })
}

// until waits for something to become true, a minute at most.
func until(t *testing.T, what string, log *syncBuffer, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s\n%s", what, log)
		}
	}
}

// inForce waits until the main file with the given text decides.
func (s *watchStage) inForce(text string) {
	s.t.Helper()
	s.until("in force: "+text, func() bool {
		set, _, _ := s.state()
		return set.Files()[0].Content == text
	})
}

// write makes or replaces a file, at once.
func (s *watchStage) write(path, text string) {
	s.t.Helper()
	path = filepath.Join(s.dir, path)
	s.must(os.MkdirAll(filepath.Dir(path), 0o700))
	whole := filepath.Join(s.t.TempDir(), "x")
	s.must(os.WriteFile(whole, []byte(text), 0o600))
	s.must(os.Rename(whole, path))
}

// overwrite writes into a file that is there, as careless programs do.
func (s *watchStage) overwrite(path, text string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, path), []byte(text), 0o600))
}

func (s *watchStage) rename(from, to string) {
	s.t.Helper()
	s.must(os.Rename(filepath.Join(s.dir, from), filepath.Join(s.dir, to)))
}

// link makes or swaps a symbolic link, at once.
func (s *watchStage) link(target, path string) {
	s.t.Helper()
	s.must(os.Symlink(target, filepath.Join(s.dir, path+".new")))
	s.rename(path+".new", path)
}

func (s *watchStage) remove(path string) {
	s.t.Helper()
	s.must(os.RemoveAll(filepath.Join(s.dir, path)))
}

func (s *watchStage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// text is a rule file; every n gives one of another length.
func text(n int) string {
	return fmt.Sprintf("servers: {ci: {jenkins: 'http://ci'}}\nrules: [{name: a, start: {server: ci, job: j%s}}]\n", strings.Repeat("x", n))
}

// A syncBuffer is a log that one writes and another reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
