package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A place is a folder in which something can happen that changes what a load of
// the rules gives.
type place struct {
	names map[string]bool // the entries that matter
	// rules: a rule file is here, so that any YAML file matters; listed: an
	// include looked for its files here, so that any folder matters as well.
	rules, listed bool
}

// places finds, for all that a load asked for, the folders to watch, by absolute
// path without symbolic links. Whatever else goes on in these folders (the
// ledger may be in one) does not matter.
func (r *reading) places() map[string]*place {
	out := map[string]*place{}
	at := func(folder string) *place {
		if out[folder] == nil {
			out[folder] = &place{names: map[string]bool{}}
		}
		return out[folder]
	}
	visit := func(folder, name string) { at(folder).names[name] = true }
	for path, s := range r.asked {
		end := walk(path, visit)
		switch {
		case !s.rules:
		case s.info != nil && s.info.IsDir():
			if end != "" {
				at(end).rules, at(end).listed = true, true
			}
		default:
			if folder := walk(filepath.Dir(path), visit); folder != "" {
				at(folder).rules = true
			}
		}
	}
	return out
}

// maxLinks is more than systems follow.
const maxLinks = 50

// walk goes an absolute path as the system does and visits each entry that can
// lead it elsewhere: the symbolic links on the way, what is not there, and the
// file at the end. It gives the path of the folder or file at the end without
// links, "" where there is none. That a folder on the way is moved is told to
// those who watch it, or by its parent's entry once it is gone.
func walk(path string, visit func(folder, name string)) string {
	here, rest := split(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			here = filepath.Dir(here)
			continue
		}
		full := filepath.Join(here, name)
		info, err := os.Lstat(full)
		switch {
		case err == nil && info.Mode()&fs.ModeSymlink != 0:
			visit(here, name)
			target, err := os.Readlink(full)
			if links++; err != nil || links > maxLinks {
				return ""
			}
			root, steps := split(target)
			if root != "" {
				here = root
			}
			rest = slices.Concat(steps, rest)
		case err == nil && info.IsDir():
			here = full
		default:
			visit(here, name)
			if err != nil || len(rest) > 0 {
				return ""
			}
			return full
		}
	}
	return here
}

// split gives a path's root, "" where it is relative, and its steps.
func split(path string) (root string, steps []string) {
	volume := filepath.VolumeName(path)
	if filepath.IsAbs(path) {
		root = volume + string(filepath.Separator)
	}
	steps = strings.FieldsFunc(path[len(volume):], func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
	return root, slices.DeleteFunc(steps, func(s string) bool { return s == "." })
}
