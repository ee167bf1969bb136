package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pushgate/pushgate/gateway"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/rules"
)

func (p *program) serve() *cobra.Command {
	var rulesPath, listen, database, publicURL string
	var proxies []string
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
			// From here on, so that an early one ends nothing.
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			trusted, err := prefixes(proxies)
			if err != nil {
				return err
			}
			reader, err := p.ruleReader(rulesPath)
			if err != nil {
				return err
			}
			first := reader.read()
			if first.err != nil {
				return p.rulesError(rulesPath, first.err)
			}
			set := first.set
			p.tell("warning", filepath.Dir(rulesPath), set.Warnings())
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
				Rules: set, Ledger: l, PublicURL: orURL(publicURL, listener), Pages: isLoopback(listener), TrustedProxies: trusted, Logger: log,
			})
			if err != nil {
				return errors.Join(err, listener.Close(), l.Close())
			}
			log.Info("serving", "listen", listener.Addr().String(), "rules", set.Len(), "hash", set.Hash()[:12], "database", database)
			if !isLoopback(listener) {
				log.Warn("the dashboard is off: it has no sign-in and is served on a loopback address only")
			}
			d.watcher = newWatcher(watchOptions{
				Reader: reader, InForce: first, SetRules: d.gateway.SetRules, Failed: d.gateway.RulesFailed, Hangup: hangup, Logger: log,
			})
			return errors.Join(d.run(ctx), l.Close())
		},
	}
	c.Flags().StringVar(&rulesPath, "rules", p.rulesFlag(), "rule file")
	c.Flags().StringVar(&listen, "listen", p.envDefault("PUSHGATE_LISTEN", "127.0.0.1:8080"), "address to listen on")
	c.Flags().StringVar(&database, "database", p.databaseFlag(), "the ledger: sqlite:FILE")
	c.Flags().StringSliceVar(&proxies, "trusted-proxy", nil, "address or range of proxies whose X-Forwarded-For is believed, for the allow of sources")
	c.Flags().StringVar(&publicURL, "public-url", p.envDefault("PUSHGATE_PUBLIC_URL", ""), "where people reach this, for links (default: the listening address)")
	return c
}

// prefixes reads addresses and ranges of them.
func prefixes(texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range texts {
		p, err := rules.ParseAddresses(text)
		if err != nil {
			return nil, usagef("--trusted-proxy is an address or a range of them, such as 10.0.0.0/8, and not %q", text)
		}
		out = append(out, p)
	}
	return out, nil
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
	watcher  *watcher // nil: the rules stay as they are
}

// run serves until the context ends, then lets requests and starts end.
func (d *daemon) run(ctx context.Context) error {
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
	if d.watcher != nil {
		group.Go(func() error { d.watcher.Run(ctx); return nil })
	}
	return group.Wait()
}
