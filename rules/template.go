package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

// templateData is what a template sees; its field names are the language's.
type templateData struct {
	Repo, Owner, Name, Ref, Branch, Tag, Event string
	Before, Commit, ShortCommit, Message       string
	Author                                     Person
	Pusher                                     string
	Files                                      []string
	Source, Delivery, Rule, Each               string
	CommitURL, CompareURL                      string
}

func newTemplateData(p *Push, r *rule) templateData {
	head := p.Head()
	d := templateData{
		Repo: p.Repo, Ref: p.Ref, Event: string(p.Event),
		Before: p.Before, Commit: p.Commit(), Message: head.Message,
		Author: head.Author, Pusher: p.Pusher.Name, Files: p.Files.Paths,
		Source: p.Source, Delivery: p.Delivery, Rule: r.name, Each: r.each,
		CommitURL: p.CommitURL, CompareURL: p.CompareURL,
	}
	if i := strings.LastIndexByte(p.Repo, '/'); i >= 0 {
		d.Owner, d.Name = p.Repo[:i], p.Repo[i+1:]
	} else {
		d.Name = p.Repo
	}
	if p.Kind == Tag {
		d.Tag = p.Ref
	} else {
		d.Branch = p.Ref
	}
	d.ShortCommit = strings.ToValidUTF8(d.Commit[:min(len(d.Commit), 12)], "")
	return d
}

// samplePushes are what templates are tried on at load.
func samplePushes() []*Push {
	p := &Push{
		Source: "source", Delivery: "d_0", Repo: "owner/name", Kind: Branch, Ref: "main", Event: Pushed,
		Before: strings.Repeat("0a", 20), After: strings.Repeat("1b", 20),
		Commits:   []Commit{{ID: strings.Repeat("1b", 20), Message: "message", Author: Person{"author", "author@example.com"}}},
		Pusher:    Person{Name: "pusher"},
		Files:     Files{Completeness: Complete, Paths: []string{"dir/file"}},
		CommitURL: "https://example.com/commit", CompareURL: "https://example.com/compare",
	}
	tag := *p
	tag.Kind, tag.Ref = Tag, "v1"
	return []*Push{p, &tag}
}

// slug keeps lower-case letters and digits and joins the rest with "-".
func slug(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-")
}

// dirs gives the directories right below dir that hold one of the files,
// sorted.
func dirs(dir string, files []string) []string {
	prefix := strings.Trim(dir, "/") + "/"
	if prefix == "/" {
		prefix = ""
	}
	found := []string{}
	for _, f := range files {
		if rest, ok := strings.CutPrefix(f, prefix); ok {
			if name, _, below := strings.Cut(rest, "/"); below {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// nameFunc is the function that expressions in a job path end with; its name
// cannot be written in a template by accident.
const nameFunc = "_jobname"

// encodeItemName is Jenkins' encoding of branch names into item names
// (jenkins.branch.NameEncoder): the characters an item name cannot hold become
// %XX, and so do names that are directories.
func encodeItemName(s string) string {
	switch s {
	case ".":
		return "%2E"
	case "..":
		return "%2E."
	}
	return itemName.Replace(s)
}

var itemName = strings.NewReplacer(
	"#", "%23", "%", "%25", "/", "%2F", "?", "%3F", "[", "%5B", "]", "%5D", `\`, "%5C",
)

// A tmpl is a compiled template; constant text needs none.
type tmpl struct {
	text   string
	t      *template.Template // nil: text as it is
	traits traits             // what it renders
}

// compileTemplate compiles one value and tries it on the sample pushes. With
// encode, the value of every expression becomes (a part of) a Jenkins item name.
func compileTemplate(text string, encode bool) (tmpl, error) {
	switch dynamic := strings.Contains(text, "{{"); {
	case !dynamic && len(text) <= maxRendered:
		return tmpl{text: text}, nil
	case !dynamic:
		return tmpl{}, errTooLong
	case len(text) > maxTemplate:
		return tmpl{}, fmt.Errorf("is longer than %d bytes", maxTemplate)
	}
	t, err := template.New("").Funcs(templateFuncs()).Option("missingkey=error").Parse(text)
	if err != nil {
		return tmpl{}, templateError(err)
	}
	if len(t.Templates()) > 1 {
		return tmpl{}, errNoTemplates
	}
	out := tmpl{text: text, t: t}
	if err := prepare(t.Root, encode, turn{seen: &out.traits}); err != nil {
		return tmpl{}, err
	}
	for _, p := range samplePushes() {
		// What slice and index reach depends on the push.
		if _, err := out.render(newTemplateData(p, &rule{name: "rule", each: "each"})); err != nil && !strings.Contains(err.Error(), "out of range") {
			return tmpl{}, err
		}
	}
	return out, nil
}

func (t tmpl) dynamic() bool { return t.t != nil }

func (t tmpl) render(d templateData) (string, error) {
	if t.t == nil {
		return t.text, nil
	}
	b := limitedBuilder{turn: len(t.text)}
	if err := t.t.Execute(&b, d); err != nil {
		return "", templateError(err)
	}
	if !utf8.ValidString(b.String()) {
		return "", errors.New("the value is cut within a character")
	}
	return b.String(), nil
}

// templateError takes the parts out of text/template's messages that mean
// nothing to the author of a rule.
func templateError(err error) error {
	var exec template.ExecError
	if errors.As(err, &exec) {
		err = exec.Err
	}
	msg := err.Error()
	if _, rest, ok := strings.Cut(msg, ": "); ok && strings.HasPrefix(msg, "template: ") {
		msg = rest
	}
	if i := strings.LastIndex(msg, ">: "); i >= 0 {
		msg = msg[i+len(">: "):]
	} else if head, rest, ok := strings.Cut(msg, ": "); ok && strings.Trim(head, ":0123456789") == "" {
		msg = rest
	}
	return errors.New(strings.ReplaceAll(msg, " in type rules.templateData", ""))
}
