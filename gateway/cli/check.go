package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) check() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "load the rules and say what is wrong with them",
		Long: "check loads a rule file (default rules.yaml, - is standard input) and prints every error and\n" +
			"warning with its place. Values from the environment need not be there.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path := p.rulesFlag()
			if len(args) == 1 {
				path = args[0]
			}
			var missing []string
			set, err := p.loadRules(path, p.reading(&missing))
			if err != nil {
				return p.rulesError(path, err)
			}
			p.tell("warning", set.Warnings())
			if len(missing) > 0 {
				fmt.Fprintf(p.errOut, "note: not set here, and needed by pushgate serve: %s\n", strings.Join(missing, ", "))
			}
			if n := len(set.Warnings()); n > 0 && strict {
				fmt.Fprintf(p.errOut, "%s: %s, and --strict makes them errors\n", path, count(n, "warning"))
				return errSaid
			}
			fmt.Fprintf(p.out, "ok: %s, %s, %s\n", count(set.Len(), "rule"), count(len(set.Servers()), "server"), count(len(set.Sources()), "source"))
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "warnings fail")
	return c
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
