package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/gateway/ledger"
	"github.com/pushgate/pushgate/gateway/web"
	"github.com/pushgate/pushgate/rules"
)

// databaseFlag is the default of --database.
func (p *program) databaseFlag() string {
	return p.envDefault("PUSHGATE_DATABASE", "sqlite:pushgate.db")
}

// look opens the ledger beside a running gateway.
func (p *program) look(ctx context.Context, database string) (*ledger.Ledger, *web.Pages, error) {
	l, err := ledger.Open(ctx, ledger.Options{Database: database, ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	pages, err := web.New(web.Options{Ledger: l, Rules: func() *rules.Set { return &rules.Set{} }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, pages, nil
}

func (p *program) deliveries() *cobra.Command {
	var database, state string
	var since time.Duration
	var f ledger.Filter
	var asJSON bool
	c := &cobra.Command{
		Use:   "deliveries",
		Short: "list what was received, newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.State = ledger.State(state); state != "" && !slices.Contains(ledger.States(), f.State) {
				return usagef("--state is one of %s", strings.Trim(fmt.Sprint(ledger.States()), "[]"))
			}
			if f.Limit < 1 {
				return usagef("--limit must be at least 1")
			}
			if since > 0 {
				f.Since = time.Now().Add(-since)
			}
			l, pages, err := p.look(c.Context(), database)
			if err != nil {
				return err
			}
			defer l.Close()
			list, err := l.Deliveries(c.Context(), f)
			if err != nil {
				return err
			}
			page := web.Page[web.DeliveryView]{Items: []web.DeliveryView{}}
			for _, d := range list {
				v, err := pages.View(c.Context(), d, false)
				if err != nil {
					return err
				}
				page.Items = append(page.Items, v)
			}
			if len(list) == f.Limit {
				page.Next = list[len(list)-1].ID
			}
			if asJSON {
				return p.printJSON(page)
			}
			p.printDeliveries(page.Items)
			return nil
		},
	}
	c.Flags().StringVar(&database, "database", p.databaseFlag(), "the ledger")
	c.Flags().StringVar(&f.Repo, "repo", "", "only of this owner/name")
	c.Flags().StringVar(&f.Branch, "branch", "", "only with a push of this branch")
	c.Flags().StringVar(&state, "state", "", "only with a build in this state")
	c.Flags().StringVar(&f.Rule, "rule", "", "only where this rule matched")
	c.Flags().DurationVar(&since, "since", 0, "only of the last while, such as 24h")
	c.Flags().IntVar(&f.Limit, "limit", 20, "how many")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) printDeliveries(list []web.DeliveryView) {
	if len(list) == 0 {
		fmt.Fprintln(p.errOut, "no delivery matches; without flags all are listed")
		return
	}
	w := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RECEIVED (UTC)\tDELIVERY\tSOURCE\tREPOSITORY\tREFS\tBUILDS")
	for _, d := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", d.Received.Format(time.DateTime), d.ID, d.Source, plain(d.Repo), refs(d), outcome(d))
	}
	w.Flush()
}

func refs(d web.DeliveryView) string {
	var out []string
	for _, push := range d.Pushes {
		out = append(out, plain(push.Ref))
	}
	return strings.Join(out, " ")
}

// outcome says in a line what became of a delivery.
func outcome(d web.DeliveryView) string {
	var out []string
	if d.Note != "" {
		note, _, _ := strings.Cut(d.Note, ":")
		out = append(out, plain(note))
	}
	if d.Asks != "" {
		out = append(out, "the code host is asked")
	}
	for _, push := range d.Pushes {
		if push.Unanswered != "" {
			out = append(out, "files not known")
		}
		switch {
		case push.State == ledger.PushWaiting:
			why, _, _ := strings.Cut(push.Waits, ";")
			out = append(out, strings.TrimSuffix("undecided: "+plain(why), ": "))
		case push.State == ledger.PushRepeat:
			out = append(out, "repeat")
		case len(push.Matched) == 0:
			out = append(out, "no rule matched")
		}
	}
	for _, b := range d.Builds {
		out = append(out, fmt.Sprintf("%s %s", plain(b.Job+b.Plan), b.State))
	}
	return strings.Join(out, ", ")
}
