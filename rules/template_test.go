package rules

import (
	"fmt"
	"strings"
	"testing"
)

// TestTemplateBombs: a small text makes no long value, and a push of many files
// no long work.
func TestTemplateBombs(t *testing.T) {
	many := push(func(p *Push) {
		p.Commits[0].Message = strings.Repeat("%[1]999999s", 9000)
		p.Files.Paths = nil
		for i := range 20_000 {
			p.Files.Paths = append(p.Files.Paths, fmt.Sprintf("services/s%d/file%d.go", i%10, i))
		}
	})
	for text, want := range map[string]string{
		`{{$x := .Ref` + strings.Repeat(` | replace "m" "mmmmmmmmmm"`, 12) + `}}`:          "gives more than",
		`{{$x := replace "" .Message .Message}}`:                                           "gives more than",
		`{{$x := "\\"` + strings.Repeat(` | js`, 40) + `}}`:                                "gives more than",
		`{{$x := .Ref}}` + strings.Repeat(`{{$x = print $x $x $x}}`, 40):                   "gives more than",
		`{{$x := .Ref}}` + strings.Repeat(`{{$x = printf "%[1]s%[1]s%[1]s" $x}}`, 40):      "gives more than",
		`{{$x := printf "` + strings.Repeat(`%[1]1000000d`, 500) + `" 1}}`:                 "gives more than",
		`{{$x := printf "%*d%[1]*d" 1000000 1}}`:                                           "gives more than",
		`{{$x := printf .Message .Ref}}`:                                                   "gives more than",
		`{{$x := join .Message .Files}}`:                                                   "gives more than",
		`{{range .Files}}{{range $.Files}}{{range $.Files}}{{end}}{{end}}{{end}}`:          "within a range",
		`{{$f := .Files}}{{range $f}}{{range $f}}{{if eq . "x"}}x{{end}}{{end}}{{end}}`:    "within a range",
		`{{range .Files}}{{$x := slug $.Message}}{{end}}`:                                  "within a range",
		`{{$m := .Message}}{{range .Files}}{{if eq $m .}}{{end}}{{end}}`:                   "within a range",
		`{{range .Files}}{{with $}}{{if eq .Message "x"}}{{end}}{{end}}{{end}}`:            "within a range",
		`{{range .Files}}` + strings.Repeat(`{{if eq . "x"}}{{end}}`, 400) + `{{end}}`:     "too many turns",
		`{{range .Files}}{{if eq $.Branch .}}{{$.Author.Name}}{{end}}{{end}}`:              "",
		`{{range .Files}}{{$x := dirs "" $.Files}}{{end}}`:                                 "within a range",
		`{{range .Files}}{{if eq (join "" $.Files) "x"}}{{end}}{{end}}`:                    "within a range",
		strings.Repeat("{{if .Ref}}", 4000) + strings.Repeat("{{end}}", 4000):              "is longer than",
		strings.Repeat("x", 70_000):                                                        "renders to more than",
		`{{if eq .Ref "x"}}{{.Author.Mail}}{{end}}`:                                        "no field .Author.Mail",
		`{{if eq .Ref "x"}}{{.Message.Text}}{{end}}`:                                       "no field .Message.Text",
		`{{range .Files}}{{if eq . "services/s7/file7.go"}}{{.}}{{.}}{{end}}{{end}}`:       "",
		`{{range dirs "services" .Files}}{{print . " " | upper | html}}{{end}}`:            "",
		`{{printf "%-20s|%5.2f|%q" .Ref 1.5 .Commit}} {{urlquery .Repo}} {{len .Files}}`:   "",
		`{{range $i, $f := .Files}}{{if lt $i 3}}{{$f}}{{else}}{{break}}{{end}}{{end}}`:    "",
		`{{range .Files}}{{else}}{{join "" .Files}}{{end}}{{$x := join "," .Files}}{{""}}`: "",
	} {
		compiled, err := compileTemplate(text, false)
		if err == nil {
			_, err = compiled.render(newTemplateData(many, &rule{}))
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.70s: %v, want %q", text, err, want)
		}
	}
}
