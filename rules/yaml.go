package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// fields reads a mapping whose keys must be among known; nil if it is none.
func (l *loader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		hint := "write " + known[0] + ": … and so on"
		if len(known) <= 6 {
			hint = "its fields: " + strings.Join(known, ", ")
		}
		l.fail(n, hint, "%s must be a mapping, not %s", what, kindName(n))
		return nil
	}
	out := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key, val := resolve(n.Content[i]), resolve(n.Content[i+1])
		name := key.Value
		switch {
		case !slices.Contains(known, name):
			l.fail(key, unknownHint(name, known), "unknown field %q in %s", name, what)
		case out[name] != nil:
			l.fail(key, "keep one of them", "%q is given twice in %s", name, what)
		default:
			out[name] = val
		}
	}
	return out
}

// unknownHint knows the names that other systems use.
func unknownHint(name string, known []string) string {
	switch strings.ReplaceAll(name, "-", "_") {
	case "paths_ignore", "ignore_paths", "exclude", "exclude_paths", "paths_exclude":
		return `write paths: ["!docs/**"] for everything but docs`
	case "branches_ignore", "ignore_branches", "exclude_branches":
		return `write branches: ["!wip/**"] for everything but wip`
	case "tags_ignore":
		return `write tags: ["!nightly-*"] for everything but those`
	case "files", "changes", "only":
		if slices.Contains(known, "paths") {
			return `did you mean "paths"?`
		}
	case "server", "job", "plan", "parameters", "variables":
		if slices.Contains(known, "start") {
			return "write it within start: {server: …, job: …}"
		}
	case "tests":
		if slices.Contains(known, "rules") {
			return "this is a file of rule tests: run pushgate test with it"
		}
	case "sources", "servers", "rules", "sets":
		if slices.Contains(known, "tests") {
			return "this is a rule file: pushgate test takes *.test.yaml files, and the rules by --rules"
		}
	case "on", "when", "if", "trigger", "triggers":
		if slices.Contains(known, "rules") {
			return "what starts a build is said in each of rules, by branches, tags, events and paths"
		}
		return "the conditions of a rule are branches, tags, events, paths and so on, beside its name"
	case "url", "address":
		if slices.Contains(known, Jenkins) {
			return "write jenkins: https://… or bamboo: https://…"
		}
	case "username", "email", "key", "secret", "client", "access_token", "api_token", "app_password":
		if hint := apiName(strings.ReplaceAll(name, "-", "_")); slices.Contains(known, "client_id") {
			return hint
		}
	case "report":
		if slices.Contains(known, "start") {
			return "write it within start: {server: …, job: …, report: …}"
		}
	case "context", "skipped":
		if slices.Contains(known, "report") {
			return "write it within report: {context: …, skipped: true}"
		}
	case "<<":
		return "merge keys are not read; write the fields out, or use defaults"
	}
	return suggest(name, known)
}

// apiName is a hint for what hosts call the credentials of their API.
func apiName(name string) string {
	return map[string]string{
		"username": `did you mean "user"?`, "email": `did you mean "user"?`,
		"key":          "an OAuth consumer's key is client_id:, its secret client_secret:",
		"client":       "an OAuth consumer's key is client_id:, its secret client_secret:",
		"secret":       "write token:, or client_id: and client_secret: of an OAuth consumer; the webhook's secret stands beside api",
		"access_token": `did you mean "token"?`,
		"api_token":    "write token:; on Bitbucket Cloud user: with the e-mail, and password: with the token",
		"app_password": "Bitbucket Cloud has none any more: write user: with the e-mail and password: with an API token, or token: with an access token",
	}[name]
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// isText says that text would take the node; those who read many ask it before
// they put together what text would say.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!str" && n.Value != ""
}

const tagText = "%s begins with ! and has no quotes, so YAML takes it for a tag"

// tagged says that YAML took what begins with "!" for a tag.
func tagged(n *yaml.Node) bool {
	return strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!")
}

// text reads a non-empty scalar as it is written; numbers and yes are text too.
func (l *loader) text(n *yaml.Node, what string) (string, bool) {
	if n == nil {
		return "", false
	}
	if tagged(n) {
		l.fail(n, fmt.Sprintf("put quotes around it: %q", strings.TrimSpace(n.Tag+" "+n.Value)), tagText, what)
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		hint := "write one value"
		if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 {
			hint = "put quotes around it: a value that begins with { needs them"
		}
		l.fail(n, hint, "%s must be text, not %s", what, kindName(n))
		return "", false
	}
	if n.Value == "" {
		l.fail(n, "", "%s is empty", what)
		return "", false
	}
	return n.Value, true
}

// plain reads text where no template is rendered.
func (l *loader) plain(n *yaml.Node, what, hint string) (string, bool) {
	s, ok := l.text(n, what)
	if ok && strings.Contains(s, "{{") {
		l.fail(n, hint, "%s is no template, and cannot be %q", what, s)
		return "", false
	}
	return s, ok
}

func (l *loader) boolean(n *yaml.Node, what string) bool {
	if n == nil {
		return false
	}
	yes := strings.EqualFold(n.Value, "true")
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || !yes && !strings.EqualFold(n.Value, "false") {
		l.fail(n, "write true or false", "%s must be true or false, not %s", what, kindName(n))
	}
	return yes
}

// choice reads one of the given words.
func (l *loader) choice(n *yaml.Node, what string, words ...string) string {
	s, ok := l.text(n, what)
	if ok && !slices.Contains(words, s) {
		l.fail(n, suggest(s, words), "%s cannot be %q", what, s)
		return ""
	}
	return s
}

// items gives the elements of a list, or a single value as a list of one.
func (l *loader) items(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	if len(n.Content) == 0 {
		l.fail(n, "leave the field out, or name at least one", "%s is an empty list", what)
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = resolve(c)
	}
	return out
}

var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

const maxNameBytes = 100

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an"
	}
	return "a"
}

// checkName refuses names that would not read well in addresses and logs.
func (l *loader) checkName(n *yaml.Node, what, name string) {
	if !entryName.MatchString(name) || len(name) > maxNameBytes {
		l.fail(n, "use letters, digits, dots, dashes and underscores", "%q cannot be the name of %s %s", name, article(what), what)
	}
}

var (
	envRef   = regexp.MustCompile(`\$\{([^}]*)\}`)
	shellRef = regexp.MustCompile(`^\$\w+$`)
	envName  = regexp.MustCompile(`^[A-Z][A-Z_]*$`)

	envSpelling = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// oneLine refuses values with a line break, which no request can carry.
func (l *loader) oneLine(n *yaml.Node, what, s string, ok bool) (string, bool) {
	if ok && strings.ContainsAny(s, "\r\n\x00") {
		l.fail(n, "take it out where the value is set; at the end of a file:/path it does no harm", "%s holds a line break", what)
		return "", false
	}
	return s, ok
}

// expand reads a value that may be ${NAME} or file:/path. ok is false where
// there is no value, said or left out on purpose.
func (l *loader) expand(n *yaml.Node, what string) (value string, ok bool) {
	if n != nil && tagged(n) {
		l.fail(n, "put quotes around it", tagText, what) // and do not show it
		return "", false
	}
	s, ok := l.text(n, what)
	if !ok {
		return "", false
	}
	get := func(ref string) string {
		v, err := l.lookup(ref)
		switch {
		case errors.Is(err, ErrUnresolved):
			ok = false
		case err != nil:
			hint := "set it where pushgate starts, or write file:/path/of/a/file"
			if strings.HasPrefix(ref, "file:") {
				hint = "put it there, readable for pushgate"
			}
			l.fail(n, hint, "%s: %v", what, err)
			ok = false
		case strings.TrimSpace(v) == "":
			l.fail(n, "give it a value where pushgate starts", "%s: %s is empty", what, ref)
			ok = false
		}
		return v
	}
	if strings.HasPrefix(s, "file:") {
		return l.oneLine(n, what, strings.TrimRight(get(s), "\r\n"), ok)
	}
	if strings.TrimSpace(s) == "" {
		l.fail(n, "", "%s is blank", what)
		return "", false
	}
	if shellRef.MatchString(s) {
		name := "NAME"
		if envName.MatchString(s[1:]) { // and no secret that begins with a dollar sign
			name = s[1:]
		}
		l.fail(n, "write ${"+name+"}", "%s is not expanded", what)
		return "", false
	}
	for _, m := range envRef.FindAllStringSubmatch(s, -1) {
		if !envSpelling.MatchString(m[1]) {
			l.fail(n, "write ${NAME}: letters, digits and underscores, and no default", "%s: ${…} names no variable", what)
			return "", false
		}
	}
	s = envRef.ReplaceAllStringFunc(s, func(m string) string { return get(m[2 : len(m)-1]) })
	if ok && strings.Contains(envRef.ReplaceAllString(n.Value, ""), "${") {
		l.fail(n, "write ${NAME}", "%s holds an unclosed ${", what)
	}
	return l.oneLine(n, what, s, ok)
}
