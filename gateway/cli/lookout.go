package cli

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A lookout has the system tell of what happens in the places that matter to a
// load of the rules. It promises nothing: events get lost, some file systems
// have none, and a folder may be moved away with all above it.
type lookout struct {
	log     *slog.Logger
	every   time.Duration     // how late what it misses is noticed
	notify  *fsnotify.Watcher // nil: it cannot be had
	events  <-chan fsnotify.Event
	trouble chan error // events may have been missed
	taking  sync.WaitGroup

	places  map[string]*place
	watched map[string]os.FileInfo // the folders watched, as they were
	blind   map[string]bool        // those that cannot be watched; said once
}

func newLookout(every time.Duration, log *slog.Logger) *lookout {
	l := &lookout{log: log, every: every, trouble: make(chan error, 1), watched: map[string]os.FileInfo{}, blind: map[string]bool{}}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changes of the rule files are noticed late; SIGHUP is prompt", "every", every, "error", err)
		return l
	}
	l.notify, l.events = notify, notify.Events
	// Errors are taken at all times: one that waits can hold up Add and Remove.
	l.taking.Go(func() {
		for err := range notify.Errors {
			select {
			case l.trouble <- err:
			default:
			}
		}
	})
	return l
}

func (l *lookout) close() {
	if l.notify != nil {
		_ = l.notify.Close() // nothing is lost with it
	}
	l.taking.Wait()
}

// watch turns to the places that matter to a load.
func (l *lookout) watch(r *reading) {
	l.places = r.places()
	if l.notify == nil {
		return
	}
	now := map[string]os.FileInfo{}
	for path := range l.places {
		if info, err := os.Stat(path); err == nil {
			now[path] = info // as it was before it is watched
		}
	}
	// First away with what is not what it was: the system knows a folder by its
	// inode, which may be at another path now.
	for path, was := range l.watched {
		if now[path] == nil || !os.SameFile(was, now[path]) {
			l.leave(path)
		}
	}
	for path, info := range now {
		if l.watched[path] != nil {
			continue
		}
		if err := l.notify.Add(path); err == nil {
			l.watched[path] = info
			delete(l.blind, path)
		} else if !errors.Is(err, os.ErrNotExist) && !l.blind[path] {
			l.blind[path] = true
			l.log.Warn("changes in a folder of the rules are noticed late; SIGHUP is prompt", "folder", path, "every", l.every, "error", err)
		}
	}
}

func (l *lookout) leave(path string) {
	_ = l.notify.Remove(path) // it may have gone by itself
	delete(l.watched, path)
}

// startOver makes the next watch watch everything anew.
func (l *lookout) startOver() {
	for path := range l.watched {
		l.leave(path)
	}
}

// matters says whether an event can change what the load gives.
func (l *lookout) matters(e fsnotify.Event) bool {
	// Some systems report what happens in a folder as a write of it, too.
	if l.places[e.Name] != nil && !e.Has(fsnotify.Write) {
		delete(l.watched, e.Name) // when it moves or goes, the watch ends
		return true
	}
	p, name := l.places[filepath.Dir(e.Name)], filepath.Base(e.Name)
	switch {
	case p == nil:
		return false
	case p.names[name], p.rules && isYAML(name):
		return true
	case p.listed && e.Has(fsnotify.Create):
		info, err := os.Stat(e.Name)
		return err == nil && info.IsDir()
	}
	return false
}
