package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// ErrStale says that a lease had ended: another holder works on the build, or
// finished it. Nothing was changed.
var ErrStale = errors.New("the lease has ended")

// Recover makes builds due again whose start was under way when their lease
// ended; whether they reached the server is not known, and they say so. With
// all set, leases of any age end: for the start of the only process that
// serves the ledger. It returns how many there were.
func (l *Ledger) Recover(ctx context.Context, all bool) (int, error) {
	var n int64
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		now := micros(time.Now())
		until := now
		if all {
			until = 1 << 62
		}
		res, err := t.exec(ctx, `UPDATE builds SET state = 'due', uncertain = 1, due_at = ?, holder = NULL, lease_end = NULL,
			reason = 'its start was interrupted; the server may have taken it' WHERE state = 'starting' AND holder IS NOT NULL AND lease_end <= ?`, now, until)
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil {
			return err
		}
		for _, query := range []string{
			`UPDATE builds SET due_at = ?, holder = NULL, lease_end = NULL WHERE holder IS NOT NULL AND state IN ('queued', 'running') AND lease_end <= ?`,
			`UPDATE lookups SET due_at = ?, holder = NULL, lease_end = NULL WHERE holder IS NOT NULL AND lease_end <= ?`,
			`UPDATE statuses SET due_at = ?, holder = NULL, lease_end = NULL WHERE holder IS NOT NULL AND lease_end <= ?`,
		} {
			if _, err := t.exec(ctx, query, now, until); err != nil {
				return err
			}
		}
		return t.endLooks(ctx, now)
	})
	if err != nil {
		return 0, fmt.Errorf("recover leases: %w", err)
	}
	return int(n), nil
}

// ClaimStarts leases due builds of a server, those due longest first, and marks
// them starting, as long as no more than most of its builds are starting, queued
// or running; 0: any number. Of the builds of one ref and target only the oldest
// that is not started can be claimed.
func (l *Ledger) ClaimStarts(ctx context.Context, server string, limit, most int, lease time.Duration) ([]Build, error) {
	return l.claim(ctx, firstOfOrder+` AND b.due_at <= ?1`,
		`state = 'starting', attempts = attempts + 1, due_at = NULL, asked_at = coalesce(asked_at, ?5)`, server, limit, most, lease)
}

// ClaimFollows leases started builds of a server that are due for a look. The
// lease shows in no state; its end makes them due again.
func (l *Ledger) ClaimFollows(ctx context.Context, server string, limit int, lease time.Duration) ([]Build, error) {
	return l.claim(ctx, `b.state IN ('queued', 'running') AND b.due_at <= ?1`, `due_at = ?4, asked_at = coalesce(asked_at, ?5)`, server, limit, 0, lease)
}

// firstOfOrder holds for due builds that no older one of their ref and target
// holds back.
const firstOfOrder = `b.state = 'due' AND NOT EXISTS (SELECT 1 FROM builds o
	WHERE o.ref = b.ref AND o.server = b.server AND o.target = b.target AND o.n < b.n AND o.state IN ('due', 'starting'))`

func (l *Ledger) claim(ctx context.Context, where, set, server string, limit, most int, lease time.Duration) ([]Build, error) {
	var claimed []Build
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		now := time.Now()
		claimed = nil
		free := limit
		if most > 0 {
			taken := 0
			if err := t.row(ctx, `SELECT count(*) FROM builds WHERE server = ? AND state IN ('starting', 'queued', 'running')`, []any{server}, &taken); err != nil {
				return err
			}
			if free = min(limit, most-taken); free <= 0 {
				return nil
			}
		}
		stmt, err := t.stmt(ctx, buildColumns+` WHERE `+where+` AND b.server = ?2 ORDER BY b.due_at, b.n LIMIT ?3`)
		if err != nil {
			return err
		}
		if claimed, err = scanBuilds(stmt.QueryContext(ctx, micros(now), server, free)); err != nil {
			return err
		}
		for i := range claimed {
			b := &claimed[i]
			if _, err := t.exec(ctx, `UPDATE builds SET `+set+`, holder = ?1, lease = lease + 1, lease_end = ?4 WHERE n = ?3 AND lease = ?2`,
				l.node, b.Lease, b.N, micros(now.Add(lease)), micros(now)); err != nil {
				return err
			}
			b.Lease++
			if b.State == Due {
				b.State = Starting
				b.Attempts++
				if b.AskedAt.IsZero() {
					b.AskedAt = fromMicros(nullInt{Int64: micros(now), Valid: true})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim builds of server %s: %w", server, err)
	}
	return claimed, nil
}

// A Change is what working on a claimed build came to. It replaces the stored
// values of all its fields.
type Change struct {
	State     State
	Reason    string
	Uncertain bool
	Merged    bool
	Handle    string
	URL       string
	Notes     []string
	Failures  int
	AbsentAt  time.Time
	DueAt     time.Time // when to work on it next; zero: never
	StartedAt time.Time
	EndedAt   time.Time
	// Attempt is the start that was tried, nil for a look.
	Attempt *Attempt
}

// Finish commits the change and ends the lease that b was claimed under. It
// returns [ErrStale] where that lease has ended already.
func (l *Ledger) Finish(ctx context.Context, b *Build, c Change) error {
	notes, err := json.Marshal(c.Notes)
	if err != nil {
		return fmt.Errorf("finish build %s: %w", b.ID, err)
	}
	err = l.write.do(ctx, 1024, func(ctx context.Context, t *txn) error {
		res, err := t.exec(ctx, `UPDATE builds SET state = ?, reason = ?, uncertain = ?, merged = ?, handle = ?, url = ?, notes = ?, failures = ?,
			absent_at = ?, due_at = ?, started_at = ?, ended_at = ?, holder = NULL, lease_end = NULL WHERE n = ? AND holder = ? AND lease = ?`,
			string(c.State), c.Reason, c.Uncertain, c.Merged, c.Handle, c.URL, string(notes), c.Failures,
			nullMicros(c.AbsentAt), nullMicros(c.DueAt), nullMicros(c.StartedAt), nullMicros(c.EndedAt), b.N, l.node, b.Lease)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrStale)
		}
		if c.State != b.State {
			if err := t.moveStatuses(ctx, b.N, c.State); err != nil {
				return err
			}
		}
		if a := c.Attempt; a != nil {
			_, err = t.exec(ctx, `INSERT INTO attempts (build, number, at, took, outcome, detail) VALUES (?, ?, ?, ?, ?, ?)`,
				b.N, b.Attempts, micros(a.At), a.Took.Microseconds(), a.Outcome, a.Detail)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("finish build %s: %w", b.ID, err)
	}
	return nil
}

// NextStart is when the next build of a server that can be started will be due
// (those that wait for an older one aside), NextFollow when the next started one will be due for a look; zero
// where there is none.
func (l *Ledger) NextStart(ctx context.Context, server string) (time.Time, error) {
	return l.next(ctx, server, firstOfOrder)
}

// NextFollow: see NextStart.
func (l *Ledger) NextFollow(ctx context.Context, server string) (time.Time, error) {
	return l.next(ctx, server, `b.state IN ('queued', 'running')`)
}

func (l *Ledger) next(ctx context.Context, server, where string) (time.Time, error) {
	var at nullInt
	err := l.read.QueryRowContext(ctx, `SELECT min(b.due_at) FROM builds b WHERE b.due_at IS NOT NULL AND b.server = ? AND `+where, server).Scan(&at)
	if err != nil {
		return time.Time{}, explain("look for work", err)
	}
	return fromMicros(at), nil
}
