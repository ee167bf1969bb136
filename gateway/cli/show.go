package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/gateway/web"
)

func (p *program) show() *cobra.Command {
	var database string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show ID",
		Short: "show a delivery (d_…) or a build (b_…): decision, attempts, result",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id := args[0]
			if !strings.HasPrefix(id, "d_") && !strings.HasPrefix(id, "b_") {
				return usagef("%q is no id; a delivery's begins with d_, a build's with b_: pushgate deliveries lists them", id)
			}
			l, pages, err := p.look(c.Context(), database)
			if err != nil {
				return err
			}
			defer l.Close()
			if strings.HasPrefix(id, "b_") {
				b, err := pages.Build(c.Context(), id)
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(b)
				}
				p.printBuild(&b)
				return nil
			}
			d, err := l.Delivery(c.Context(), id)
			if err != nil {
				return err
			}
			v, err := pages.View(c.Context(), d, true)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(v)
			}
			p.printDelivery(&v)
			return nil
		},
	}
	c.Flags().StringVar(&database, "database", p.databaseFlag(), "the ledger")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (p *program) printDelivery(d *web.DeliveryView) {
	fmt.Fprintf(p.out, "%s  %s through %s, %s UTC, %d bytes\n", d.ID, plain(d.Repo), d.Source, d.Received.Format(time.DateTime), d.Size)
	if d.Repeats > 0 {
		fmt.Fprintf(p.out, "came %s\n", count(d.Repeats, "more time"))
	}
	if d.Note != "" {
		fmt.Fprintln(p.out, plain(d.Note)) // it may name branches
	}
	if d.Asks != "" {
		fmt.Fprintln(p.out, "the code host is asked "+plain(d.Asks))
	}
	fmt.Fprintln(p.out)
	for _, push := range d.Pushes {
		if push.Decision == nil {
			fmt.Fprintf(p.out, "%s %s: %s, %s → %s, %s\n", push.Kind, plain(push.Ref), push.Event, orNone(short(push.Before)), orNone(short(push.Commit)), push.State)
			if push.Waits != "" {
				fmt.Fprintln(p.out, "  "+plain(push.Waits))
			}
			fmt.Fprintln(p.out)
			continue
		}
		if push.Asked {
			fmt.Fprintln(p.out, "no webhook told of this: the code host was asked for its branches")
		}
		if push.Late {
			fmt.Fprintln(p.out, "late: a newer push had been decided before it came")
		}
		if push.Gap {
			fmt.Fprintln(p.out, "gap: a webhook before it was lost")
		}
		p.printExplanation(push.Decision)
	}
	for i := range d.Builds {
		p.printBuild(&d.Builds[i])
	}
	for _, s := range d.Statuses {
		how := "told"
		if !s.Told {
			how = "not told yet"
			if s.Reason != "" {
				how = "given up: " + s.Reason
				if !s.Again.IsZero() {
					how = "not told, next try " + s.Again.Format(time.DateTime) + " UTC: " + s.Reason
				}
			}
		}
		fmt.Fprintf(p.out, "commit status %s: %s, %s\n", plain(s.Context), s.State, plain(how))
	}
}

func (p *program) printBuild(b *web.BuildView) {
	fmt.Fprintf(p.out, "%s  %s on %s: %s\n", b.ID, plain(b.Job+b.Plan), b.Server, b.State)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(p.out, "  %s: %s\n", name, value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.Values)) {
		line(name, plain(b.Values[name]))
	}
	line("delivery", b.Delivery)
	line("page", plain(b.URL))
	line("reason", plain(b.Reason))
	if b.Uncertain {
		line("uncertain", "an earlier start may have reached the server unseen")
	}
	if b.Merged {
		line("merged", "the server had an identical item waiting, which stands for this build")
	}
	for _, n := range b.Notes {
		line("note", plain(n))
	}
	if !b.Due.IsZero() && b.State == "due" {
		line("next try", b.Due.Format(time.DateTime)+" UTC")
	}
	for _, a := range b.Attempts {
		line(fmt.Sprintf("start %d", a.Number), fmt.Sprintf("%s UTC, %s after %.1f s: %s", a.At.Format(time.DateTime), a.Outcome, a.Seconds, plain(a.Detail)))
	}
}
