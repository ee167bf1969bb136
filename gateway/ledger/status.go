package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pushgate/pushgate/rules"
)

// The states of a commit status, as every code host has them in some words.
const (
	statusPending = "pending"
	statusRunning = "running"
	statusSuccess = "success"
	statusFailure = "failure"
	statusAborted = "aborted"
	statusSkipped = "skipped"
)

// reported is what a commit's page shows of a build in a state.
func reported(s State) string {
	switch s {
	case Due, Starting, Queued:
		return statusPending
	case Running:
		return statusRunning
	case Succeeded, Triggered:
		return statusSuccess
	case Aborted:
		return statusAborted
	}
	return statusFailure
}

// A status is what contexts of a push's commit come to show.
type status struct {
	delivery int64
	push     *rules.Push
	build    int64 // 0: none, skipped
	state    string
}

// addStatuses records a state for contexts. The newest build of a context has
// it; what was skipped takes it from none.
func (t *txn) addStatuses(ctx context.Context, s status, contexts []string) error {
	onConflict, build := `DO NOTHING`, any(nil)
	if s.build != 0 {
		build = s.build
		onConflict = `DO UPDATE SET delivery = excluded.delivery, build = excluded.build, state = excluded.state, version = version + 1,
			reason = '', tries = 0, since = excluded.since, due_at = excluded.due_at`
	}
	now := micros(time.Now())
	for _, name := range contexts {
		if _, err := t.exec(ctx, `INSERT INTO statuses (source, repo, hash, context, delivery, build, state, since, due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (source, repo, hash, context) `+onConflict, s.push.Source, s.push.Repo, s.push.After, name, s.delivery, build, s.state, now, now); err != nil {
			return err
		}
	}
	return nil
}

// moveStatuses has the statuses of a build show its new state.
func (t *txn) moveStatuses(ctx context.Context, build int64, state State) error {
	now := micros(time.Now())
	_, err := t.exec(ctx, `UPDATE statuses SET state = ?1, version = version + 1, reason = '', tries = 0, since = ?2, due_at = ?2 WHERE build = ?3 AND state <> ?1`,
		reported(state), now, build)
	return err
}

// A Status is a state that a code host is to be told.
type Status struct {
	N                           int64
	Source, Repo, Hash, Context string
	State                       string // pending, running, success, failure, aborted or skipped
	// URL, Build (its id) and BuildState are of the build, empty where it was
	// skipped; Delivery is the id of the delivery.
	URL, Delivery, Build string
	BuildState           State
	// Tries counts those to tell this state, Since is when it came to be.
	Tries          int
	Since          time.Time
	version, lease int64
}

// ClaimStatuses leases states that the host of a source is to be told. One
// context of one commit is leased once at a time, so that states are told in
// their order, and only the newest.
func (l *Ledger) ClaimStatuses(ctx context.Context, source string, limit int, lease time.Duration) ([]Status, error) {
	var claimed []Status
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		now := time.Now()
		stmt, err := t.stmt(ctx, `SELECT s.n, s.source, s.repo, s.hash, s.context, s.state, coalesce(b.state, ''), coalesce(b.url, ''), d.n, d.salt, coalesce(b.n, 0), coalesce(b.salt, 0), s.tries, s.since, s.version, s.lease
			FROM statuses s JOIN deliveries d ON d.n = s.delivery LEFT JOIN builds b ON b.n = s.build
			WHERE s.source = ? AND s.due_at <= ? AND s.holder IS NULL ORDER BY s.due_at, s.n LIMIT ?`)
		if err != nil {
			return err
		}
		rows, err := stmt.QueryContext(ctx, source, micros(now), limit)
		claimed, err = scanAll(rows, err, func(rows *sql.Rows, s *Status) error {
			var delivery, deliverySalt, build, buildSalt int64
			var since nullInt
			err := rows.Scan(&s.N, &s.Source, &s.Repo, &s.Hash, &s.Context, &s.State, &s.BuildState, &s.URL, &delivery, &deliverySalt, &build, &buildSalt, &s.Tries, &since, &s.version, &s.lease)
			s.Delivery, s.Since = makeID(deliveryPrefix, delivery, deliverySalt), fromMicros(since)
			if build != 0 {
				s.Build = makeID(buildPrefix, build, buildSalt)
			}
			return err
		})
		if err != nil {
			return err
		}
		for i := range claimed {
			s := &claimed[i]
			if _, err := t.exec(ctx, `UPDATE statuses SET holder = ?, lease = lease + 1, lease_end = ?, tries = tries + 1 WHERE n = ?`, l.node, micros(now.Add(lease)), s.N); err != nil {
				return err
			}
			s.lease++
			s.Tries++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim what source %s is told: %w", source, err)
	}
	return claimed, nil
}

// FinishStatus ends the lease of a status: told, or given up where again is zero,
// or to be told again at that time. Where a newer state came meanwhile, that is
// due at once, and again nothing to it.
func (l *Ledger) FinishStatus(ctx context.Context, s *Status, reason string, again time.Time) error {
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		told := s.version
		if !again.IsZero() {
			told = 0
		}
		return t.fenced(ctx, `UPDATE statuses SET told = max(told, ?1), holder = NULL, lease_end = NULL,
			reason = CASE WHEN version = ?2 THEN ?3 ELSE reason END,
			due_at = CASE WHEN version = ?2 THEN ?4 ELSE due_at END
			WHERE n = ?5 AND holder = ?6 AND lease = ?7`, told, s.version, reason, nullMicros(again), s.N, l.node, s.lease)
	})
	if err != nil {
		return fmt.Errorf("finish a status of %s: %w", s.Repo, err)
	}
	return nil
}

const nextStatusQuery = `SELECT min(due_at) FROM statuses WHERE source = ? AND due_at IS NOT NULL AND holder IS NULL`

// NextStatus is when the host of a source will next have something to be told;
// zero where there is nothing.
func (l *Ledger) NextStatus(ctx context.Context, source string) (time.Time, error) {
	return l.nextDue(ctx, nextStatusQuery, source)
}

// A Told is how a status stands with its host.
type Told struct {
	Context, State string
	// Told says that the host has it; Reason why it has not, in words, and Again
	// when it is tried again; zero where it is not.
	Told   bool
	Reason string
	Again  time.Time
}

const statusesQuery = `SELECT context, state, told = version AND reason = '', reason, due_at FROM statuses WHERE delivery = ? ORDER BY n`

// Statuses gives those of a delivery's commits that its pushes asked for, in
// order.
func (l *Ledger) Statuses(ctx context.Context, d *Delivery) ([]Told, error) {
	rows, err := l.read.QueryContext(ctx, statusesQuery, d.N)
	return scanAll(rows, err, func(rows *sql.Rows, s *Told) error {
		var due nullInt
		err := rows.Scan(&s.Context, &s.State, &s.Told, &s.Reason, &due)
		if s.Reason != "" {
			s.Again = fromMicros(due)
		}
		return err
	})
}

// TellNow has the host of a source told at once what waits for another try: its
// configuration may have been mended.
func (l *Ledger) TellNow(ctx context.Context, source string) error {
	now := micros(time.Now())
	var waiting bool
	if err := l.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM statuses WHERE source = ? AND due_at > ?)`, source, now).Scan(&waiting); err != nil || !waiting {
		return explain("look for statuses to tell", err)
	}
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `UPDATE statuses SET due_at = ?1 WHERE source = ?2 AND due_at > ?1`, now, source)
		return err
	})
	if err != nil {
		return fmt.Errorf("have source %s told at once: %w", source, err)
	}
	return nil
}
