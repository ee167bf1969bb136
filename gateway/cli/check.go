package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) check() *cobra.Command {
	var strict bool
	var path string
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "load the rules and say what is wrong with them",
		Long: "check loads a rule file (default rules.yaml, - is standard input) and prints every error and\n" +
			"warning with its place. Values from the environment need not be there.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				path = args[0]
			}
			var missing []string
			set, err := p.loadRules(path, p.reading(&missing))
			if err != nil {
				return p.rulesError(path, err)
			}
			warnings := set.Warnings()
			p.tell("warning", filepath.Dir(path), warnings)
			if len(missing) > 0 {
				fmt.Fprintf(p.errOut, "note: not set here, and needed by pushgate serve: %s\n", strings.Join(missing, ", "))
			}
			if n := len(warnings); n > 0 && strict {
				fmt.Fprintf(p.errOut, "%s: %s, and --strict makes them errors\n", path, count(n, "warning"))
				return errSaid
			}
			found := fmt.Sprintf("ok: %s, %s, %s", count(set.Len(), "rule"), count(len(set.Servers()), "server"), count(len(set.Sources()), "source"))
			if n := len(set.Files()) - 1; n > 0 {
				found += ", " + count(n, "included file")
			}
			if n := len(warnings); n > 0 {
				found += ", " + count(n, "warning")
			}
			fmt.Fprintln(p.out, found)
			return nil
		},
	}
	c.Flags().StringVar(&path, "rules", p.rulesFlag(), "rule file, as FILE")
	c.Flags().BoolVar(&strict, "strict", false, "warnings fail")
	return c
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
