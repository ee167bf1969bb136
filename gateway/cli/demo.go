package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/gateway"
	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/gateway/web"
	"github.com/pushgate/pushgate/rules"
)

// demoToken opens the demo's source; the demo listens on loopback and keeps
// nothing.
const demoToken = "demo"

// samples are the pushes the demo sends, the two of the POST service's
// documentation.
var samples = [...]string{"examples/bitbucket-post/git.json", "examples/bitbucket-post/mercurial.json"}

func (p *program) demo() *cobra.Command {
	var listen string
	var once, asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "see it work: the starter rules with simulated servers and sample pushes",
		Long: "demo runs the gateway with the starter rules, a temporary ledger and simulated Jenkins and Bamboo\n" +
			"servers in this process, sends it two sample pushes and shows what becomes of them.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return p.runDemo(ctx, listen, once, asJSON)
		},
	}
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "address to listen on; port 0 picks a free one")
	c.Flags().BoolVar(&once, "once", false, "end when all builds ended")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) runDemo(ctx context.Context, listen string, once, asJSON bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "pushgate-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's ledger: %w", err)
	}
	defer os.RemoveAll(dir)
	listener, err := listenOn(listen)
	if err != nil {
		return err
	}
	if !isLoopback(listener) {
		return errors.Join(usagef("the demo's token is known to all: it listens on loopback addresses only"), listener.Close())
	}
	sims, err := simulators("127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer sims.close()

	set, err := rules.Load(p.files, "rules.yaml", sims.lookup)
	if err != nil {
		return errors.Join(p.rulesError("rules.yaml", err), listener.Close())
	}
	log := slog.New(slog.DiscardHandler)
	l, err := ledger.Open(ctx, ledger.Options{Database: "sqlite:" + filepath.Join(dir, "ledger.db"), Logger: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	base := orURL("", listener)
	g, err := gateway.New(gateway.Options{Rules: set, Ledger: l, PublicURL: base, Pages: true, Logger: log, FollowEvery: 100 * time.Millisecond})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ended := make(chan error, 1)
	d := &daemon{gateway: g, listener: listener, log: log}
	go func() { ended <- d.run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()

	if !asJSON {
		fmt.Fprintf(p.out, "pushgate demo: the starter rules (%s), a temporary ledger, and\n  a simulated Jenkins at %s\n  a simulated Bamboo at  %s\n\n", count(set.Len(), "rule"), sims.jenkinsURL, sims.bambooURL)
	}
	views, err := p.sendSamples(ctx, base, l, set)
	if err != nil {
		return err
	}
	if asJSON {
		if err := p.printJSON(web.Page[web.DeliveryView]{Items: views}); err != nil {
			return err
		}
	} else {
		for i := range views {
			p.printDelivery(&views[i])
			fmt.Fprintln(p.out)
		}
	}
	if once {
		return nil
	}
	fmt.Fprintf(p.errOut, `Still serving; Ctrl-C ends it. What to try next:
  the pages, with each decision rule by rule:  %[1]s/
  send a push again (it is a repeat):          curl --data-urlencode payload@%[3]s '%[1]s/hooks/bitbucket?token=%[2]s'
  ask why, without any server:                 ./pushgate explain --rules rules.yaml --repo marcus/project-x --branch master --file docs/a.md
`, base, demoToken, samples[0])
	<-ctx.Done()
	return nil
}

// sendSamples posts the sample pushes and waits until all their builds ended.
func (p *program) sendSamples(ctx context.Context, base string, l *ledger.Ledger, set *rules.Set) ([]web.DeliveryView, error) {
	pages, err := web.New(web.Options{Ledger: l, Rules: func() *rules.Set { return set }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range samples {
		text, err := fs.ReadFile(p.files, name)
		if err != nil {
			return nil, fmt.Errorf("read sample: %w", err)
		}
		id, err := post(ctx, base+"/hooks/bitbucket?token="+demoToken, text)
		if err != nil {
			return nil, fmt.Errorf("send %s: %w", name, err)
		}
		ids = append(ids, id)
	}
	for {
		pushes, builds, err := l.Unfinished(ctx)
		if err != nil {
			return nil, err
		}
		if pushes+builds == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("ended before all builds did")
		case <-time.After(50 * time.Millisecond):
		}
	}
	var views []web.DeliveryView
	for _, id := range ids {
		d, err := l.Delivery(ctx, id)
		if err != nil {
			return nil, err
		}
		v, err := pages.View(ctx, d, true)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// post sends a body as the POST service does and gives the delivery's id.
func post(ctx context.Context, address string, payload []byte) (string, error) {
	form := url.Values{"payload": {string(payload)}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return "", err
	}
	var got struct {
		Delivery string `json:"delivery"`
	}
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal(text, &got) != nil {
		return "", fmt.Errorf("answered %s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return got.Delivery, nil
}

// serveOn serves a handler on an address until close.
func serveOn(address string, h http.Handler) (base string, closeServer func(), err error) {
	l, err := listenOn(address)
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	return "http://" + l.Addr().(*net.TCPAddr).String(), func() { s.Close(); <-done }, nil
}
