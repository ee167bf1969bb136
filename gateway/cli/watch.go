package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/pushgate/pushgate/rules"
)

const (
	// settleTime must pass without an event before files are read: an editor
	// writes in several steps. settleLimit bounds the wait.
	settleTime  = 200 * time.Millisecond
	settleLimit = 2 * time.Second
	// Where much happens that does not matter (the ledger may be in a folder of
	// the rules), events are taken for noiseTime, then left to the system for
	// restTime, which merges equal ones.
	noiseTime = 5 * time.Millisecond
	restTime  = 50 * time.Millisecond
	// problemsLogged bounds what one bad file adds to the log.
	problemsLogged = 100
)

// watchOptions say what a watcher works with.
type watchOptions struct {
	Reader  *ruleReader
	InForce *reading // what is in force at the start
	// SetRules puts rules in force; Failed is told why that could not be done.
	SetRules func(context.Context, *rules.Set) error
	Failed   func(error)
	// Hangup reloads at once, also what has not changed.
	Hangup <-chan os.Signal
	// Poll is the time between two looks at files whose changes the system may
	// not tell of; 0: 10 s.
	Poll   time.Duration
	Logger *slog.Logger
}

// A watcher keeps in force what the rule files hold. It notices changes of all
// files and folders that the last load asked for, secrets too, however they
// come about: in a moment where the system tells of them, else by looking every
// Poll. What cannot be put in force is reported, and tried again when something
// changes; where not the content of the files is to blame also every Poll. The
// same failure of the same files is reported once.
type watcher struct {
	o       watchOptions
	log     *slog.Logger
	inForce *reading
	last    *reading // the last load, good or bad: it says what to watch
	failure string   // of the last load; "": it is in force
	retry   bool     // the failure may end without a change that can be seen
}

func newWatcher(o watchOptions) *watcher {
	if o.Poll == 0 {
		o.Poll = 10 * time.Second
	}
	return &watcher{o: o, log: o.Logger, inForce: o.InForce, last: o.InForce}
}

// Run watches until the context ends.
func (w *watcher) Run(ctx context.Context) {
	out := newLookout(w.o.Poll, w.log)
	defer out.close()
	poll := time.NewTicker(w.o.Poll)
	defer poll.Stop()
	settle := time.NewTimer(settleLimit)
	settle.Stop()
	events, heard := out.events, time.Time{}
	rest := time.NewTimer(restTime)
	defer rest.Stop()
	var since time.Time // the first event that waits for an answer
	written := false    // one of them was more than a change of attributes
	wait := func() {
		if since.IsZero() {
			since = time.Now()
		}
		settle.Reset(min(settleTime, time.Until(since.Add(settleLimit))))
	}
	look := func() bool {
		out.watch(w.last)
		return w.last.changed()
	}
	if look() { // since the first load
		wait()
	}
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if out.matters(e) {
				written = written || e.Op != fsnotify.Chmod
				wait()
			} else if time.Since(heard) > noiseTime {
				events = nil
				rest.Reset(restTime)
			}
			continue
		case <-rest.C:
			events, heard = out.events, time.Now()
			continue
		case err := <-out.trouble:
			w.log.Warn("changes of the rule files may have been missed; looking at them", "error", err)
			out.startOver()
			wait()
			continue
		case <-poll.C:
			if !since.IsZero() {
				continue // what settles comes first
			}
			if look() {
				wait()
				continue
			}
			if !w.retry {
				continue
			}
		case <-settle.C:
			since = time.Time{}
			if !look() && !written {
				continue
			}
		case <-w.o.Hangup:
			asked = true
		}
		since, written = time.Time{}, false
		w.reload(ctx, asked)
		if look() { // before what is new in the load was watched
			wait()
		}
	}
}

// reload reads the files and puts them in force if they give other rules, or if
// that is asked for.
func (w *watcher) reload(ctx context.Context, asked bool) {
	news := asked || w.last.changed()
	w.last = w.o.Reader.read()
	err := w.last.err
	same := err == nil && w.last.same(w.inForce)
	if same && w.failure == "" && !asked {
		return
	}
	if err == nil {
		err = w.o.SetRules(ctx, w.last.set)
	}
	switch {
	case ctx.Err() != nil: // what came of it is of no use any more
	case err != nil:
		w.failed(err, news)
	default:
		before := w.inForce.set.Len()
		w.inForce, w.failure, w.retry = w.last, "", false
		message := "rules reloaded"
		if same {
			message = "rules unchanged"
		}
		set := w.last.set
		w.log.Info(message, "rules", set.Len(), "before", before, "hash", set.Hash()[:12], "warnings", len(set.Warnings()))
		if !same {
			w.told(slog.LevelWarn, "warning about the rules", set.Warnings())
		}
	}
}

func (w *watcher) failed(err error, news bool) {
	problems, content := errors.AsType[rules.Problems](err)
	known := err.Error() == w.failure && !news
	w.failure, w.retry = err.Error(), !content || w.last.unread
	if known {
		return
	}
	w.told(slog.LevelError, "error in the rules", problems)
	log := w.log.With("hash", w.inForce.set.Hash()[:12])
	if content {
		log.Error("rules not reloaded; those in force stay", "errors", len(problems))
	} else {
		log.Error("rules not reloaded; those in force stay", "error", err)
	}
	w.o.Failed(err)
}

// told logs problems of the rules, each in a record of its own.
func (w *watcher) told(level slog.Level, message string, problems []rules.Problem) {
	for _, p := range problems[:min(len(problems), problemsLogged)] {
		what := []any{"at", p.At, "problem", p.Text}
		if p.Hint != "" {
			what = append(what, "hint", p.Hint)
		}
		w.log.Log(context.Background(), level, message, what...)
	}
}
