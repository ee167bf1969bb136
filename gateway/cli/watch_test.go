package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// TestWatchedChanges: however another text comes to stand in the rule file, it
// is put in force, and the watcher goes along for the next.
func TestWatchedChanges(t *testing.T) {
	noLeaks(t)
	type step func(s *watchStage, n int)
	for name, c := range map[string]struct {
		path string
		poll time.Duration
		// make puts the first text there, then each of the steps another.
		make  step
		steps []step
	}{
		"written": {"rules.yaml", never, func(s *watchStage, n int) { s.write("rules.yaml", text(n)) }, []step{
			func(s *watchStage, n int) { s.overwrite("rules.yaml", text(n)) },
			func(s *watchStage, n int) { s.overwrite("rules.yaml", text(n)) },
		}},
		"renamed over": {"rules.yaml", never, func(s *watchStage, n int) { s.write("rules.yaml", text(n)) }, []step{
			func(s *watchStage, n int) { s.write("rules.tmp", text(n)); s.rename("rules.tmp", "rules.yaml") },
			func(s *watchStage, n int) { s.write("rules.yaml", text(n)) },
			func(s *watchStage, n int) { s.rename("rules.yaml", "rules.yaml~"); s.write("rules.yaml", text(n)) },
		}},
		"link swapped": {"rules.yaml", never, func(s *watchStage, n int) { s.write("1/x", text(n)); s.link("1/x", "rules.yaml") }, []step{
			func(s *watchStage, n int) { s.write("2/x", text(n)); s.link("2/x", "rules.yaml") },
			func(s *watchStage, n int) { s.overwrite("2/x", text(n)) },
			func(s *watchStage, n int) { s.write("3/x", text(n)); s.link(filepath.Join(s.dir, "3/x"), "rules.yaml") },
			func(s *watchStage, n int) { s.overwrite("3/x", text(n)) },
		}},
		"configuration map": {"etc/rules.yaml", never, func(s *watchStage, n int) {
			s.write("etc/..1/rules.yaml", text(n))
			s.link("..1", "etc/..data")
			s.link("..data/rules.yaml", "etc/rules.yaml")
		}, []step{
			func(s *watchStage, n int) {
				s.write("etc/..2/rules.yaml", text(n))
				s.link("..2", "etc/..data")
				s.remove("etc/..1")
			},
			func(s *watchStage, n int) {
				s.write("etc/..3/rules.yaml", text(n))
				s.link("..3", "etc/..data")
				s.remove("etc/..2")
			},
		}},
		"linked folder swapped": {"current/rules.yaml", never, func(s *watchStage, n int) { s.write("1/rules.yaml", text(n)); s.link("1", "current") }, []step{
			func(s *watchStage, n int) { s.write("2/rules.yaml", text(n)); s.link("2", "current") },
			func(s *watchStage, n int) { s.overwrite("2/rules.yaml", text(n)) },
			func(s *watchStage, n int) { s.write("3/rules.yaml", text(n)); s.link("./2/../3", "current") },
		}},
		"linked folder above swapped": {"current/a/b/rules.yaml", never, func(s *watchStage, n int) { s.write("1/a/b/rules.yaml", text(n)); s.link("1", "current") }, []step{
			func(s *watchStage, n int) { s.write("2/a/b/rules.yaml", text(n)); s.link("2", "current") },
			func(s *watchStage, n int) { s.overwrite("2/a/b/rules.yaml", text(n)) },
		}},
		"folder moved away": {"etc/rules.yaml", never, func(s *watchStage, n int) { s.write("etc/rules.yaml", text(n)) }, []step{
			func(s *watchStage, n int) {
				s.write("new/rules.yaml", text(n))
				s.rename("etc", "old")
				s.rename("new", "etc")
			},
			func(s *watchStage, n int) { s.overwrite("etc/rules.yaml", text(n)) },
			func(s *watchStage, n int) {
				_, _, failures := s.state()
				s.rename("etc", "older")
				s.fails(failures + 1)
				s.write("etc/rules.yaml", text(n))
			},
		}},
		"folder moved away and back": {"etc/rules.yaml", never, func(s *watchStage, n int) {
			s.write("v/x", text(n))
			s.write("etc/y", "")
			s.link("../v/x", "etc/rules.yaml")
		}, []step{
			func(s *watchStage, n int) { s.rename("etc", "old"); s.rename("old", "etc"); s.write("v/x", text(n)) },
			func(s *watchStage, n int) { s.write("etc/rules.yaml", text(n)) },
		}},
		"folder above swapped, and told": {"a/b/c/rules.yaml", never, func(s *watchStage, n int) { s.write("a/b/c/rules.yaml", text(n)) }, []step{
			func(s *watchStage, n int) {
				s.write("2/b/c/rules.yaml", text(n))
				s.rename("a", "1")
				s.rename("2", "a")
				s.hangup <- syscall.SIGHUP
			},
			func(s *watchStage, n int) { s.overwrite("a/b/c/rules.yaml", text(n)) },
		}},
		// No event tells of this one.
		"folder above swapped": {"a/b/c/rules.yaml", 20 * time.Millisecond, func(s *watchStage, n int) { s.write("a/b/c/rules.yaml", text(n)) }, []step{
			func(s *watchStage, n int) {
				s.write("2/b/c/rules.yaml", text(n))
				s.rename("a", "1")
				s.rename("2", "a")
			},
			func(s *watchStage, n int) { s.overwrite("a/b/c/rules.yaml", text(n)) },
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWatchStage(t)
			c.make(s, 0)
			s.watch(c.path, c.poll)
			s.hangup <- syscall.SIGHUP
			s.until("the watch has begun", func() bool { _, sets, _ := s.state(); return sets > 1 })
			for i, step := range c.steps {
				step(s, i+1)
				s.inForce(text(i + 1))
			}
		})
	}
}

// TestChangedAtStart: what changes between the first load and the first look is
// noticed, though no event tells of it.
func TestChangedAtStart(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("rules.yaml", text(0))
	s.watch("rules.yaml", never, func(r *ruleReader) {
		load := r.load
		r.load = func(folder fs.FS, lookup rules.Lookup) (*rules.Set, error) {
			set, err := load(folder, lookup)
			r.load = load
			s.write("rules.yaml", text(1))
			return set, err
		}
	})
	s.inForce(text(1))
}

// TestSameSizeSameTime: a write that leaves size and time as they were is told
// by its event.
func TestSameSizeSameTime(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	path := filepath.Join(s.dir, "rules.yaml")
	s.write("rules.yaml", text(0))
	s.watch("rules.yaml", never)
	s.write("rules.yaml", text(1))
	s.inForce(text(1)) // so it is watched by now
	info, err := os.Stat(path)
	s.must(err)
	other := strings.Replace(text(1), "jx", "jy", 1)
	s.overwrite("rules.yaml", other)
	s.must(os.Chtimes(path, info.ModTime(), info.ModTime()))
	s.inForce(other)
}

// TestBusyFolder: a reload comes, though something is always written beside the
// rules, even where that might belong to them; what has not changed stays.
func TestBusyFolder(t *testing.T) {
	noLeaks(t)
	for _, busy := range []string{"pushgate.db-wal", "other.yaml"} {
		t.Run(busy, func(t *testing.T) {
			s := newWatchStage(t)
			s.write("rules.yaml", text(0))
			s.watch("rules.yaml", never)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			t.Cleanup(func() { cancel(); wg.Wait() })
			wg.Go(func() {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for n := 0; ctx.Err() == nil; n++ {
					if err := os.WriteFile(filepath.Join(s.dir, busy), []byte(fmt.Sprint(n)), 0o600); err != nil {
						t.Error(err)
						return
					}
					<-tick.C
				}
			})
			for n := range 2 {
				s.write("rules.yaml", text(n+1))
				s.inForce(text(n + 1))
			}
			if _, sets, failures := s.state(); sets != 3 || failures != 0 {
				t.Errorf("%d sets were put in force, %d failures", sets, failures)
			}
		})
	}
}

// TestBadFile: bad rules are reported problem by problem and do not replace good
// ones; what mends them is noticed, also where they are the old rules again.
func TestBadFile(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("rules.yaml", text(0))
	s.watch("rules.yaml", never)
	s.write("rules.yaml", "servers: {ci: {jenkins: 'ftp://ci'}}\nrulez: []\n")
	s.fails(1)
	problems, ok := errors.AsType[rules.Problems](s.failure())
	if _, sets, _ := s.state(); sets != 1 || !ok || len(problems) < 2 {
		t.Fatalf("%d sets, %v", sets, problems)
	}
	log := s.log.String()
	for _, want := range []string{"at=rules.yaml:2:1", `unknown field \"rulez\"`, `hint="did you mean \"rules\"?"`, fmt.Sprintf("errors=%d", len(problems))} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	s.write("rules.yaml", text(0))
	s.until("the old rules are in force again", func() bool { _, sets, _ := s.state(); return sets == 2 })
	s.remove("rules.yaml")
	s.fails(2)
	s.write("rules.yaml", text(2))
	s.inForce(text(2))
}

// TestRetry: a failure that no file shows is tried again and said once.
func TestRetry(t *testing.T) {
	noLeaks(t)
	s := newWatchStage(t)
	s.write("rules.yaml", text(0))
	s.refusal = errors.New("the ledger is full")
	s.watch("rules.yaml", time.Millisecond)
	s.write("rules.yaml", text(1))
	s.until("it is tried again", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.tries > 5 })
	s.mu.Lock()
	if n := strings.Count(s.log.String(), "the ledger is full"); n != 1 || len(s.failures) != 1 {
		t.Errorf("logged %d times, reported %d times", n, len(s.failures))
	}
	s.refusal = nil
	s.mu.Unlock()
	s.inForce(text(1))
}
