package cli

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// A ruleReader loads the rules of serve, as often as it is asked.
type ruleReader struct {
	folder string // of the main file, absolute
	load   func(folder fs.FS, lookup rules.Lookup) (*rules.Set, error)
	lookup rules.Lookup
}

// A reading is one load of the rules and everything it asked for, whether it
// went well or not. Its outcome depends on nothing else, so whoever watches that
// misses no change: files that an include would add are in a folder it listed,
// and what a bad file did not get to ask for cannot mend it.
type reading struct {
	set *rules.Set
	err error
	// asked is each rule file, folder and secret's file by absolute path, as it
	// was before it was read: a change during the load shows as one after it.
	asked map[string]sight
	// values are what ${NAME} and file:/path stood for, hashed.
	values map[string][sha256.Size]byte
	// unread says that a file is there, or a secret's should be, and could not be
	// read: that may pass and nothing show it.
	unread bool
}

func (s *ruleReader) read() *reading {
	r := &reading{asked: map[string]sight{}, values: map[string][sha256.Size]byte{}}
	r.set, r.err = s.load(&askedFolder{s.folder, os.DirFS(s.folder), r}, func(ref string) (string, error) {
		path, isFile := strings.CutPrefix(ref, "file:")
		if isFile {
			r.note(path, false)
		}
		v, err := s.lookup(ref)
		r.values[ref] = sha256.Sum256([]byte(v))
		r.unread = r.unread || isFile && err != nil
		return v, err
	})
	return r
}

// same says that two loads that went well gave the same rules, secrets too.
func (r *reading) same(other *reading) bool {
	return r.set.Hash() == other.set.Hash() && maps.Equal(r.values, other.values)
}

// changed says that something the load asked for is no longer as it was. It
// opens no file: a write that leaves size and time alone is for events to tell.
func (r *reading) changed() bool {
	for path, was := range r.asked {
		if !was.same(look(path)) {
			return true
		}
	}
	return false
}

func (r *reading) note(path string, isRules bool) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if _, known := r.asked[path]; !known {
		s := look(path)
		s.rules = isRules
		r.asked[path] = s
	}
}

// A sight is how a path looked at a moment, symbolic links followed.
type sight struct {
	rules bool        // it was asked for as a rule file or a folder of such
	info  fs.FileInfo // nil: there was nothing to be seen
	names []string    // in a folder: what an include may mean
}

func look(path string) sight {
	info, err := os.Stat(path)
	if err != nil {
		return sight{}
	}
	s := sight{info: info}
	if info.IsDir() {
		entries, _ := os.ReadDir(path) // what cannot be listed includes nothing
		for _, e := range entries {
			if isYAML(e.Name()) || e.IsDir() || e.Type()&fs.ModeSymlink != 0 {
				s.names = append(s.names, e.Name())
			}
		}
	}
	return s
}

func (s sight) same(now sight) bool {
	if s.info == nil || now.info == nil {
		return s.info == nil && now.info == nil
	}
	if s.info.Mode() != now.info.Mode() || !slices.Equal(s.names, now.names) {
		return false
	}
	// The times of a folder tell of files that do not matter, those of a pipe of
	// nothing.
	return !s.info.Mode().IsRegular() ||
		os.SameFile(s.info, now.info) && s.info.Size() == now.info.Size() && s.info.ModTime().Equal(now.info.ModTime())
}

func isYAML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// An askedFolder is the main file's folder as a load sees it; the reading notes
// what is asked of it.
type askedFolder struct {
	path    string
	fsys    fs.FS
	reading *reading
}

// Open implements [fs.FS].
func (f *askedFolder) Open(name string) (fs.File, error) {
	f.note(name)
	file, err := f.fsys.Open(name)
	f.reading.unread = f.reading.unread || err != nil && !errors.Is(err, fs.ErrNotExist)
	return file, err
}

// Stat implements [fs.StatFS]: opening what is no plain file may wait for ever.
func (f *askedFolder) Stat(name string) (fs.FileInfo, error) {
	f.note(name)
	return fs.Stat(f.fsys, name)
}

func (f *askedFolder) note(name string) {
	if fs.ValidPath(name) {
		f.reading.note(filepath.Join(f.path, filepath.FromSlash(name)), true)
	}
}
