package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/rules"
)

// Received says how a delivery was taken.
type Received struct {
	ID string
	// Pushes is how many the delivery holds.
	Pushes int
	// Duplicate says that it was taken before, under this id.
	Duplicate bool
}

// Receive commits a delivery with its body and pushes, which are then waiting
// for a decision. It fills in the delivery's id. After an error nothing is
// kept, and the sender must not be told otherwise.
func (l *Ledger) Receive(ctx context.Context, d Delivery, body []byte, pushes []rules.Push) (Received, error) {
	d.ID = newID("d")
	headers, err := json.Marshal(d.Headers, json.Deterministic(true))
	if err != nil {
		return Received{}, fmt.Errorf("store headers: %w", err)
	}
	texts := make([][]byte, len(pushes))
	size := len(body) + len(headers) + 512
	for i := range pushes {
		pushes[i].Delivery = d.ID
		if texts[i], err = json.Marshal(&pushes[i]); err != nil {
			return Received{}, fmt.Errorf("store push: %w", err)
		}
		size += len(texts[i])
	}
	var out Received
	err = l.write.do(ctx, size, func(ctx context.Context, t *txn) error {
		out = Received{ID: d.ID, Pushes: len(pushes)}
		res, err := t.exec(ctx, `INSERT INTO deliveries (id, source, key, received_at, repo, remote, headers, size, note)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, key) DO NOTHING`,
			d.ID, d.Source, nullText(d.Key), micros(d.ReceivedAt), d.Repo, d.Remote, string(headers), len(body), d.Note)
		if err != nil {
			return err
		}
		if added, err := res.RowsAffected(); err != nil {
			return err
		} else if added == 0 {
			return t.repeated(ctx, d, &out)
		}
		n, err := res.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO bodies (delivery, body) VALUES (?, ?)`, n, body); err != nil {
			return err
		}
		for i, p := range pushes {
			if _, err := t.exec(ctx, `INSERT INTO pushes (delivery, seq, push, state, before, after, event) VALUES (?, ?, ?, 'waiting', ?, ?, ?)`,
				n, i, string(texts[i]), p.Before, p.After, string(p.Event)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Received{}, fmt.Errorf("receive a delivery: %w", err)
	}
	return out, nil
}

// repeated finds the delivery that came first, and counts.
func (t *txn) repeated(ctx context.Context, d Delivery, out *Received) error {
	out.Duplicate = true
	var n int64
	if err := t.row(ctx, `SELECT n, id FROM deliveries WHERE source = ? AND key = ?`, []any{d.Source, d.Key}, &n, &out.ID); err != nil {
		return err
	}
	if err := t.row(ctx, `SELECT count(*) FROM pushes WHERE delivery = ?`, []any{n}, &out.Pushes); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE deliveries SET repeats = repeats + 1 WHERE n = ?`, n)
	return err
}

// SaveRules keeps a rule set for explaining what it decides. It comes before
// the first decision under the set.
func (l *Ledger) SaveRules(ctx context.Context, s *rules.Set) error {
	files, err := json.Marshal(s.Files())
	if err != nil {
		return fmt.Errorf("store rules: %w", err)
	}
	err = l.write.do(ctx, len(files), func(ctx context.Context, t *txn) error {
		_, err := t.exec(ctx, `INSERT INTO rule_sets (hash, files, seen_at) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING`,
			s.Hash(), string(files), micros(time.Now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("store rules: %w", err)
	}
	return nil
}

// Rules gives a rule set that was kept, without its secrets.
func (l *Ledger) Rules(ctx context.Context, hash string) (*rules.Set, error) {
	var text string
	err := l.read.QueryRowContext(ctx, `SELECT files FROM rule_sets WHERE hash = ?`, hash).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("rule set %.12s: %w", hash, ErrNotFound)
	}
	var files []rules.File
	if err == nil {
		err = json.Unmarshal([]byte(text), &files)
	}
	if err != nil {
		return nil, explain("read rules", err)
	}
	s, err := rules.LoadFiles(files, rules.Unresolved)
	if err != nil {
		return nil, fmt.Errorf("rule set %.12s was kept but no longer loads: %w", hash, err)
	}
	return s, nil
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// nullMicros stores the zero time as NULL.
func nullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micros(t)
}

func fromMicros(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
