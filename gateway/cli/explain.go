package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/gateway/host"
	"github.com/pushgate/pushgate/rules"
)

// explained is the documented shape of explain --json.
type explained struct {
	Pushes []rules.Explanation `json:"pushes"`
	// Note says why a body holds no pushes.
	Note string `json:"note,omitzero"`
}

// pushFlags describe a push on the command line.
type pushFlags struct {
	repo, branch, tag, event, message, author, pusher, defaultBranch string
	files                                                            []string
	git                                                              string // a range of the clone here
}

func (p *program) explain() *cobra.Command {
	var rulesPath, source, rule string
	var asJSON bool
	var f pushFlags
	describing := []string{"repo", "branch", "tag", "event", "file", "message", "author", "pusher", "default-branch", "git"}
	c := &cobra.Command{
		Use:   "explain [PAYLOAD]",
		Short: "say what a push would start, and why",
		Long: "explain asks the rules about a recorded body (a file, or - for standard input), or about a push\n" +
			"described by flags. Without --file the list of changed files is unknown. With --git it asks about\n" +
			"commits of the clone in the current directory, as if they were pushed.",
		Example: "  pushgate explain --repo acme/shop --branch main --file src/main.go\n  pushgate explain body.json\n  pushgate explain --git origin/main..HEAD",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := p.loadRules(rulesPath, p.reading(nil))
			if err != nil {
				return p.rulesError(rulesPath, err)
			}
			var out explained
			var pushes []rules.Push
			if len(args) == 1 {
				for _, name := range describing {
					if c.Flags().Changed(name) {
						return usagef("a body says itself what was pushed: leave out --%s, or the body", name)
					}
				}
				pushes, out.Note, err = p.payloadPushes(set, source, args[0])
			} else if c.Flags().Changed("git") {
				pushes, err = f.fromClone(c.Context(), set, source, c.Flags().Changed)
			} else {
				pushes, err = f.push(set, source, c.Flags().Changed("file"))
			}
			if err != nil {
				return err
			}
			out.Pushes = []rules.Explanation{}
			for i := range pushes {
				d := set.Decide(&pushes[i], nil)
				e := d.Explain()
				if rule != "" {
					v, known := d.Verdict(rule)
					if !known {
						return usagef("there is no rule %q in %s; %s", rule, rulesPath, set.RuleHint(rule))
					}
					e.Rules = []rules.Verdict{v}
					e.Builds = slices.DeleteFunc(e.Builds, func(b rules.Build) bool { return !slices.Contains(b.Rules, rule) })
				}
				out.Pushes = append(out.Pushes, e)
			}
			if asJSON {
				return p.printJSON(out)
			}
			show := p.printExplanation
			if rule != "" {
				show = p.printDepth
			}
			for i := range out.Pushes {
				show(&out.Pushes[i])
			}
			if out.Note != "" {
				fmt.Fprintln(p.out, plain(out.Note))
			}
			return nil
		},
	}
	c.Flags().StringVar(&rulesPath, "rules", p.rulesFlag(), "rule file")
	c.Flags().StringVar(&source, "source", "", "source the push comes through (default: of a body the only one, else the first)")
	c.Flags().StringVar(&rule, "rule", "", "show all that this rule asked, and what it starts")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&f.repo, "repo", "", "owner/name")
	c.Flags().StringVar(&f.branch, "branch", "", "branch that was pushed")
	c.Flags().StringVar(&f.tag, "tag", "", "tag that was pushed")
	c.Flags().StringVar(&f.event, "event", string(rules.Pushed), "push, create, delete or force")
	c.Flags().StringArrayVar(&f.files, "file", nil, "changed file, may be repeated")
	c.Flags().StringVar(&f.message, "message", "", "message of the head commit")
	c.Flags().StringVar(&f.author, "author", "", "author of the head commit: a name, an e-mail or both, as in \"Ann <ann@example.com>\"")
	c.Flags().StringVar(&f.pusher, "pusher", "", "who pushed, in the same way")
	c.Flags().StringVar(&f.defaultBranch, "default-branch", "", "the repository's default branch")
	c.Flags().StringVar(&f.git, "git", "", "range of this clone: A..B, A...B (since their merge base) or X (one commit)")
	return c
}

// pickSource finds the source by name, or the only one.
func pickSource(set *rules.Set, name string) (rules.Source, error) {
	var names []string
	for _, s := range set.Sources() {
		if s.Name == name || name == "" && len(set.Sources()) == 1 {
			return s, nil
		}
		names = append(names, s.Name)
	}
	switch {
	case len(names) == 0:
		return rules.Source{}, fmt.Errorf("the rules name no source, so it is not known how to read a body")
	case name == "":
		return rules.Source{}, usagef("say which source sent the body: --source %s", strings.Join(names, " or "))
	}
	return rules.Source{}, usagef("there is no source %q; known: %s", name, strings.Join(names, ", "))
}

func (p *program) payloadPushes(set *rules.Set, source, path string) ([]rules.Push, string, error) {
	src, err := pickSource(set, source)
	if err != nil {
		return nil, "", err
	}
	var body []byte
	if path == "-" {
		body, err = io.ReadAll(p.in)
	} else {
		body, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read the body: %w", err)
	}
	header := host.PushHeader(src.Host)
	if trimmed := bytes.TrimSpace(body); bytes.HasPrefix(trimmed, []byte("payload=")) {
		body = trimmed
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	d, err := host.Parse(src, header, body)
	if err != nil {
		return nil, "", fmt.Errorf("read the body as %s sends it: %w", src.Host, err)
	}
	for i := range d.Pushes {
		if p := &d.Pushes[i]; src.API != nil && set.Lacks(p).Files && p.Files.Completeness != rules.Complete {
			p.Files.Note = "serve would ask the api of the source, explain does not"
		}
	}
	if d.Unnamed && src.API != nil {
		d.Note += "; serve would ask the api of the source which branches moved, explain does not"
	}
	return d.Pushes, d.Note + d.Ignored, nil
}

func (f *pushFlags) push(set *rules.Set, source string, filesGiven bool) ([]rules.Push, error) {
	if f.repo == "" {
		return nil, usagef("name a body, or a push by --repo owner/name and --branch or --tag")
	}
	sketch := rules.Sketch{
		Source: source, Repo: f.repo, Branch: f.branch, Tag: f.tag, Event: f.event, Message: f.message,
		Author: f.author, Pusher: f.pusher, DefaultBranch: f.defaultBranch,
		Files: rules.Files{Completeness: rules.Unknown, Paths: []string{}}, Prefix: "--",
	}
	if filesGiven {
		sketch.Files = rules.Files{Completeness: rules.Complete, Paths: f.files}
	}
	if wrong := sketch.Problems(set); len(wrong) > 0 {
		return nil, usagef("%s", wrong[0])
	}
	return []rules.Push{sketch.Push(set)}, nil
}
