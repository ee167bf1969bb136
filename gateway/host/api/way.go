package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/pushgate/pushgate/gateway/host"
)

// A comparison in one answer ends at some number of files. What is beyond is
// found along a way: the commits from the newer one over first parents down to
// the older. Two ends of a way differ at most in what its steps change, so a
// difference too large for one answer is asked for in halves of the way, down to
// single commits.

// maxQuestions bounds how many comparisons one way may take.
const maxQuestions = 500

// parents are the first parents of commits; "" where there is none.
type parents map[string]string

// way gives the commits from the newest over first parents to the first that is
// not among them, the oldest first; that one is "" beyond a root.
func (p parents) way(newest string) []string {
	way := []string{newest}
	for at := newest; len(way) <= len(p)+1; {
		next, ok := p[at]
		if !ok {
			break
		}
		way = append(way, next)
		at = next
	}
	slices.Reverse(way)
	return way
}

// A walker compares along ways.
type walker struct {
	// between adds what an ancestor and a commit differ in; whole is false where
	// the answer was cut.
	between func(ctx context.Context, from, to string, files *host.FileSet) (whole bool, err error)
	// alone adds what one commit changes against its first parent, where between
	// was cut; why is not empty where that is, too.
	alone func(ctx context.Context, commit string, files *host.FileSet) (why string, err error)
	asked int
}

// walk adds what the ends of a way differ in, the comparison of which was cut.
// Where the way does not end at the base, since that came in by a merge's other
// side, what lies between is asked for, too.
func (w *walker) walk(ctx context.Context, way []string, base string, files *host.FileSet) (why string, err error) {
	if way[0] == base {
		return w.split(ctx, way, files)
	}
	if len(way) < 2 || way[0] == "" || base == "" {
		return "the host lists no way of commits from one to the other", nil
	}
	whole, err := w.between(ctx, way[0], way[len(way)-1], files)
	if err == nil && !whole {
		why, err = w.split(ctx, way, files)
	}
	if err != nil {
		return "", err
	}
	whole, err = w.between(ctx, way[0], base, files)
	if !whole && why == "" {
		why = "more files differ than the host lists, across a merge"
	}
	return why, err
}

func (w *walker) split(ctx context.Context, way []string, files *host.FileSet) (why string, err error) {
	if len(way) < 2 {
		return "the host lists no commits between them", nil
	}
	if len(way) == 2 {
		return w.alone(ctx, way[1], files)
	}
	middle := len(way) / 2
	for _, half := range [][]string{way[:middle+1], way[middle:]} {
		if files.Full() {
			return "more files differ than a push keeps", nil
		}
		if w.asked++; w.asked > maxQuestions {
			return fmt.Sprintf("the host would have to be asked more than %d times", maxQuestions), nil
		}
		whole, err := w.between(ctx, half[0], half[len(half)-1], files)
		if err != nil {
			return "", err
		}
		if whole {
			continue
		}
		cut, err := w.split(ctx, half, files)
		if err != nil {
			return "", err
		}
		if why == "" {
			why = cut
		}
	}
	return why, nil
}
