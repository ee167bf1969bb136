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

// Waiting gives pushes that wait for a decision, in the order they came.
func (l *Ledger) Waiting(ctx context.Context, limit int) ([]Push, error) {
	return l.pushes(ctx, `WHERE p.state = 'waiting' ORDER BY p.n LIMIT ?`, limit)
}

// A Decided is a decision about a waiting push, to be committed.
type Decided struct {
	Push    *Push
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

// Decide commits decisions together with the builds they call for, in order. A
// push that another call has decided meanwhile is left as it is, with a zero
// Verdict. A push that repeats the newest move of its ref starts nothing.
func (l *Ledger) Decide(ctx context.Context, all []Decided) ([]Verdict, error) {
	size := 0
	for _, d := range all {
		size += 256 + 1024*len(d.Builds)
	}
	verdicts := make([]Verdict, len(all))
	err := l.write.do(ctx, size, func(ctx context.Context, t *txn) error {
		for i, d := range all {
			v, err := t.decide(ctx, d)
			if err != nil {
				return err
			}
			verdicts[i] = v
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("commit decisions: %w", err)
	}
	return verdicts, nil
}

func (t *txn) decide(ctx context.Context, d Decided) (Verdict, error) {
	var state string
	if err := t.row(ctx, `SELECT state FROM pushes WHERE n = ?`, []any{d.Push.N}, &state); err != nil {
		return Verdict{}, err
	}
	if state != PushWaiting {
		return Verdict{}, nil
	}
	ref, v, err := t.place(ctx, d.Push)
	if err != nil {
		return Verdict{}, err
	}
	now := micros(time.Now())
	state = PushDecided
	if v.Repeat {
		state, d.Builds, d.Matched = PushRepeat, nil, nil
	}
	matched, err := json.Marshal(d.Matched)
	if err != nil {
		return Verdict{}, err
	}
	if _, err := t.exec(ctx, `UPDATE pushes SET state = ?, ref = ?, late = ?, gap = ?, decided_at = ?, rules = ?, matched = ? WHERE n = ?`,
		state, ref, v.Late, v.Gap, now, d.Rules, string(matched), d.Push.N); err != nil {
		return Verdict{}, err
	}
	for _, b := range d.Builds {
		if err := t.addBuild(ctx, d.Push.N, ref, now, b, &v); err != nil {
			return Verdict{}, err
		}
	}
	return v, nil
}

func (t *txn) addBuild(ctx context.Context, push, ref, now int64, b rules.Build, v *Verdict) error {
	text, err := json.Marshal(&b)
	if err != nil {
		return err
	}
	state, due, end := Due, any(now), any(nil)
	if b.Error != "" {
		state, due, end = Dead, nil, now
		v.Dead++
	}
	v.Builds++
	_, err = t.exec(ctx, `INSERT INTO builds (id, push, ref, key, server, target, build, state, reason, due_at, created_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (push, key) DO NOTHING`,
		newID("b"), push, ref, b.Key(), b.Server, b.Target(), string(text), string(state), b.Error, due, now, end)
	return err
}

// place finds the push's ref, says how the push stands to what is known of it,
// and moves the ref on.
func (t *txn) place(ctx context.Context, p *Push) (ref int64, v Verdict, err error) {
	repo := strings.ToLower(p.Push.Repo)
	var head string
	var newest int64
	err = t.row(ctx, `SELECT n, head, newest FROM refs WHERE source = ? AND repo = ? AND kind = ? AND name = ?`,
		[]any{p.Push.Source, repo, string(p.Push.Kind), p.Push.Ref}, &ref, &head, &newest)
	if errors.Is(err, sql.ErrNoRows) {
		res, err := t.exec(ctx, `INSERT INTO refs (source, repo, kind, name, head, newest) VALUES (?, ?, ?, ?, ?, ?)`,
			p.Push.Source, repo, string(p.Push.Kind), p.Push.Ref, p.Push.After, p.N)
		if err != nil {
			return 0, v, err
		}
		ref, err = res.LastInsertId()
		return ref, v, err
	}
	if err != nil {
		return 0, v, err
	}
	var last rules.Push
	if err := t.row(ctx, `SELECT before, after, event FROM pushes WHERE n = ?`, []any{newest}, &last.Before, &last.After, &last.Event); err != nil {
		return 0, v, err
	}
	if v.Repeat = repeats(&last, &p.Push); v.Repeat {
		return ref, v, nil
	}
	if !sameCommit(p.Push.Before, head) {
		if v.Late, err = t.isLate(ctx, ref, p); err != nil {
			return 0, v, err
		}
		v.Gap = !v.Late && head != "" && p.Push.Before != "" && p.Push.Event != rules.Forced
	}
	if !v.Late {
		_, err = t.exec(ctx, `UPDATE refs SET head = ?, newest = ? WHERE n = ?`, p.Push.After, p.N, ref)
	}
	return ref, v, err
}

// repeats says whether b is the same move of a ref as a.
func repeats(a, b *rules.Push) bool {
	return sameCommit(a.Before, b.Before) && sameCommit(a.After, b.After) &&
		(a.Event == rules.Deleted) == (b.Event == rules.Deleted)
}

// isLate says whether a push already decided started from where p ends.
func (t *txn) isLate(ctx context.Context, ref int64, p *Push) (bool, error) {
	if p.Push.After == "" {
		return false, nil
	}
	var before string
	err := t.row(ctx, `SELECT before FROM pushes WHERE ref = ? AND substr(before, 1, 12) = substr(?, 1, 12) LIMIT 1`,
		[]any{ref, p.Push.After}, &before)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && sameCommit(before, p.Push.After), err
}

// sameCommit compares hashes of which either may be abbreviated; an empty one
// equals only an empty one.
func sameCommit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == b || len(a) >= 7 && strings.HasPrefix(b, a)
}
