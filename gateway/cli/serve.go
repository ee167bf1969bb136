package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pushgate/pushgate/gateway"
	"github.com/pushgate/pushgate/gateway/ledger"
)

func (p *program) serve() *cobra.Command {
	var rulesPath, listen, database, publicURL string
	c := &cobra.Command{
		Use:   "serve",
		Short: "run the gateway",
		Long: "serve receives pushes, decides on them and starts builds. SIGHUP or a changed file reloads the\n" +
			"rules; a bad file keeps the old ones. SIGTERM lets starts under way end. The flags also read\n" +
			"PUSHGATE_RULES, PUSHGATE_LISTEN, PUSHGATE_DATABASE and PUSHGATE_PUBLIC_URL.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			set, err := p.loadRules(rulesPath, p.environment)
			if err != nil {
				return p.rulesError(rulesPath, err)
			}
			p.tell("warning", set.Warnings())
			log := slog.New(slog.NewTextHandler(p.errOut, nil))
			l, err := ledger.Open(ctx, ledger.Options{Database: database, Logger: log})
			if err != nil {
				return err
			}
			listener, err := listenOn(listen)
			if err != nil {
				return errors.Join(err, l.Close())
			}
			d := &daemon{listener: listener, log: log}
			d.gateway, err = gateway.New(gateway.Options{
				Rules: set, Ledger: l, PublicURL: orURL(publicURL, listener), Pages: isLoopback(listener), Logger: log,
			})
			if err != nil {
				return errors.Join(err, listener.Close(), l.Close())
			}
			log.Info("serving", "listen", listener.Addr().String(), "rules", set.Len(), "hash", set.Hash()[:12], "database", database)
			if !isLoopback(listener) {
				log.Warn("the dashboard is off: it has no sign-in and is served on a loopback address only")
			}
			d.reload = func(ctx context.Context) error {
				set, err := p.loadRules(rulesPath, p.environment)
				if err != nil {
					return err
				}
				if set.Hash() == d.gateway.Rules().Hash() && !d.forced {
					return nil
				}
				if err := d.gateway.SetRules(ctx, set); err != nil {
					return err
				}
				log.Info("rules reloaded", "rules", set.Len(), "hash", set.Hash()[:12])
				return nil
			}
			return errors.Join(d.run(ctx, rulesPath), l.Close())
		},
	}
	c.Flags().StringVar(&rulesPath, "rules", p.rulesFlag(), "rule file")
	c.Flags().StringVar(&listen, "listen", p.envDefault("PUSHGATE_LISTEN", "127.0.0.1:8080"), "address to listen on")
	c.Flags().StringVar(&database, "database", p.databaseFlag(), "the ledger: sqlite:FILE")
	c.Flags().StringVar(&publicURL, "public-url", p.envDefault("PUSHGATE_PUBLIC_URL", ""), "where people reach this, for links (default: the listening address)")
	return c
}

func listenOn(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program listens on %s; stop it, or choose another address with --listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w; write it as 127.0.0.1:8080", address, err)
	}
	return l, nil
}

func isLoopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// orURL is the public address, or the one listened on.
func orURL(public string, l net.Listener) string {
	if public != "" {
		return strings.TrimRight(public, "/")
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", a.Port)
	}
	return "http://" + l.Addr().String()
}

// A daemon is a gateway with its listener.
type daemon struct {
	gateway  *gateway.Gateway
	listener net.Listener
	log      *slog.Logger
	// reload puts the rules as they are now in force, nil: never.
	reload func(context.Context) error
	forced bool // reload even unchanged files: what they name may have changed
}

// run serves until the context ends, then lets requests and starts end.
func (d *daemon) run(ctx context.Context, rulesPath string) error {
	server := &http.Server{
		Handler:           d.gateway.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.gateway.Run(ctx) })
	group.Go(func() error {
		if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		d.log.Info("stopping")
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			return errors.Join(server.Close(), fmt.Errorf("requests did not end in time: %w", err))
		}
		return nil
	})
	if d.reload != nil {
		group.Go(func() error { d.watch(ctx, rulesPath); return nil })
	}
	return group.Wait()
}

// watch reloads on SIGHUP and when something happens in the rule file's folder,
// which is also what swapping a symbolic link looks like.
func (d *daemon) watch(ctx context.Context, path string) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	var events chan fsnotify.Event
	var trouble chan error
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		if err = w.Add(filepath.Dir(path)); err == nil {
			events, trouble = w.Events, w.Errors
		}
	}
	if err != nil {
		d.log.Warn("changes of the rule file are not noticed; send SIGHUP after one", "error", err)
	}
	// Other files in the folder change as well, the ledger for one.
	last, _ := os.Stat(path)
	changed := func() bool {
		now, err := os.Stat(path)
		was := last
		last = now
		if err != nil || was == nil {
			return err == nil
		}
		return !os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) || was.Size() != now.Size()
	}
	// An editor writes in several steps: look when it has been quiet a moment.
	settle := time.NewTimer(time.Hour)
	defer settle.Stop()
	for {
		d.forced = false
		select {
		case <-ctx.Done():
			return
		case <-events:
			settle.Reset(200 * time.Millisecond)
			continue
		case err := <-trouble: // events may have been missed
			d.log.Warn("watching the rule file", "error", err)
			settle.Reset(200 * time.Millisecond)
			continue
		case <-hup:
			d.forced = true
		case <-settle.C:
			if !changed() {
				continue
			}
		}
		if err := d.reload(ctx); err != nil {
			d.log.Error("the rules were not reloaded; those in force stay", "error", err)
		}
	}
}
