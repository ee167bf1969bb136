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

// An Arrival is a delivery that waits for its decision.
type Arrival struct {
	n      int64
	ID     string
	Pushes []rules.Push
	// Decided is what Decide commits, one for each push.
	Decided []Decided
}

// waitingBytes bounds the pushes that Waiting reads at once.
const waitingBytes = 8 << 20

// Waiting gives deliveries that wait for a decision, in the order they came, at
// least one where there are any.
func (l *Ledger) Waiting(ctx context.Context, limit int) ([]Arrival, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT d.n, d.salt, a.pushes FROM arrivals a JOIN deliveries d ON d.n = a.delivery ORDER BY a.delivery LIMIT ?`, limit)
	if err != nil {
		return nil, explain("read the ledger", err)
	}
	defer rows.Close()
	var out []Arrival
	for size := 0; size < waitingBytes && rows.Next(); {
		var a Arrival
		var salt int64
		var text sql.RawBytes
		if err := rows.Scan(&a.n, &salt, &text); err != nil {
			return nil, explain("read the ledger", err)
		}
		size += len(text)
		a.ID = makeID(deliveryPrefix, a.n, salt)
		if err := json.Unmarshal(text, &a.Pushes); err != nil {
			return nil, fmt.Errorf("read the pushes of %s: %w", a.ID, err)
		}
		for i := range a.Pushes {
			a.Pushes[i].Delivery = a.ID
		}
		out = append(out, a)
	}
	return out, explain("read the ledger", rows.Err())
}

// A Decided is a decision about one push.
type Decided struct {
	Rules   string // hash of the deciding set
	Matched []string
	Builds  []rules.Build
}

// A Verdict is what Decide made of a push.
type Verdict struct {
	Repeat, Late, Gap bool
	// Builds is how many were called for, Dead how many of them cannot be
	// started.
	Builds, Dead int
}

// Decide commits the decisions about arrivals together with the builds they
// call for, in order, and ends their wait. It gives each a verdict for every
// push, and none where it was decided meanwhile. A push that repeats the newest
// move of its ref starts nothing.
func (l *Ledger) Decide(ctx context.Context, arrivals []Arrival) ([][]Verdict, error) {
	size := 0
	for i := range arrivals {
		size += 2048 * len(arrivals[i].Pushes)
	}
	verdicts := make([][]Verdict, len(arrivals))
	err := l.write.do(ctx, size, func(ctx context.Context, t *txn) (err error) {
		for i := range arrivals {
			if verdicts[i], err = t.decideArrival(ctx, &arrivals[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("commit decisions: %w", err)
	}
	return verdicts, nil
}

func (t *txn) decideArrival(ctx context.Context, a *Arrival) ([]Verdict, error) {
	res, err := t.exec(ctx, `DELETE FROM arrivals WHERE delivery = ?`, a.n)
	if err != nil {
		return nil, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, err
	}
	verdicts := make([]Verdict, len(a.Pushes))
	for i := range a.Pushes {
		if verdicts[i], err = t.decide(ctx, a.n, &a.Pushes[i], &a.Decided[i]); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

func (t *txn) decide(ctx context.Context, delivery int64, p *rules.Push, d *Decided) (Verdict, error) {
	ref, v, err := t.place(ctx, p)
	if err != nil {
		return Verdict{}, err
	}
	now := micros(time.Now())
	state, builds, matched := PushDecided, d.Builds, d.Matched
	if v.Repeat {
		state, builds, matched = PushRepeat, nil, nil
	}
	matchedText, err := json.Marshal(matched)
	if err != nil {
		return Verdict{}, err
	}
	pushText, err := json.Marshal(p)
	if err != nil {
		return Verdict{}, err
	}
	res, err := t.exec(ctx, `INSERT INTO pushes (delivery, push, state, ref, before, after, event, late, gap, decided_at, rules, matched)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		delivery, string(pushText), state, ref.n, p.Before, p.After, string(p.Event), v.Late, v.Gap, now, d.Rules, string(matchedText))
	if err != nil {
		return Verdict{}, err
	}
	n, err := res.LastInsertId()
	if err != nil {
		return Verdict{}, err
	}
	if !v.Late && !v.Repeat {
		if err := t.moveRef(ctx, &ref, p, n); err != nil {
			return Verdict{}, err
		}
	}
	for i := range builds {
		if err := t.addBuild(ctx, n, ref.n, now, &builds[i], &v); err != nil {
			return Verdict{}, err
		}
	}
	return v, nil
}

func (t *txn) addBuild(ctx context.Context, push, ref, now int64, b *rules.Build, v *Verdict) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	state, due, end := Due, any(now), any(nil)
	if b.Error != "" {
		state, due, end = Dead, nil, now
		v.Dead++
	}
	v.Builds++
	_, err = t.exec(ctx, `INSERT INTO builds (salt, push, ref, key, server, target, build, state, reason, due_at, created_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (push, key) DO NOTHING`,
		newSalt(), push, ref, b.Key(), b.Server, b.Target(), string(text), string(state), b.Error, due, now, end)
	return err
}

// A ref is a row of refs with the newest move of it that was decided.
type ref struct {
	n                    int64
	head                 string
	before, after, event string
}

// place finds the push's ref, or makes it, and says how the push stands to what
// is known of it.
func (t *txn) place(ctx context.Context, p *rules.Push) (r ref, v Verdict, err error) {
	repo := strings.ToLower(p.Repo)
	err = t.row(ctx, `SELECT r.n, r.head, p.before, p.after, p.event FROM refs r JOIN pushes p ON p.n = r.newest
		WHERE r.source = ? AND r.repo = ? AND r.kind = ? AND r.name = ?`,
		[]any{p.Source, repo, string(p.Kind), p.Ref}, &r.n, &r.head, &r.before, &r.after, &r.event)
	if errors.Is(err, sql.ErrNoRows) {
		res, err := t.exec(ctx, `INSERT INTO refs (source, repo, kind, name, head, newest) VALUES (?, ?, ?, ?, '', 0)`, p.Source, repo, string(p.Kind), p.Ref)
		if err != nil {
			return r, v, err
		}
		r.n, err = res.LastInsertId()
		return r, v, err
	}
	if err != nil {
		return r, v, err
	}
	v.Repeat = sameCommit(r.before, p.Before) && sameCommit(r.after, p.After) &&
		(rules.Event(r.event) == rules.Deleted) == (p.Event == rules.Deleted)
	if v.Repeat || sameCommit(p.Before, r.head) {
		return r, v, nil
	}
	v.Late, err = t.isLate(ctx, r.n, p)
	v.Gap = !v.Late && r.head != "" && p.Before != "" && p.Event != rules.Forced
	return r, v, err
}

// moveRef makes the push the newest of its ref.
func (t *txn) moveRef(ctx context.Context, r *ref, p *rules.Push, n int64) error {
	_, err := t.exec(ctx, `UPDATE refs SET head = ?, newest = ? WHERE n = ?`, p.After, n, r.n)
	return err
}

// isLate says whether a push already decided started from where p ends.
func (t *txn) isLate(ctx context.Context, ref int64, p *rules.Push) (bool, error) {
	if p.After == "" {
		return false, nil
	}
	var before string
	err := t.row(ctx, `SELECT before FROM pushes WHERE ref = ? AND substr(before, 1, 12) = substr(?, 1, 12) LIMIT 1`,
		[]any{ref, p.After}, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && sameCommit(before, p.After), err
}

// sameCommit compares hashes of which either may be abbreviated; an empty one
// equals only an empty one.
func sameCommit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == b || len(a) >= 7 && strings.HasPrefix(b, a)
}
