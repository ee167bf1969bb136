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

// An Arrival is what waits for its decision: a delivery, or a push of one whose
// code host was asked about it.
type Arrival struct {
	n      int64 // of the delivery
	lookup int64 // of the lookup; 0: a delivery
	ID     string
	Source string
	Repo   string
	Pushes []rules.Push
	// Look says that the delivery names no branch, and that its host is to be
	// asked which moved.
	Look bool
	// Reason says why the host could not tell what the push lacks; empty where it
	// did.
	Reason string
	// Settled says that its host is asked no more, whatever is lacking.
	Settled bool
	// Decided is what Decide commits, one for each push.
	Decided []Decided
	// Learn has the heads of all branches asked for, unless they were once.
	Learn bool
}

// Asked says that the push's code host was asked about it.
func (a *Arrival) Asked() bool { return a.lookup != 0 }

// waitingBytes bounds the pushes that Waiting reads at once.
const waitingBytes = 8 << 20

// Waiting gives deliveries that wait for a decision, in the order they came, at
// least one where there are any.
func (l *Ledger) Waiting(ctx context.Context, limit int) ([]Arrival, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT d.n, d.salt, d.source, d.repo, a.pushes, a.look FROM arrivals a JOIN deliveries d ON d.n = a.delivery ORDER BY a.delivery LIMIT ?`, limit)
	if err != nil {
		return nil, explain("read the ledger", err)
	}
	defer rows.Close()
	var out []Arrival
	for size := 0; size < waitingBytes && rows.Next(); {
		var a Arrival
		var salt int64
		var text sql.RawBytes
		if err := rows.Scan(&a.n, &salt, &a.Source, &a.Repo, &text, &a.Look); err != nil {
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
	// Lacks is what the code host is to be asked before the decision; where there
	// is any, nothing is decided yet.
	Lacks rules.Lacks
	// OnGap is what the host is to be asked, from the known head on, where webhooks
	// before the push were lost.
	OnGap rules.Lacks
	// Report says that the code host is told how the builds stand; Skips are the
	// contexts of builds that need not be waited for.
	Report bool
	Skips  []string
}

// A Verdict is what Decide made of a push.
type Verdict struct {
	// Waits says that it is not decided yet: its code host is asked about it, or
	// about an older push of its ref.
	Waits             bool
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
			if verdicts[i], err = t.decideArrival(ctx, &arrivals[i], l.asking); err != nil {
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

func (t *txn) decideArrival(ctx context.Context, a *Arrival, asking time.Duration) ([]Verdict, error) {
	query, n := `DELETE FROM arrivals WHERE delivery = ?`, a.n
	if a.Asked() {
		if behind, err := t.behind(ctx, a.lookup); behind || err != nil {
			return nil, err
		}
		if waits, err := t.askSince(ctx, a); waits || err != nil {
			return []Verdict{{Waits: waits}}, err
		}
		query, n = `DELETE FROM lookups WHERE n = ?`, a.lookup
	}
	res, err := t.exec(ctx, query, n)
	if err != nil {
		return nil, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, err
	}
	if a.Look || a.Learn {
		if err := t.askHeads(ctx, a); err != nil {
			return nil, err
		}
	}
	verdicts := make([]Verdict, len(a.Pushes))
	for i := range a.Pushes {
		p, d := &a.Pushes[i], &a.Decided[i]
		if !a.Asked() {
			if verdicts[i].Waits, err = t.await(ctx, a.n, p, d.Lacks, asking); err != nil {
				return nil, err
			}
			if !verdicts[i].Waits && d.OnGap.Any() {
				head, err := t.gap(ctx, p)
				if err == nil && head != "" {
					verdicts[i].Waits = true
					err = t.addLookup(ctx, a.n, p, d.OnGap, head, asking)
				}
				if err != nil {
					return nil, err
				}
			}
		}
		if verdicts[i].Waits {
			continue
		}
		if verdicts[i], err = t.decide(ctx, a.n, p, d); err != nil {
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
	report := d.Report && !v.Repeat && p.Event != rules.Deleted && p.After != ""
	for i := range builds {
		b := &builds[i]
		build, state, err := t.addBuild(ctx, n, ref.n, now, b, &v)
		if err != nil {
			return Verdict{}, err
		}
		if report && build != 0 {
			err = t.addStatuses(ctx, status{delivery: delivery, push: p, build: build, state: reported(state)}, b.Contexts)
		}
		if err != nil {
			return Verdict{}, err
		}
	}
	if report {
		err = t.addStatuses(ctx, status{delivery: delivery, push: p, state: statusSkipped}, d.Skips)
	}
	return v, err
}

// addBuild records a build and gives its number, 0 where the push has it already.
func (t *txn) addBuild(ctx context.Context, push, ref, now int64, b *rules.Build, v *Verdict) (int64, State, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return 0, "", err
	}
	state, due, end := Due, any(now), any(nil)
	if b.Error != "" {
		state, due, end = Dead, nil, now
		v.Dead++
	}
	v.Builds++
	res, err := t.exec(ctx, `INSERT INTO builds (salt, push, ref, key, server, target, build, state, reason, due_at, created_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (push, key) DO NOTHING`,
		newSalt(), push, ref, b.Key(), b.Server, b.Target(), string(text), string(state), b.Error, due, now, end)
	if err != nil {
		return 0, "", err
	}
	if added, err := res.RowsAffected(); err != nil || added == 0 {
		return 0, "", err
	}
	n, err := res.LastInsertId()
	return n, state, err
}

// A ref is a row of refs with the newest move of it that was decided.
type ref struct {
	n                    int64
	head                 string
	newest               int64 // 0: the head was found by asking
	before, after, event string
}

// place finds the push's ref, or makes it, and says how the push stands to what
// is known of it.
func (t *txn) place(ctx context.Context, p *rules.Push) (r ref, v Verdict, err error) {
	repo := strings.ToLower(p.Repo)
	err = t.row(ctx, `SELECT r.n, r.head, r.newest, coalesce(p.before, ''), coalesce(p.after, ''), coalesce(p.event, '') FROM refs r LEFT JOIN pushes p ON p.n = r.newest
		WHERE r.source = ? AND r.repo = ? AND r.kind = ? AND r.name = ?`,
		[]any{p.Source, repo, string(p.Kind), p.Ref}, &r.n, &r.head, &r.newest, &r.before, &r.after, &r.event)
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
	v.Repeat = r.newest != 0 && sameCommit(r.before, p.Before) && sameCommit(r.after, p.After) &&
		(rules.Event(r.event) == rules.Deleted) == (p.Event == rules.Deleted)
	// What was found by asking may have been told by a push meanwhile.
	v.Repeat = v.Repeat || p.Asked && sameCommit(r.head, p.After)
	if v.Repeat || sameCommit(p.Before, r.head) {
		return r, v, nil
	}
	v.Late, err = t.isLate(ctx, r.n, p)
	// A head that was asked for may be that of a push on its way.
	v.Gap = !v.Late && r.head != "" && p.Before != "" && p.Event != rules.Forced && !p.Asked && !(r.newest == 0 && sameCommit(r.head, p.After))
	return r, v, err
}

// gap gives the known head of the push's ref where webhooks since were lost, else
// nothing; nothing either where the push ends at that head.
func (t *txn) gap(ctx context.Context, p *rules.Push) (string, error) {
	r, v, err := t.place(ctx, p)
	if err != nil || !v.Gap || sameCommit(r.head, p.After) {
		return "", err
	}
	return r.head, nil
}

// behind says that an older push of a lookup's ref has come to wait again.
func (t *txn) behind(ctx context.Context, lookup int64) (bool, error) {
	var one int
	err := t.row(ctx, `SELECT 1 FROM lookups q JOIN lookups o ON o.source = q.source AND o.repo = q.repo AND o.kind = q.kind AND o.name = q.name AND o.n < q.n WHERE q.n = ? LIMIT 1`,
		[]any{lookup}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// askSince has a push that was asked about, and turns out to follow a gap, asked
// about once more, in the time that is left.
func (t *txn) askSince(ctx context.Context, a *Arrival) (bool, error) {
	lacks := a.Decided[0].OnGap
	if a.Settled || !lacks.Any() {
		return false, nil
	}
	head, err := t.gap(ctx, &a.Pushes[0])
	if err != nil || head == "" {
		return false, err
	}
	text, err := json.Marshal(lacks)
	if err != nil {
		return false, err
	}
	now := micros(time.Now())
	res, err := t.exec(ctx, `UPDATE lookups SET ready = 0, due_at = ?1, since = ?2, lacks = ?3 WHERE n = ?4 AND until > ?1`, now, head, string(text), a.lookup)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
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
