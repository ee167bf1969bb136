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

type nullInt = sql.NullInt64

// A Filter narrows a list of deliveries; empty fields ask nothing.
type Filter struct {
	Repo   string // owner/name, any case
	Branch string
	State  State // of one of its builds
	Rule   string
	Since  time.Time
	Before int64 // only rows with a smaller n: the next page
	Limit  int   // 0: 50
}

// Deliveries lists deliveries, newest first.
func (l *Ledger) Deliveries(ctx context.Context, f Filter) ([]Delivery, error) {
	var where []string
	var args []any
	add := func(cond string, arg any) {
		where = append(where, cond)
		args = append(args, arg)
	}
	if f.Repo != "" {
		add(`lower(d.repo) = lower(?)`, f.Repo)
	}
	if f.Branch != "" {
		add(`EXISTS (SELECT 1 FROM pushes p WHERE p.delivery = d.n AND p.push ->> 'kind' = 'branch' AND p.push ->> 'ref' = ?)`, f.Branch)
	}
	if f.State != "" {
		add(`EXISTS (SELECT 1 FROM pushes p JOIN builds b ON b.push = p.n WHERE p.delivery = d.n AND b.state = ?)`, string(f.State))
	}
	if f.Rule != "" {
		add(`EXISTS (SELECT 1 FROM pushes p, json_each(p.matched) m WHERE p.delivery = d.n AND m.value = ?)`, f.Rule)
	}
	if !f.Since.IsZero() {
		add(`d.received_at >= ?`, micros(f.Since))
	}
	if f.Before > 0 {
		add(`d.n < ?`, f.Before)
	}
	query := deliveryColumns
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, ` AND `)
	}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	return scanDeliveries(l.read.QueryContext(ctx, query+` ORDER BY d.n DESC LIMIT ?`, append(args, f.Limit)...))
}

// Delivery gives one delivery by id.
func (l *Ledger) Delivery(ctx context.Context, id string) (Delivery, error) {
	n, salt, _ := parseID(deliveryPrefix, id)
	list, err := scanDeliveries(l.read.QueryContext(ctx, deliveryColumns+` WHERE d.n = ? AND d.salt = ?`, n, salt))
	if err != nil {
		return Delivery{}, err
	}
	if len(list) == 0 {
		return Delivery{}, fmt.Errorf("delivery %q: %w", id, ErrNotFound)
	}
	return list[0], nil
}

// Body gives the exact bytes of a delivery's body.
func (l *Ledger) Body(ctx context.Context, id string) ([]byte, error) {
	var body []byte
	n, salt, _ := parseID(deliveryPrefix, id)
	err := l.read.QueryRowContext(ctx, `SELECT body FROM bodies JOIN deliveries d ON d.n = delivery WHERE d.n = ? AND d.salt = ?`, n, salt).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("body of delivery %q: %w", id, ErrNotFound)
	}
	return body, explain("read body", err)
}

// Pushes gives the pushes of a delivery, as they stood at one moment: those
// decided, then those that wait.
func (l *Ledger) Pushes(ctx context.Context, d *Delivery) ([]Push, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, explain("read the ledger", err)
	}
	defer tx.Rollback()
	var out []Push
	for _, read := range []func(context.Context, *sql.Tx, *Delivery) ([]Push, error){decidedPushes, lookedUpPushes, arrivedPushes} {
		more, err := read(ctx, tx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func decidedPushes(ctx context.Context, tx *sql.Tx, d *Delivery) ([]Push, error) {
	rows, err := tx.QueryContext(ctx, `SELECT n, push, state, late, gap, decided_at, rules, coalesce(owed, 'null'), matched
		FROM pushes WHERE delivery = ? ORDER BY n`, d.N)
	return scanAll(rows, err, func(rows *sql.Rows, p *Push) error {
		var decided nullInt
		var text, owed, matched []byte
		if err := rows.Scan(&p.N, &text, &p.State, &p.Late, &p.Gap, &decided, &p.Rules, &owed, &matched); err != nil {
			return err
		}
		p.Delivery, p.DecidedAt = d.ID, fromMicros(decided)
		return errors.Join(json.Unmarshal(text, &p.Push), json.Unmarshal(owed, &p.Owed), json.Unmarshal(matched, &p.Matched))
	})
}

// lookedUpPushes are those about which the code host is asked.
func lookedUpPushes(ctx context.Context, tx *sql.Tx, d *Delivery) ([]Push, error) {
	rows, err := tx.QueryContext(ctx, lookupColumns+` WHERE q.delivery = ? AND q.look = '' ORDER BY q.n`, d.N)
	return scanAll(rows, err, func(rows *sql.Rows, p *Push) error {
		var q Lookup
		var reason string
		err := scanLookup(rows, &q, &reason)
		p.Delivery, p.Push, p.State = d.ID, q.Push, PushWaiting
		p.Waits = "an older push of the ref is decided first"
		if q.Lacks.Any() {
			p.Waits = "the code host is asked what the push does not say; without an answer it is decided at " + q.Until.UTC().Format(time.TimeOnly) + " UTC"
		}
		if reason != "" {
			p.Waits += "; so far: " + reason
		}
		return err
	})
}

// arrivedPushes are those at which nobody has looked yet.
func arrivedPushes(ctx context.Context, tx *sql.Tx, d *Delivery) ([]Push, error) {
	var text []byte
	err := tx.QueryRowContext(ctx, `SELECT pushes FROM arrivals WHERE delivery = ?`, d.N).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	var pushes []rules.Push
	if err == nil {
		err = json.Unmarshal(text, &pushes)
	}
	out := make([]Push, len(pushes))
	for i := range pushes {
		pushes[i].Delivery = d.ID
		out[i] = Push{Delivery: d.ID, Push: pushes[i], State: PushWaiting}
	}
	return out, explain("read the ledger", err)
}

// Builds gives the builds of a delivery's pushes, in the order called for.
func (l *Ledger) Builds(ctx context.Context, d *Delivery) ([]Build, error) {
	return scanBuilds(l.read.QueryContext(ctx, buildColumns+` WHERE d.n = ? ORDER BY b.n`, d.N))
}

// Build gives one build by id.
func (l *Ledger) Build(ctx context.Context, id string) (Build, error) {
	n, salt, _ := parseID(buildPrefix, id)
	list, err := scanBuilds(l.read.QueryContext(ctx, buildColumns+` WHERE b.n = ? AND b.salt = ?`, n, salt))
	if err != nil {
		return Build{}, err
	}
	if len(list) == 0 {
		return Build{}, fmt.Errorf("build %q: %w", id, ErrNotFound)
	}
	return list[0], nil
}

// Attempts gives the starts of a build that were tried, in order.
func (l *Ledger) Attempts(ctx context.Context, b *Build) ([]Attempt, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT number, at, took, outcome, detail FROM attempts WHERE build = ? ORDER BY number`, b.N)
	return scanAll(rows, err, func(rows *sql.Rows, a *Attempt) error {
		var at nullInt
		var took int64
		err := rows.Scan(&a.Number, &at, &took, &a.Outcome, &a.Detail)
		a.At, a.Took = fromMicros(at), time.Duration(took)*time.Microsecond
		return err
	})
}

// Unfinished counts what is not at its end: deliveries and pushes that wait for a
// decision, builds that have not ended.
func (l *Ledger) Unfinished(ctx context.Context) (deliveries, builds int, err error) {
	err = l.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM arrivals) + (SELECT count(*) FROM lookups WHERE look <> 'known'),
		(SELECT count(*) FROM builds WHERE state IN ('due', 'starting', 'queued', 'running'))`).Scan(&deliveries, &builds)
	return deliveries, builds, explain("count what is unfinished", err)
}

const deliveryColumns = `SELECT d.n, d.salt, d.source, d.received_at, d.repo, d.remote, d.headers, d.size, d.pushes, d.note, d.repeats,
	(SELECT 'which branches moved' || CASE WHEN q.reason = '' THEN '' ELSE '; so far: ' || q.reason END FROM lookups q WHERE q.delivery = d.n AND q.look = 'moved') FROM deliveries d`

func scanDeliveries(rows *sql.Rows, err error) ([]Delivery, error) {
	return scanAll(rows, err, func(rows *sql.Rows, d *Delivery) error {
		var at nullInt
		var salt int64
		var headers []byte
		var asks sql.NullString
		if err := rows.Scan(&d.N, &salt, &d.Source, &at, &d.Repo, &d.Remote, &headers, &d.Size, &d.Pushes, &d.Note, &d.Repeats, &asks); err != nil {
			return err
		}
		d.Asks = asks.String
		d.ID, d.ReceivedAt = makeID(deliveryPrefix, d.N, salt), fromMicros(at)
		return json.Unmarshal(headers, &d.Headers)
	})
}

const buildColumns = `SELECT b.n, b.salt, b.push, d.n, d.salt, d.repo, r.name, b.server, b.target, b.build, b.state, b.reason, b.uncertain, b.merged, b.handle,
	b.url, b.notes, b.attempts, b.failures, b.lease, b.due_at, b.created_at, b.started_at, b.ended_at, b.asked_at, b.absent_at
	FROM builds b JOIN pushes p ON p.n = b.push JOIN deliveries d ON d.n = p.delivery JOIN refs r ON r.n = b.ref`

func scanBuilds(rows *sql.Rows, err error) ([]Build, error) {
	return scanAll(rows, err, func(rows *sql.Rows, b *Build) error {
		var due, created, started, ended, asked, absent nullInt
		var salt, delivery, deliverySalt int64
		var text, notes []byte
		if err := rows.Scan(&b.N, &salt, &b.Push, &delivery, &deliverySalt, &b.Repo, &b.Ref, &b.Server, &b.Target, &text, &b.State, &b.Reason, &b.Uncertain, &b.Merged, &b.Handle,
			&b.URL, &notes, &b.Attempts, &b.Failures, &b.Lease, &due, &created, &started, &ended, &asked, &absent); err != nil {
			return err
		}
		b.ID, b.Delivery = makeID(buildPrefix, b.N, salt), makeID(deliveryPrefix, delivery, deliverySalt)
		b.DueAt, b.CreatedAt, b.StartedAt, b.EndedAt = fromMicros(due), fromMicros(created), fromMicros(started), fromMicros(ended)
		b.AskedAt, b.AbsentAt = fromMicros(asked), fromMicros(absent)
		return errors.Join(json.Unmarshal(text, &b.Build), json.Unmarshal(notes, &b.Notes))
	})
}

// scanAll reads all rows of a query, whose error it takes too.
func scanAll[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, explain("read the ledger", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, explain("read the ledger", err)
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, explain("read the ledger", err)
	}
	return out, nil
}
