package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
)

// A turn is a lookup that may be claimed: the number-th of its repository that
// would then be asked for at once.
type turn struct {
	n      int64
	repo   string
	number int
}

// turns gives up to limit due lookups of a source. Those go first of whose
// repositories the fewest are asked for already; repositories that are equal in
// this go in a circle that begins after the one served last. What it costs grows
// with the repositories that it passes over, not with what these ask for.
func (t *txn) turns(ctx context.Context, source, served string, now int64, limit int) ([]turn, error) {
	asked, err := t.askedFor(ctx, source)
	if err != nil {
		return nil, err
	}
	var all []turn
	idle := 0 // repositories found of which nothing is asked for
	repo, wrapped := served, false
	for idle < limit {
		var due int64
		err := t.row(ctx, `SELECT repo, due_at FROM lookups WHERE source = ? AND repo > ? AND ready = 0 AND holder IS NULL ORDER BY repo, due_at LIMIT 1`,
			[]any{source, repo}, &repo, &due)
		none := errors.Is(err, sql.ErrNoRows)
		if err != nil && !none {
			return nil, err
		}
		if wrapped && (none || repo > served) {
			break
		}
		if none {
			repo, wrapped = "", true
			continue
		}
		if due > now {
			continue
		}
		if asked[repo] == 0 {
			idle++
		}
		if all, err = t.appendDue(ctx, all, source, repo, asked[repo], now, limit); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	return all[:min(limit, len(all))], nil
}

// askedFor counts what the host of a source is being asked, by repository.
func (t *txn) askedFor(ctx context.Context, source string) (map[string]int, error) {
	stmt, err := t.stmt(ctx, `SELECT repo FROM lookups INDEXED BY lookups_leased WHERE holder IS NOT NULL AND source = ?`)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, source)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	asked := map[string]int{}
	for rows.Next() {
		var repo string
		if err := rows.Scan(&repo); err != nil {
			return nil, err
		}
		asked[repo]++
	}
	return asked, rows.Err()
}

func (t *txn) appendDue(ctx context.Context, all []turn, source, repo string, asked int, now int64, limit int) ([]turn, error) {
	stmt, err := t.stmt(ctx, `SELECT n FROM lookups WHERE source = ? AND repo = ? AND ready = 0 AND holder IS NULL AND due_at <= ? ORDER BY due_at, n LIMIT ?`)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, source, repo, now, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		asked++
		next := turn{repo: repo, number: asked}
		if err := rows.Scan(&next.n); err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	return all, rows.Err()
}
