package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// TestCannotCommit: whatever keeps the ledger from committing, nothing is
// acknowledged, the error says what to do, reading goes on, and the ledger
// recovers by itself.
func TestCannotCommit(t *testing.T) {
	pragma := func(t *testing.T, l *Ledger, text string) {
		t.Helper()
		if _, err := l.write.conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	for name, fault := range map[string]struct {
		want  string
		cause func(t *testing.T, l *Ledger, path string) (heal func())
	}{
		"full disk": {"the disk is full", func(t *testing.T, l *Ledger, _ string) func() {
			pragma(t, l, "PRAGMA max_page_count = 1")
			return func() { pragma(t, l, "PRAGMA max_page_count = 1000000") }
		}},
		"read-only": {"read-only", func(t *testing.T, l *Ledger, _ string) func() {
			pragma(t, l, "PRAGMA query_only = 1")
			return func() { pragma(t, l, "PRAGMA query_only = 0") }
		}},
		"locked by another program": {"another program holds the file", func(t *testing.T, l *Ledger, path string) func() {
			pragma(t, l, "PRAGMA busy_timeout = 10")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			return func() { db.Close() }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, path := open(t)
			receive(t, l, "before", push("a", "b"))
			heal := fault.cause(t, l, path)
			for i := range 3 {
				_, err := l.Receive(t.Context(), Delivery{Source: "s", Key: fmt.Sprint(i), ReceivedAt: time.Now()}, make([]byte, 100_000), []rules.Push{push("b", "c")})
				if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), fault.want) {
					t.Errorf("%v", err)
				}
			}
			if err := l.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("ready: %v", err)
			}
			if list, err := l.Deliveries(t.Context(), Filter{}); err != nil || len(list) != 1 {
				t.Errorf("reading: %d deliveries, %v", len(list), err)
			}
			heal()
			receive(t, l, "after", push("b", "c"))
			if err := l.Ready(t.Context()); err != nil {
				t.Errorf("it does not recover: %v", err)
			}
			if list, err := l.Deliveries(t.Context(), Filter{}); err != nil || len(list) != 2 {
				t.Errorf("after: %d deliveries, %v", len(list), err)
			}
		})
	}
}
