package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/pushgate/pushgate/gateway/host"
)

// TestWay: a history that turns in circles ends, and one that a host lists no
// part of is no proof.
func TestWay(t *testing.T) {
	same(t, "straight", []string{"base", "a", "b", "c"}, parents{"c": "b", "b": "a", "a": "base", "side": "base"}.way("c"))
	same(t, "to a root", []string{"", "a"}, parents{"a": ""}.way("a"))
	same(t, "unlisted", []string{"c"}, parents{}.way("c"))
	if n := len(parents{"a": "b", "b": "a"}.way("a")); n > 4 {
		t.Errorf("a circle of %d", n)
	}
	w := walker{between: func(context.Context, string, string, *host.FileSet) (bool, error) { return true, nil }}
	for _, way := range [][]string{{"c"}, {"", "c"}} {
		if why, err := w.walk(context.Background(), way, "base", &host.FileSet{}); why == "" || err != nil {
			t.Errorf("%q passes for whole: %v", way, err)
		}
	}
}

// TestWalk: halves are asked for down to single commits, up to a bound.
func TestWalk(t *testing.T) {
	for n, whole := range map[int]bool{2: true, 7: true, 200: true, 600: false} {
		way := named("c%03d", n)
		asked := 0
		w := walker{
			between: func(_ context.Context, from, to string, files *host.FileSet) (bool, error) {
				asked++
				return false, nil
			},
			alone: func(_ context.Context, commit string, files *host.FileSet) (string, error) {
				files.Add(commit)
				return "", nil
			},
		}
		var files host.FileSet
		why, err := w.walk(context.Background(), way, way[0], &files)
		got := files.Files(true).Paths
		if err != nil || whole != (why == "") || asked > maxQuestions || whole && fmt.Sprint(got) != fmt.Sprint(way[1:]) {
			t.Errorf("%d: %q, %v, asked %d times, %d files", n, why, err, asked, len(got))
		}
	}
}
