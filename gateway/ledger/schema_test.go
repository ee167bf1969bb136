package ledger

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

// TestMigrate: deliveries that wait in a ledger of an older version are decided by
// this one, behind those it knew.
func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	db, err := openPool(path, "rwc", 1)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := fs.Sub(schema, "schema")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO deliveries (n, salt, source, received_at, repo, remote, headers, size, pushes, note) VALUES (1, 1, 'broker', 1, 'Acme/Shop', '', '{}', 0, 1, ''), (2, 2, 'broker', 1, 'Acme/Shop', '', '{}', 0, 1, '')`,
		`INSERT INTO refs (n, source, repo, kind, name, head, newest) VALUES (1, 'broker', 'acme/shop', 'branch', 'main', '` + one + `', 1)`,
		`INSERT INTO pushes (n, delivery, push, state, ref, before, after, event, late, gap, decided_at, rules, matched) VALUES (1, 1, '{}', 'decided', 1, '', '` + one + `', 'create', 0, 0, 1, '', '[]')`,
		`INSERT INTO arrivals (delivery, pushes) VALUES (2, '[{"source":"broker","repo":"Acme/Shop","kind":"branch","ref":"main","event":"push","before":"` + one + `","after":"` + two + `","files":{"completeness":"unknown","paths":[]}}]')`,
	} {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	l := openAt(t, path)
	if v := decideLacking(t, l, "main"); len(v) != 1 || !v[0].Waits {
		t.Fatalf("%+v", v)
	}
	q := claimLookups(t, l, 1)
	if err := l.FinishLookup(t.Context(), &q[0], Found{Push: q[0].Push, Ready: true}); err != nil {
		t.Fatal(err)
	}
	if list := found(t, l); len(list) != 1 || allBuilds(t, l) != 1 || gaps(t, l) != 0 {
		t.Errorf("%+v, %d builds, %d gaps", list, allBuilds(t, l), gaps(t, l))
	}
}

// TestPlans: no statement of the work with code hosts reads a whole table. (That of
// a transaction are those it has prepared.)
func TestPlans(t *testing.T) {
	l, _ := open(t)
	_, q := unnamed(t, l)
	look(t, l, q, map[string]string{"main": one})
	_, q = unnamed(t, l)
	look(t, l, q, map[string]string{"main": two})
	receive(t, l, "1", push(two, three))
	reporting(t, l, "api", "docs")
	asked := claimLookups(t, l, 4)
	if err := l.FinishLookup(t.Context(), &asked[0], Found{Push: asked[0].Push, Ready: true}); err != nil {
		t.Fatal(err)
	}
	found(t, l)
	s := claimStatuses(t, l)
	for i := range s {
		if err := l.FinishStatus(t.Context(), &s[i], "", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	to(t, l, Succeeded)
	if _, err := l.Recover(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	queries := []string{foundQuery, nextLookupQuery, nextStatusQuery, statusesQuery}
	for query := range l.write.stmts {
		queries = append(queries, query)
	}
	whole := regexp.MustCompile(`^SCAN (q|o|s|d|p|r|b|lookups|statuses|refs|pushes|builds|deliveries)\b`)
	for _, query := range queries {
		rows, err := l.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, make([]any, parameters(query))...)
		plan, err := scanAll(rows, err, func(rows *sql.Rows, s *string) error {
			var id, parent, unused int
			return rows.Scan(&id, &parent, &unused, s)
		})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		for _, step := range plan {
			if whole.MatchString(step) && !regexp.MustCompile(`INDEX lookups_(leased|ready)`).MatchString(step) {
				t.Errorf("%s\n%s", query, step)
			}
		}
	}
}

// parameters counts those of a query, numbered or not.
func parameters(query string) int {
	numbered := map[string]bool{}
	n := 0
	for _, p := range regexp.MustCompile(`\?\d*`).FindAllString(query, -1) {
		if p == "?" {
			n++
		} else {
			numbered[p] = true
		}
	}
	return n + len(numbered)
}
