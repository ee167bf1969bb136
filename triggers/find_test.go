package triggers

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHidden(t *testing.T) {
	since := time.Unix(1000, 0)
	at := func(n int64, seconds int64, tells bool) Trace {
		return Trace{Number: n, At: time.Unix(seconds, 0), Tells: tells}
	}
	for name, tt := range map[string]struct {
		list  []Trace
		whole bool
		hides bool
		more  bool
	}{
		"nothing":                {nil, true, false, false},
		"nothing on this page":   {nil, false, true, true},
		"all tell":               {[]Trace{at(2, 1002, true), at(1, 1001, true)}, true, false, false},
		"one does not":           {[]Trace{at(2, 1002, true), at(1, 1001, false)}, true, true, false},
		"one did not, before":    {[]Trace{at(9, 1002, true), at(8, 999, false)}, false, false, false},
		"gap":                    {[]Trace{at(9, 1002, true), at(7, 999, true)}, false, true, false},
		"gap, before":            {[]Trace{at(9, 999, true), at(7, 990, true)}, false, false, false},
		"first ones deleted":     {[]Trace{at(9, 1002, true), at(8, 1001, true)}, true, true, false},
		"goes on":                {[]Trace{at(9, 1002, true), at(8, 1001, true)}, false, true, true},
		"grew between pages":     {[]Trace{at(3, 1002, true), at(2, 1001, true), at(3, 1002, false), at(2, 1001, false), at(1, 1000, true)}, true, false, false},
		"without times, to 1":    {[]Trace{{Number: 2, Tells: true}, {Number: 1, Tells: true}}, true, false, false},
		"without times, not 1":   {[]Trace{{Number: 3, Tells: true}, {Number: 2, Tells: true}}, true, true, false},
		"began just at the time": {[]Trace{at(5, 1000, false)}, false, true, false},
	} {
		why, more := Hidden(tt.list, since, tt.whole)
		if (why != "") != tt.hides || more != tt.more {
			t.Errorf("%s: %q, more %t", name, why, more)
		}
	}
}

// Whatever is deleted and wherever the list ends: Hidden never says that
// nothing hides while the build that is sought was left out of the list.
func TestHiddenNeverMissesABuild(t *testing.T) {
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 1))
		since := time.Unix(100, 0)
		count := 1 + r.IntN(12)
		sought := r.IntN(count) // the one that tells under another name, or was deleted
		var list []Trace
		now := time.Unix(100-int64(r.IntN(12)), 0)
		begun := false
		for n := range count {
			now = now.Add(time.Duration(r.IntN(3)) * time.Second)
			tells := r.IntN(8) > 0
			if n == sought {
				if now.Before(since) {
					now = since
				}
				begun = true
				if r.IntN(2) == 0 {
					continue // deleted
				}
				tells = false
			}
			if r.IntN(10) == 0 && n != sought {
				continue
			}
			list = append(list, Trace{Number: int64(n + 1), At: now, Tells: tells})
		}
		slices.Reverse(list)
		cut := r.IntN(len(list) + 1)
		whole := cut == len(list)
		if why, _ := Hidden(list[:cut], since, whole); why == "" && begun && newest(list, sought) {
			t.Fatalf("seed %d: build %d is not seen to be missing in %+v", seed, sought+1, list[:cut])
		}
	}
}

// newest: a deleted build above all that are listed cannot be noticed.
func newest(list []Trace, sought int) bool { return len(list) > 0 && list[0].Number > int64(sought) }

func TestEarliest(t *testing.T) {
	now := time.Unix(10000, 0)
	since := now.Add(-time.Minute)
	for name, tt := range map[string]struct {
		date time.Time
		want time.Duration // before now
	}{
		"same":   {now, 6 * time.Minute},
		"behind": {now.Add(-time.Hour), 66 * time.Minute},
		"ahead":  {now.Add(time.Hour), 6 * time.Minute},
		"none":   {time.Time{}, 6 * time.Minute},
	} {
		if got := now.Sub(Earliest(since, now, tt.date)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
