// Pushgate is a CI trigger gateway: see README.md.
package main

import (
	"embed"
	"os"

	"github.com/pushgate/pushgate/gateway/cli"
)

//go:embed rules.yaml examples
var files embed.FS

func main() {
	os.Exit(cli.Main(files, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
