package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed schema/*.sql
var schema embed.FS

// minSQLite is the first version without a bug that could reset a write-ahead
// log another connection still reads.
const minSQLite = 3_051_003

// Options say which ledger to open.
type Options struct {
	// Database is "sqlite:PATH".
	Database string
	// ReadOnly opens it beside a running gateway, to look only.
	ReadOnly bool
	// LookupTime is how long a push waits at most for what its code host is asked;
	// 0: [LookupTime].
	LookupTime time.Duration
	Logger     *slog.Logger
}

// A Ledger is an open ledger.
type Ledger struct {
	read   *sql.DB
	write  *writer // nil when read-only
	lock   *flock.Flock
	node   string // random per Open, names the holder of leases
	asking time.Duration
	served map[string]string // by source, the repository that a lookup was claimed of last; the writer's own
	logger *slog.Logger
}

// Open opens the ledger and brings its schema up to date. It refuses a file
// that another process serves.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	path, err := sqlitePath(o.Database)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.LookupTime == 0 {
		o.LookupTime = LookupTime
	}
	l := &Ledger{logger: o.Logger, node: rand.Text(), asking: o.LookupTime, served: map[string]string{}}
	if o.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open ledger %s: there is none yet; pushgate serve makes it (%w)", path, err)
		}
		if l.read, err = openPool(path, "ro", runtime.NumCPU()); err != nil {
			return nil, err
		}
		if err := l.check(ctx, path); err != nil {
			l.Close()
			return nil, err
		}
		return l, nil
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return nil, fmt.Errorf("open ledger %s: its folder does not exist; make it first", path)
	}
	l.lock = flock.New(path + ".lock")
	switch got, err := l.lock.TryLock(); {
	case err != nil:
		return nil, explain("lock ledger "+path, err)
	case !got:
		return nil, fmt.Errorf("open ledger %s: another pushgate serves it; stop that one, or name another file with --database", path)
	}
	if err := l.open(ctx, path); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, path string) error {
	db, err := openPool(path, "rwc", 1)
	if err != nil {
		return err
	}
	if l.write, err = newWriter(db, l.logger); err != nil {
		return err
	}
	if err := migrate(ctx, db, path); err != nil {
		return err
	}
	if err := l.write.start(ctx); err != nil {
		return explain("open ledger "+path, err)
	}
	if l.read, err = openPool(path, "ro", max(2, runtime.NumCPU())); err != nil {
		return err
	}
	return l.check(ctx, path)
}

// Close waits for writes under way and closes the files.
func (l *Ledger) Close() error {
	var errs []error
	if l.write != nil {
		errs = append(errs, l.write.close())
	}
	if l.read != nil {
		errs = append(errs, l.read.Close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Ready says whether the ledger answers.
func (l *Ledger) Ready(ctx context.Context) error {
	var one int
	if err := l.read.QueryRowContext(ctx, "SELECT 1 FROM rule_sets UNION SELECT 1 LIMIT 1").Scan(&one); err != nil {
		return explain("read the ledger", err)
	}
	if l.write != nil {
		return l.write.health()
	}
	return nil
}

func sqlitePath(database string) (string, error) {
	path, ok := strings.CutPrefix(database, "sqlite:")
	switch {
	case ok && path != "":
		return path, nil
	case strings.HasPrefix(database, "postgres"):
		return "", errors.New("open ledger: this version keeps its ledger in SQLite only; write sqlite:pushgate.db")
	}
	return "", fmt.Errorf("open ledger: %q names no database; write sqlite:pushgate.db", database)
}

// openPool opens connections to the file: the one that writes (mode rwc), or
// some that can only read (mode ro).
func openPool(path, mode string, conns int) (*sql.DB, error) {
	q := url.Values{"mode": {mode}, "_pragma": {"busy_timeout(5000)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	if mode == "ro" {
		q.Add("_pragma", "query_only(1)")
	} else {
		q["_pragma"] = append(q["_pragma"], "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(full)", "wal_autocheckpoint(4000)")
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, explain("open ledger "+path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// migrate applies the schema's new steps, one after another, each in its own
// transaction; the file's lock is held.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	steps, err := fs.Sub(schema, "schema")
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps, goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false))
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return explain("open ledger "+path, err)
	}
	if have > want {
		return fmt.Errorf("open ledger %s: a newer pushgate wrote it (schema %d, this one knows %d); use that version, or restore a backup", path, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return explain("bring ledger "+path+" up to date", err)
	}
	return nil
}

// check refuses a SQLite with a known bug and a file that is no ledger.
func (l *Ledger) check(ctx context.Context, path string) error {
	var version string
	if err := l.read.QueryRowContext(ctx, "SELECT sqlite_version() FROM deliveries UNION ALL SELECT sqlite_version() LIMIT 1").Scan(&version); err != nil {
		return explain("open ledger "+path, err)
	}
	n := 0
	for _, part := range strings.SplitN(version, ".", 3) {
		v, _ := strconv.Atoi(part)
		n = n*1000 + v
	}
	if n < minSQLite {
		return fmt.Errorf("open ledger: SQLite %s has a bug in its write-ahead log; build with a newer modernc.org/sqlite", version)
	}
	return nil
}

// explain puts SQLite's errors into words that say what to do.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		what := ""
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			what = "another program holds the file; close it"
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			what = "the file or its folder is read-only; make both writable for the user that runs pushgate"
		case sqlite3.SQLITE_FULL:
			what = "the disk is full; free some space, nothing acknowledged is lost"
		case sqlite3.SQLITE_IOERR:
			what = "the disk reports an error; look at the system's log"
		case sqlite3.SQLITE_CANTOPEN:
			what = "the file cannot be opened; check its folder and permissions"
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			what = "the file is damaged or no ledger; move it away or restore a backup"
		}
		if what != "" {
			return fmt.Errorf("%s: %w: %s (%w)", doing, ErrUnavailable, what, err)
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w: no permission; make the file and its folder writable for the user that runs pushgate (%w)", doing, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
