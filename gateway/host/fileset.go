package host

import (
	"slices"

	"github.com/pushgate/pushgate/rules"
)

// A FileSet gathers the names of files, each once, in the order they come, and
// within a bound. The zero value is empty.
type FileSet struct {
	seen  map[string]bool
	paths []string
	bytes int
	open  bool // there may be more
}

// Add takes names; those beyond the bound leave the set open.
func (f *FileSet) Add(paths ...string) {
	for _, p := range paths {
		if p == "" || f.seen[p] {
			continue
		}
		if f.bytes += len(p) + 64; f.bytes > maxFileBytes {
			f.open = true
			return
		}
		if f.seen == nil {
			f.seen = map[string]bool{}
		}
		f.seen[p] = true
		f.paths = append(f.paths, p)
	}
}

// Full says that a name was left out already: reading on brings nothing.
func (f *FileSet) Full() bool { return f.open }

// Files gives them as complete, or as partial where some are known and unknown
// where none is.
func (f *FileSet) Files(complete bool) rules.Files {
	out := rules.Files{Completeness: rules.Complete, Paths: slices.Clip(f.paths)}
	switch {
	case complete && !f.open:
	case len(f.paths) == 0:
		out.Completeness = rules.Unknown
	default:
		out.Completeness = rules.Partial
	}
	if out.Paths == nil {
		out.Paths = []string{}
	}
	return out
}
