package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pushgate/pushgate/rules"
)

// askHeads has the branches of an arrival's repository asked for: always where
// its body names none, else once.
func (t *txn) askHeads(ctx context.Context, a *Arrival) error {
	look, repo := LookMoved, strings.ToLower(a.Repo)
	if !a.Look {
		look = LookKnown
		var one int
		err := t.row(ctx, `SELECT 1 FROM looks WHERE source = ?1 AND repo = ?2 UNION ALL SELECT 1 FROM lookups WHERE source = ?1 AND repo = ?2 AND kind = '' LIMIT 1`,
			[]any{a.Source, repo}, &one)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	push, err := json.Marshal(rules.Push{Source: a.Source, Repo: a.Repo})
	if err != nil {
		return err
	}
	now := time.Now()
	_, err = t.exec(ctx, `INSERT INTO lookups (delivery, source, repo, kind, name, look, push, lacks, ready, due_at, until) VALUES (?, ?, ?, '', '', ?, ?, '{}', 0, ?, ?)`,
		a.n, a.Source, repo, look, string(push), micros(now), micros(now.Add(LookTime)))
	return err
}

// A look's answer may be older than a push that was decided about meanwhile, since
// hosts answer from copies of themselves that lag behind: where it contradicts one
// decided up to lookLag before the look began, the host is asked again, lookTries
// times at most.
const (
	lookLag   = 2 * time.Second
	lookTries = 6
)

// FinishLook compares a repository's branches, by short name with their commits,
// with the heads known here. Those unknown at the first look are recorded, those
// gone by then forgotten, and neither starts anything. Those that moved since
// become pushes of the look's delivery, which lacks says what to ask about. It
// gives their names, or says that the answer may be old and the look goes on.
func (l *Ledger) FinishLook(ctx context.Context, q *Lookup, heads map[string]string, lacks func(*rules.Push) rules.Lacks) (moved []string, again bool, err error) {
	err = l.write.do(ctx, 256*len(heads), func(ctx context.Context, t *txn) (err error) {
		moved, again, err = t.finishLook(ctx, l, q, heads, lacks)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("finish a look at %s: %w", q.Repo, err)
	}
	return moved, again, nil
}

func (t *txn) finishLook(ctx context.Context, l *Ledger, q *Lookup, heads map[string]string, lacks func(*rules.Push) rules.Lacks) ([]string, bool, error) {
	known, err := t.knownHeads(ctx, q)
	if err != nil {
		return nil, false, err
	}
	if q.Look == LookMoved && q.Tries < lookTries && contradicts(heads, known) {
		return nil, true, t.fenced(ctx, `UPDATE lookups SET due_at = ?, holder = NULL, lease_end = NULL WHERE n = ? AND holder = ? AND lease = ?`,
			micros(time.Now().Add(lookLag)), q.N, l.node, q.lease)
	}
	if err := t.fenced(ctx, `DELETE FROM lookups WHERE n = ? AND holder = ? AND lease = ?`, q.N, l.node, q.lease); err != nil {
		return nil, false, err
	}
	res, err := t.exec(ctx, `INSERT INTO looks (source, repo, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, q.Source, q.Repo, micros(time.Now()))
	if err != nil {
		return nil, false, err
	}
	added, err := res.RowsAffected()
	if err != nil {
		return nil, false, err
	}
	first := added > 0
	if first {
		if err := t.firstLook(ctx, q, heads, known); err != nil {
			return nil, false, err
		}
	}
	if q.Look != LookMoved {
		return nil, false, nil // whoever moved them says so in a push of its own
	}
	var names []string
	for _, p := range moves(q, heads, known, first) {
		if err := t.addLookup(ctx, q.n, &p, lacks(&p), "", l.asking); err != nil {
			return nil, false, err
		}
		names = append(names, p.Ref)
	}
	return names, false, t.noteLook(ctx, q, first, names)
}

// A knownHead is what the ledger knows of a branch.
type knownHead struct {
	commit string // empty: deleted or unknown
	fresh  bool   // by a push that was decided about when the look had begun, or just before
}

// contradicts says that branches are not where pushes have just put them.
func contradicts(heads map[string]string, known map[string]knownHead) bool {
	for name, k := range known {
		if k.fresh && !sameCommit(k.commit, heads[name]) {
			return true
		}
	}
	return false
}

// firstLook records branches that are not known yet, and forgets those that are
// gone: when, nobody can tell.
func (t *txn) firstLook(ctx context.Context, q *Lookup, heads map[string]string, known map[string]knownHead) error {
	for name, head := range heads {
		if _, is := known[name]; is {
			continue
		}
		if _, err := t.exec(ctx, `INSERT INTO refs (source, repo, kind, name, head, newest) VALUES (?, ?, 'branch', ?, ?, 0)`, q.Source, q.Repo, name, head); err != nil {
			return err
		}
	}
	for name, k := range known {
		if _, is := heads[name]; is || k.fresh {
			continue
		}
		if _, err := t.exec(ctx, `UPDATE refs SET head = '', newest = 0 WHERE source = ? AND repo = ? AND kind = 'branch' AND name = ?`, q.Source, q.Repo, name); err != nil {
			return err
		}
	}
	return nil
}

// moves gives a push for each branch that is not where it is known to be. At the
// first look those that came and went are none.
func moves(q *Lookup, heads map[string]string, known map[string]knownHead, first bool) []rules.Push {
	var out []rules.Push
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		if k, is := known[name]; !sameCommit(k.commit, heads[name]) && (is || !first) {
			out = append(out, moveOf(q, name, k.commit, heads[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if _, is := heads[name]; !is && !first && known[name].commit != "" {
			out = append(out, moveOf(q, name, known[name].commit, ""))
		}
	}
	return out
}

// moveOf is the push that a branch's two heads tell of; an empty one is none.
func moveOf(q *Lookup, name, before, after string) rules.Push {
	p := rules.Push{
		Source: q.Source, Repo: q.Push.Repo, Kind: rules.Branch, Ref: name, Event: rules.Pushed, Before: before, After: after, Asked: true,
		Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}},
	}
	switch {
	case after == "":
		p.Event, p.Files.Completeness = rules.Deleted, rules.Complete
	case before == "":
		p.Event = rules.Created
	}
	return p
}

// noteLook tells on the delivery what came of the look.
func (t *txn) noteLook(ctx context.Context, q *Lookup, first bool, names []string) error {
	what := "no branch has moved since the last look"
	switch {
	case len(names) > 0:
		what = "moved: " + strings.Join(names[:min(len(names), 20)], ", ")
		if len(names) > 20 {
			what += fmt.Sprintf(" and %d more", len(names)-20)
		}
	case first:
		what = "the first look records the branches and starts nothing"
	}
	_, err := t.exec(ctx, `UPDATE deliveries SET pushes = ?, note = note || '; the code host was asked: ' || ? WHERE n = ?`, len(names), what, q.n)
	return err
}

// knownHeads gives the branches of a repository that are known here.
func (t *txn) knownHeads(ctx context.Context, q *Lookup) (map[string]knownHead, error) {
	stmt, err := t.stmt(ctx, `SELECT r.name, r.head, coalesce(p.decided_at, 0) > ? FROM refs r LEFT JOIN pushes p ON p.n = r.newest
		WHERE r.source = ? AND r.repo = ? AND r.kind = 'branch'`)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, micros(q.asked.Add(-lookLag)), q.Source, q.Repo)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := map[string]knownHead{}
	for rows.Next() {
		var name string
		var k knownHead
		if err := rows.Scan(&name, &k.commit, &k.fresh); err != nil {
			return nil, err
		}
		known[name] = k
	}
	return known, rows.Err()
}

// LookAgain has a look that failed tried again at a time; a zero time, or one
// after its end, gives it up and says so on its delivery.
func (l *Ledger) LookAgain(ctx context.Context, q *Lookup, at time.Time, reason string) error {
	given := at.IsZero() || at.After(q.Until)
	err := l.write.do(ctx, 0, func(ctx context.Context, t *txn) error {
		if !given {
			return t.fenced(ctx, `UPDATE lookups SET due_at = ?, reason = ?, holder = NULL, lease_end = NULL WHERE n = ? AND holder = ? AND lease = ?`,
				micros(at), reason, q.N, l.node, q.lease)
		}
		if err := t.fenced(ctx, `DELETE FROM lookups WHERE n = ? AND holder = ? AND lease = ?`, q.N, l.node, q.lease); err != nil || q.Look != LookMoved {
			return err
		}
		_, err := t.exec(ctx, `UPDATE deliveries SET note = note || '; the code host could not be asked: ' || ? WHERE n = ?`, reason, q.n)
		return err
	})
	if err != nil {
		return fmt.Errorf("put off a look at %s: %w", q.Repo, err)
	}
	return nil
}

// endLooks gives up looks that nobody took in their time: their source is gone.
func (t *txn) endLooks(ctx context.Context, now int64) error {
	const over = `look <> '' AND until <= ? AND holder IS NULL`
	if _, err := t.exec(ctx, `UPDATE deliveries SET note = note || '; the code host was not asked: its source has no api any more'
		WHERE n IN (SELECT delivery FROM lookups WHERE look = 'moved' AND `+over+`)`, now); err != nil {
		return err
	}
	_, err := t.exec(ctx, `DELETE FROM lookups WHERE `+over, now)
	return err
}
