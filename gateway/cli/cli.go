// Package cli is the command line: one file per command. Results go to stdout,
// everything else to stderr. It exits with 0 when done, 1 when it failed and 2
// when it was used wrongly.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// A program is what commands work with.
type program struct {
	files       fs.FS // the starter rules.yaml and examples/
	in          io.Reader
	out, errOut io.Writer
	env         func(string) (string, bool)
}

// Main runs one command line, without the program's name, and gives the exit
// code. files holds the starter rules.yaml and examples/.
func Main(files fs.FS, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{files: files, in: stdin, out: stdout, errOut: stderr, env: os.LookupEnv}
	root := &cobra.Command{
		Use:           "pushgate",
		Short:         "starts Jenkins and Bamboo builds for pushes, by rules",
		Long:          "pushgate receives pushes of code hosts, decides by rules which builds they call for,\nstarts those on Jenkins and Bamboo, and can always say why.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(p.serve(), p.demo(), p.check(), p.explain(), p.test(), p.deliveries(), p.show(), p.simulate(), p.schema(), p.hook(), p.version())
	for _, c := range root.Commands() {
		inner := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if err := inner(c, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return 0
	}
	var usage *usageError
	// What cobra itself refuses before a command runs is wrong use as well.
	if errors.As(err, &usage) || cmd == root {
		fmt.Fprintf(stderr, "pushgate: %v\n  hint: see %s --help\n", err, cmd.CommandPath())
		return 2
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintf(stderr, "pushgate: %v\n", err)
	}
	return 1
}

// A usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errSaid ends a command with failure after it has said why.
var errSaid = errors.New("failed")

// envDefault makes a flag's default the value of an environment variable.
func (p *program) envDefault(name, other string) string {
	if v, ok := p.env(name); ok && v != "" {
		return v
	}
	return other
}
