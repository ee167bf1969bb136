package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/rules"
)

// How long a push waits at most for what its code host is asked (with what it
// takes to notice and to decide, two minutes), and how long it is tried to ask
// for the branches of a repository, which delays nothing.
const (
	LookupTime = 110 * time.Second
	LookTime   = 7 * 24 * time.Hour
)

// Why all branches of a repository are asked for.
const (
	LookKnown = "known" // to record heads: without them no branch can be told to have moved
	LookMoved = "moved" // a body named no branch
)

// A Lookup is something that a code host is asked.
type Lookup struct {
	N      int64
	Source string
	// Repo is "owner/name" in lower case, Delivery the id of the delivery.
	Repo, Delivery string
	// Look is LookKnown or LookMoved; empty: what Push lacks is asked for.
	Look  string
	Push  rules.Push
	Lacks rules.Lacks
	// Since is the head that was known of the ref where webhooks since were lost:
	// what changed is asked for from there on. Empty: from where the push starts.
	Since string
	Tries int
	Until time.Time
	asked time.Time // when it was claimed
	lease int64
	n     int64 // of the delivery
	size  int   // of the push as text
}

// await has a push wait for what it lacks, or behind an older push of its ref
// that does.
func (t *txn) await(ctx context.Context, delivery int64, p *rules.Push, lacks rules.Lacks, asking time.Duration) (bool, error) {
	repo := strings.ToLower(p.Repo)
	if !lacks.Any() {
		var one int
		err := t.row(ctx, `SELECT 1 FROM lookups WHERE source = ? AND repo = ? AND kind = ? AND name = ? LIMIT 1`,
			[]any{p.Source, repo, string(p.Kind), p.Ref}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, t.addLookup(ctx, delivery, p, lacks, "", asking)
}

func (t *txn) addLookup(ctx context.Context, delivery int64, p *rules.Push, lacks rules.Lacks, since string, asking time.Duration) error {
	push, err := json.Marshal(p)
	if err != nil {
		return err
	}
	asked, err := json.Marshal(lacks)
	if err != nil {
		return err
	}
	now := time.Now()
	due := any(micros(now))
	if !lacks.Any() {
		due = nil
	}
	_, err = t.exec(ctx, `INSERT INTO lookups (delivery, source, repo, kind, name, look, push, lacks, since, ready, due_at, until) VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?)`,
		delivery, p.Source, strings.ToLower(p.Repo), string(p.Kind), p.Ref, string(push), string(asked), since, !lacks.Any(), due, micros(now.Add(asking)))
	return err
}

const lookupColumns = `SELECT q.n, q.source, q.repo, q.delivery, d.salt, q.look, q.push, q.lacks, q.since, q.tries, q.until, q.lease, q.reason FROM lookups q JOIN deliveries d ON d.n = q.delivery`

func scanLookup(rows *sql.Rows, q *Lookup, reason *string) error {
	var push, lacks []byte
	var salt int64
	var until nullInt
	if err := rows.Scan(&q.N, &q.Source, &q.Repo, &q.n, &salt, &q.Look, &push, &lacks, &q.Since, &q.Tries, &until, &q.lease, reason); err != nil {
		return err
	}
	q.Delivery, q.Until = makeID(deliveryPrefix, q.n, salt), fromMicros(until)
	q.size = len(push)
	err := errors.Join(json.Unmarshal(push, &q.Push), json.Unmarshal(lacks, &q.Lacks))
	q.Push.Delivery = q.Delivery
	return err
}

// ClaimLookups leases what the host of a source is to be asked: of each
// repository in turn, so that one that asks for much delays no other.
func (l *Ledger) ClaimLookups(ctx context.Context, source string, limit int, lease time.Duration) ([]Lookup, error) {
	var claimed []Lookup
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		claimed = nil
		now := time.Now()
		turns, err := t.turns(ctx, source, l.served[source], micros(now), limit)
		if err != nil {
			return err
		}
		stmt, err := t.stmt(ctx, lookupColumns+` WHERE q.n = ?`)
		if err != nil {
			return err
		}
		for _, turn := range turns {
			rows, err := stmt.QueryContext(ctx, turn.n)
			list, err := scanAll(rows, err, func(rows *sql.Rows, q *Lookup) error { return scanLookup(rows, q, new(string)) })
			if err != nil {
				return err
			}
			if _, err := t.exec(ctx, `UPDATE lookups SET holder = ?, lease = lease + 1, lease_end = ?, tries = tries + 1 WHERE n = ?`, l.node, micros(now.Add(lease)), turn.n); err != nil {
				return err
			}
			for _, q := range list {
				q.lease++
				q.Tries++
				q.asked = now
				claimed = append(claimed, q)
			}
			l.served[source] = turn.repo
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim what source %s is asked: %w", source, err)
	}
	return claimed, nil
}

const nextLookupQuery = `SELECT min(due_at) FROM lookups WHERE source = ? AND ready = 0 AND holder IS NULL`

// NextLookup is when the host of a source will next have something to be asked;
// zero where there is nothing.
func (l *Ledger) NextLookup(ctx context.Context, source string) (time.Time, error) {
	return l.nextDue(ctx, nextLookupQuery, source)
}

func (l *Ledger) nextDue(ctx context.Context, query, source string) (time.Time, error) {
	var at nullInt
	if err := l.read.QueryRowContext(ctx, query, source).Scan(&at); err != nil {
		return time.Time{}, explain("look for work", err)
	}
	return fromMicros(at), nil
}

// A Found is what asking about a push came to.
type Found struct {
	// Push has what was found, Lacks what is lacking still.
	Push  rules.Push
	Lacks rules.Lacks
	// Ready says that nothing more is asked; else it is at DueAt.
	Ready  bool
	DueAt  time.Time
	Reason string // why something is lacking, in words
}

// FinishLookup commits what was found and ends the lease. It returns [ErrStale]
// where that has ended already, or the push was decided without it.
func (l *Ledger) FinishLookup(ctx context.Context, q *Lookup, f Found) error {
	push, err := json.Marshal(f.Push)
	if err != nil {
		return fmt.Errorf("finish a lookup: %w", err)
	}
	lacks, err := json.Marshal(f.Lacks)
	if err != nil {
		return fmt.Errorf("finish a lookup: %w", err)
	}
	err = l.write.do(ctx, len(push)+512, func(ctx context.Context, t *txn) error {
		return t.fenced(ctx, `UPDATE lookups SET push = ?, lacks = ?, ready = ?, due_at = ?, reason = ?, holder = NULL, lease_end = NULL WHERE n = ? AND holder = ? AND lease = ?`,
			string(push), string(lacks), f.Ready, nullMicros(f.DueAt), f.Reason, q.N, l.node, q.lease)
	})
	if err != nil {
		return fmt.Errorf("finish a lookup of %s: %w", q.Delivery, err)
	}
	return nil
}

// EndLookups has the pushes of a source that wait for their host wait no more,
// those aside about which it is being asked.
func (l *Ledger) EndLookups(ctx context.Context, source, reason string) error {
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `UPDATE lookups SET ready = 1, due_at = NULL, reason = ? WHERE source = ? AND ready = 0 AND holder IS NULL AND look = ''`, reason, source)
		return err
	})
	if err != nil {
		return fmt.Errorf("end what source %s is asked: %w", source, err)
	}
	return nil
}

// fenced runs a statement that changes a row only under its lease.
func (t *txn) fenced(ctx context.Context, query string, args ...any) error {
	res, err := t.exec(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrStale)
	}
	return nil
}

const foundQuery = lookupColumns + ` WHERE q.n IN (
		SELECT n FROM lookups WHERE ready = 1 UNION ALL SELECT n FROM lookups WHERE until <= ?1 AND look = ''
	) AND NOT EXISTS (
		SELECT 1 FROM lookups o WHERE o.source = q.source AND o.repo = q.repo AND o.kind = q.kind AND o.name = q.name AND o.n < q.n AND o.ready = 0 AND o.until > ?1
	) ORDER BY q.n LIMIT ?2`

// Found gives pushes whose code host has told all that it was asked, or was asked
// for long enough, in their order: of a ref all up to the first that still waits
// for an answer.
func (l *Ledger) Found(ctx context.Context, limit int) ([]Arrival, error) {
	rows, err := l.read.QueryContext(ctx, foundQuery, micros(time.Now()), limit)
	if err != nil {
		return nil, explain("read the ledger", err)
	}
	defer rows.Close()
	var out []Arrival
	for size := 0; size < waitingBytes && rows.Next(); {
		var q Lookup
		var a Arrival
		if err := scanLookup(rows, &q, &a.Reason); err != nil {
			return nil, explain("read the ledger", err)
		}
		if q.Lacks.Any() && a.Reason == "" {
			a.Reason = "it was not asked in time"
		}
		a.n, a.lookup, a.ID, a.Source, a.Repo, a.Pushes = q.n, q.N, q.Delivery, q.Source, q.Push.Repo, []rules.Push{q.Push}
		a.Settled = q.Since != "" || a.Reason != ""
		size += q.size
		out = append(out, a)
	}
	return out, explain("read the ledger", rows.Err())
}
