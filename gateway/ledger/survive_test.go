package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLookupsSurvive: whatever is asked, answered, late, lost before or cut off by a
// crash, each push is decided once, in the order of its ref.
func TestLookupsSurvive(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(7, seed))
		l, path := open(t)
		refs := []string{"main", "dev", "fix"}
		sent, want := map[string]int{}, map[string][]string{}
		decideSome := func(list []Arrival, err error, lacking ...string) {
			for i := range list {
				decided(&list[i], build("job"))
				for k, p := range list[i].Pushes {
					if !list[i].Asked() && slices.Contains(lacking, p.Ref) {
						list[i].Decided[k].Lacks = lacksFiles
					}
					list[i].Decided[k].OnGap = lacksFiles
				}
			}
			if err == nil {
				_, err = l.Decide(t.Context(), list)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		waiting := func(lacking ...string) {
			list, err := l.Waiting(t.Context(), 1+r.IntN(5))
			decideSome(list, err, lacking...)
		}
		told := func() {
			list, err := l.Found(t.Context(), 1+r.IntN(5))
			decideSome(list, err)
		}
		var open []Lookup // answers on their way
		step := func() {
			switch r.IntN(8) {
			case 0, 1:
				ref := refs[r.IntN(len(refs))]
				if sent[ref]++; r.IntN(4) == 0 {
					sent[ref]++ // a webhook is lost
				}
				want[ref] = append(want[ref], fmt.Sprintf("%s%037d", ref, sent[ref]))
				receive(t, l, fmt.Sprint(ref, sent[ref]), pushOf("acme/shop", ref, fmt.Sprintf("%s%037d", ref, sent[ref]-1), fmt.Sprintf("%s%037d", ref, sent[ref])))
			case 2:
				waiting(refs[:r.IntN(4)]...)
			case 3:
				open = append(open, claimLookups(t, l, 1+r.IntN(3))...)
			case 4, 5:
				if len(open) > 0 {
					i := r.IntN(len(open))
					f := Found{Push: open[i].Push, Ready: r.IntN(3) > 0}
					if !f.Ready {
						f.Lacks, f.DueAt, f.Reason = lacksFiles, time.Now(), "503"
					}
					if err := l.FinishLookup(t.Context(), &open[i], f); err != nil && !errors.Is(err, ErrStale) {
						t.Fatal(err)
					}
					if r.IntN(3) > 0 { // else it comes twice
						open = slices.Delete(open, i, i+1)
					}
				}
			case 6:
				told()
			case 7:
				switch r.IntN(3) {
				case 0: // a crash: nobody waits for answers any more, but for the lost ones' sake they are kept
					l.Close()
					l = openAt(t, path)
					if _, err := l.Recover(t.Context(), true); err != nil {
						t.Fatal(err)
					}
				case 1: // the time of some is over
					if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE lookups SET until = 0 WHERE n % 2 = ?`, r.IntN(2)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for range 150 {
			step()
		}
		for {
			deliveries, _, err := l.Unfinished(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if deliveries == 0 {
				break
			}
			if _, err := l.write.conn.ExecContext(t.Context(), `UPDATE lookups SET until = 0`); err != nil {
				t.Fatal(err)
			}
			waiting()
			told()
		}
		for _, ref := range refs {
			rows, err := l.read.QueryContext(t.Context(), `SELECT p.after FROM pushes p JOIN refs r ON r.n = p.ref WHERE r.name = ? AND p.state = 'decided' ORDER BY p.n`, ref)
			got, err := scanAll(rows, err, func(rows *sql.Rows, s *string) error { return rows.Scan(s) })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[ref], got); diff != "" {
				t.Fatalf("seed %d, %s (-want +got):\n%s", seed, ref, diff)
			}
		}
		l.Close()
	}
}
