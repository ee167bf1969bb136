package rules

import (
	"fmt"
	"strings"
)

// A Sketch is a push as a person describes it: by the flags of explain, or in
// a rule test. What is left empty was left out; only the event never is.
type Sketch struct {
	Source, Repo, Branch, Tag, Event, Message, Author, Pusher, DefaultBranch string
	Files                                                                    Files
	// Prefix stands before the names of fields where problems speak of them.
	Prefix string
}

// A SketchProblem is one reason why a sketch is no push.
type SketchProblem struct {
	// Fields are those it is about; they may be missing.
	Fields []string
	Text   string
	Hint   string // may be empty
}

func (p SketchProblem) String() string {
	if p.Hint == "" {
		return p.Text
	}
	return p.Text + "; " + p.Hint
}

// Problems gives all that keeps the sketch from being a push to the set.
func (k *Sketch) Problems(s *Set) []SketchProblem {
	var out []SketchProblem
	wrong := func(hint, text string, fields ...string) {
		out = append(out, SketchProblem{fields, text, hint})
	}
	if k.Repo == "" {
		wrong("write it as owner/name", k.Prefix+"repo is missing", "repo")
	}
	if k.Repo != "" && (!strings.Contains(k.Repo, "/") || strings.ContainsAny(k.Repo, ":@ ") || strings.HasSuffix(k.Repo, ".git")) {
		wrong("write it as owner/name", fmt.Sprintf("%q is no name of a repository", k.Repo), "repo")
	}
	for field, ref := range map[string]string{"branch": k.Branch, "tag": k.Tag} {
		if short, full := strings.CutPrefix(ref, "refs/"); full {
			_, short, _ = strings.Cut(short, "/")
			wrong("write "+short, fmt.Sprintf("%q is the full name of a ref", ref), field)
		}
	}
	for _, f := range k.Files.Paths {
		if strings.HasPrefix(f, "/") || strings.HasPrefix(f, "./") || strings.HasSuffix(f, "/") {
			wrong("write the path of a file from the repository's root: src/main.go", fmt.Sprintf("%q is no changed file", f), "file", "files")
		}
	}
	if (k.Branch == "") == (k.Tag == "") {
		wrong("", fmt.Sprintf("give one of %[1]sbranch and %[1]stag", k.Prefix), "branch", "tag")
	}
	if _, known := s.Source(k.Source); k.Source != "" && !known {
		names := make([]string, len(s.sources))
		for i, src := range s.sources {
			names[i] = src.Name
		}
		hint := "known: " + strings.Join(names, ", ")
		if len(names) == 0 {
			hint = "the rules name none; leave it out"
		}
		wrong(hint, fmt.Sprintf("there is no source %q", k.Source), "source")
	}
	switch Event(k.Event) {
	case Pushed, Created, Deleted, Forced:
	default:
		wrong("", fmt.Sprintf("%sevent is push, create, delete or force, not %q", k.Prefix, k.Event), "event")
	}
	return out
}

// Push is the push of a sketch without problems; it came through the first
// source of the set, unless the sketch names one.
func (k *Sketch) Push(s *Set) Push {
	p := Push{
		Source: k.Source, Repo: k.Repo, Kind: Branch, Ref: k.Branch, Event: Event(k.Event),
		Pusher: person(k.Pusher), DefaultBranch: k.DefaultBranch, Files: k.Files,
	}
	if p.Source == "" && len(s.sources) > 0 {
		p.Source = s.sources[0].Name
	}
	if k.Tag != "" {
		p.Kind, p.Ref = Tag, k.Tag
	}
	if k.Message != "" || k.Author != "" {
		p.Commits = []Commit{{Message: k.Message, Author: person(k.Author)}}
	}
	return p
}

// person reads "Name <mail>", a name or an e-mail. A lone e-mail is the name as
// well: hosts always tell a name.
func person(text string) Person {
	text = strings.TrimSpace(text)
	if open := strings.LastIndexByte(text, '<'); open >= 0 && strings.HasSuffix(text, ">") {
		return Person{strings.TrimSpace(text[:open]), strings.TrimSpace(text[open+1 : len(text)-1])}
	}
	if strings.Contains(text, "@") {
		return Person{text, text}
	}
	return Person{Name: text}
}
