package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
)

// Group commit: as much as waits, up to these bounds, is one transaction.
const (
	maxBatch      = 256
	maxBatchBytes = 4 << 20
)

// A writer owns the one connection that writes.
type writer struct {
	db     *sql.DB
	conn   *sql.Conn
	logger *slog.Logger
	jobs   chan *job
	ended  chan struct{}

	closing sync.RWMutex // held for reading while a job is handed over
	closed  bool

	mu   sync.Mutex
	last error // why the newest commit failed; nil after one that worked

	stmts map[string]*sql.Stmt
}

// A job is a change to be made inside the next transaction.
type job struct {
	apply func(context.Context, *txn) error
	size  int // bytes it will write, roughly
	err   chan error
}

// A txn runs statements inside the writer's transaction; they are prepared
// once.
type txn struct{ w *writer }

func newWriter(db *sql.DB, logger *slog.Logger) (*writer, error) {
	return &writer{db: db, logger: logger, jobs: make(chan *job, maxBatch), ended: make(chan struct{}), stmts: map[string]*sql.Stmt{}}, nil
}

func (w *writer) start(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	go w.run()
	return nil
}

// do has apply run in a transaction and returns after its commit. apply may run
// twice, and must have no effect but through its txn and what it overwrites.
func (w *writer) do(ctx context.Context, size int, apply func(context.Context, *txn) error) error {
	j := &job{apply: apply, size: size, err: make(chan error, 1)}
	w.closing.RLock()
	if w.closed {
		w.closing.RUnlock()
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	select {
	case w.jobs <- j:
		w.closing.RUnlock()
	case <-ctx.Done():
		w.closing.RUnlock()
		return fmt.Errorf("%w: it is too busy (%w)", ErrUnavailable, context.Cause(ctx))
	}
	// The job is in the queue and will be committed or fail; leaving early
	// would make its outcome unknown.
	return <-j.err
}

func (w *writer) close() error {
	w.closing.Lock()
	if w.closed {
		w.closing.Unlock()
		return nil
	}
	w.closed = true
	close(w.jobs)
	w.closing.Unlock()
	if w.conn != nil {
		<-w.ended
		for _, s := range w.stmts {
			s.Close()
		}
		w.conn.Close()
	}
	return w.db.Close()
}

func (w *writer) health() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func (w *writer) run() {
	defer close(w.ended)
	var batch []*job
	for first := range w.jobs {
		batch = w.gather(append(batch[:0], first))
		errs := w.commit(batch)
		for i, j := range batch {
			j.err <- errs[i]
		}
	}
}

// gather takes everything that waits. Those who wait for the last commit's
// answer need a moment on a processor to come back with more, so it gives the
// processor away a few times before it looks; no timer is involved.
func (w *writer) gather(batch []*job) []*job {
	size := batch[0].size
	for range 4 {
		runtime.Gosched()
	}
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return batch
			}
			batch = append(batch, j)
			size += j.size
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch in one transaction. If a job fails, each gets a
// transaction of its own, so that it fails alone; if the commit itself fails,
// nothing was written and all of them are told.
func (w *writer) commit(batch []*job) []error {
	errs := make([]error, len(batch))
	jobErr, err := w.transact(batch)
	switch {
	case err == nil && jobErr == nil:
	case jobErr != nil && len(batch) > 1 && !errors.Is(jobErr, ErrUnavailable):
		for i := range batch {
			jobErr, err = w.transact(batch[i : i+1])
			errs[i] = errors.Join(jobErr, err)
		}
	default:
		for i := range errs {
			errs[i] = errors.Join(jobErr, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.last
	w.last = err
	if errors.Is(jobErr, ErrUnavailable) {
		w.last = jobErr
	}
	switch {
	case was == nil && w.last != nil:
		w.logger.Error("the ledger cannot commit; senders get 503 until it can", "error", w.last)
	case was != nil && w.last == nil:
		w.logger.Info("the ledger commits again")
	}
	return errs
}

func (w *writer) transact(batch []*job) (jobErr, err error) {
	ctx := context.Background()
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, unavailable("begin", err)
	}
	t := &txn{w}
	for _, j := range batch {
		if jobErr = w.apply(ctx, t, j); jobErr != nil {
			w.rollback(ctx)
			return jobErr, nil
		}
	}
	if _, err := w.conn.ExecContext(ctx, "COMMIT"); err != nil {
		w.rollback(ctx)
		return nil, unavailable("commit", err)
	}
	return nil, nil
}

// apply runs one job; a panic in it is that job's error and no other's.
func (w *writer) apply(ctx context.Context, t *txn, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write to the ledger: panic: %v", p)
		}
	}()
	return explain("write to the ledger", j.apply(ctx, t))
}

func (w *writer) rollback(ctx context.Context) {
	// SQLite may have rolled back by itself, which makes this an error of no
	// consequence; a transaction that stays open fails the next BEGIN, loudly.
	_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
}

func unavailable(doing string, err error) error {
	if e := explain(doing, err); errors.Is(e, ErrUnavailable) {
		return e
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

func (t *txn) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.w.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.w.stmts[query] = s
	return s, nil
}

func (t *txn) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (t *txn) row(ctx context.Context, query string, args []any, into ...any) error {
	s, err := t.stmt(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(into...)
}
