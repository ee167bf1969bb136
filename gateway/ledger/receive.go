package ledger

import (
	"context"
	"crypto/sha256"
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

// Receive commits a delivery with its body and pushes, which then wait for a
// decision; one with Look set waits too, without any. After an error nothing is kept, and the sender must not be told
// otherwise.
func (l *Ledger) Receive(ctx context.Context, d Delivery, body []byte, pushes []rules.Push) (Received, error) {
	headers, err := json.Marshal(d.Headers, json.Deterministic(true))
	if err != nil {
		return Received{}, fmt.Errorf("store headers: %w", err)
	}
	text, err := json.Marshal(pushes)
	if err != nil {
		return Received{}, fmt.Errorf("store pushes: %w", err)
	}
	key := repeatKey(d.Source, d.Key)
	salt := newSalt()
	var out Received
	err = l.write.do(ctx, len(body)+len(text)+512, func(ctx context.Context, t *txn) error {
		res, err := t.exec(ctx, `INSERT INTO deliveries (salt, source, key, received_at, repo, remote, headers, size, pushes, note)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) WHERE key IS NOT NULL DO NOTHING`,
			salt, d.Source, key, micros(d.ReceivedAt), d.Repo, d.Remote, string(headers), len(body), len(pushes), d.Note)
		if err != nil {
			return err
		}
		if added, err := res.RowsAffected(); err != nil {
			return err
		} else if added == 0 {
			out, err = t.repeated(ctx, key)
			return err
		}
		n, err := res.LastInsertId()
		if err != nil {
			return err
		}
		out = Received{ID: makeID(deliveryPrefix, n, salt), Pushes: len(pushes)}
		if _, err := t.exec(ctx, `INSERT INTO bodies (delivery, body) VALUES (?, ?)`, n, body); err != nil {
			return err
		}
		if len(pushes) > 0 || d.Look {
			_, err = t.exec(ctx, `INSERT INTO arrivals (delivery, pushes, look) VALUES (?, ?, ?)`, n, string(text), d.Look)
		}
		return err
	})
	if err != nil {
		return Received{}, fmt.Errorf("receive a delivery: %w", err)
	}
	return out, nil
}

// repeatKey is what the index of keys holds: a key is its source's own.
func repeatKey(source, key string) []byte {
	if key == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(source + "\x00" + key))
	return sum[:16]
}

// repeated finds the delivery that came first, and counts.
func (t *txn) repeated(ctx context.Context, key []byte) (Received, error) {
	out := Received{Duplicate: true}
	var n, salt int64
	if err := t.row(ctx, `SELECT n, salt, pushes FROM deliveries WHERE key = ?`, []any{key}, &n, &salt, &out.Pushes); err != nil {
		return out, err
	}
	out.ID = makeID(deliveryPrefix, n, salt)
	_, err := t.exec(ctx, `UPDATE deliveries SET repeats = repeats + 1 WHERE n = ?`, n)
	return out, err
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
