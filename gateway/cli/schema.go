package cli

import (
	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/rules"
)

func (p *program) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON Schema of rule files, for editors",
		Long: "schema prints the JSON Schema of rule files. Editors with a YAML language server complete and\n" +
			"validate by it where the first line of a rule file names it:\n\n" +
			"  pushgate schema > rules.schema.json\n" +
			"  # yaml-language-server: $schema=rules.schema.json",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.out.Write(rules.Schema())
			return err
		},
	}
}
