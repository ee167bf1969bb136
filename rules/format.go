package rules

import (
	"reflect"
	"strings"
)

// The types of this file are the format of rule files: the loader takes the
// names of fields from them, and the JSON Schema is made of them. A file is
// read through yaml.Node all the same, so that errors have a place.

type fileFormat struct {
	Include  oneOrMore               `json:"include,omitempty" jsonschema_description:"Other files with defaults, sets and rules: patterns, from this file's folder. *.test.yaml is never included."`
	Sources  map[string]sourceFormat `json:"sources,omitempty" jsonschema_description:"Where pushes come from. Each source gets POST /hooks/<name>."`
	Servers  map[string]serverFormat `json:"servers,omitempty" jsonschema_description:"Where builds run."`
	Sets     map[string]patterns     `json:"sets,omitempty" jsonschema_description:"Lists of patterns to share: $name in any pattern list inserts one."`
	Defaults *defaultsFormat         `json:"defaults,omitempty" jsonschema_description:"Fields of every rule of this file that does not give its own."`
	Rules    []ruleFormat            `json:"rules,omitempty" jsonschema_description:"Every rule that matches a push starts its builds."`
}

type includedFormat struct {
	Sets     map[string]patterns `json:"sets,omitempty"`
	Defaults *defaultsFormat     `json:"defaults,omitempty"`
	Rules    []ruleFormat        `json:"rules,omitempty"`
}

type sourceFormat struct {
	Host     hostName   `json:"host" jsonschema_description:"What sends the pushes."`
	Secret   oneOrMore  `json:"secret,omitempty" jsonschema_description:"What the host signs with, or sends in its token header: ${NAME} from the environment, file:/path from a file. A list while it is being changed."`
	Token    oneOrMore  `json:"token,omitempty" jsonschema_description:"For bitbucket-post: what the hook's address carries as ?token=…. A list while it is being changed."`
	Allow    oneOrMore  `json:"allow,omitempty" jsonschema_description:"Addresses that pushes may come from: 192.0.2.7 or 192.0.2.0/24."`
	Insecure bool       `json:"insecure,omitempty" jsonschema_description:"Take pushes from anybody."`
	API      *apiFormat `json:"api,omitempty" jsonschema_description:"The host's API, for file lists and commit statuses."`
}

type apiFormat struct {
	URL          string `json:"url" jsonschema_description:"Base address, such as https://api.bitbucket.org"`
	Token        string `json:"token,omitempty" jsonschema_description:"Or user and password, or client_id and client_secret."`
	User         string `json:"user,omitempty"`
	Password     string `json:"password,omitempty"`
	ClientID     string `json:"client_id,omitempty" jsonschema_description:"OAuth client, with client_secret."`
	ClientSecret string `json:"client_secret,omitempty"`
}

type serverFormat struct {
	Jenkins       string      `json:"jenkins,omitempty" jsonschema_description:"Address of a Jenkins controller."`
	Bamboo        string      `json:"bamboo,omitempty" jsonschema_description:"Address of a Bamboo server."`
	User          string      `json:"user,omitempty"`
	Token         string      `json:"token,omitempty" jsonschema_description:"API token of user (Jenkins), personal access token (Bamboo)."`
	Password      string      `json:"password,omitempty"`
	MaxConcurrent count       `json:"max_concurrent,omitempty" jsonschema_description:"Builds pushgate started that are queued or running there at a time; no limit by default."`
	OnUncertain   uncertainty `json:"on_uncertain,omitempty" jsonschema_description:"What to do with a start of which it cannot be known whether it happened; retry by default."`
}

// matchFormat are the conditions of a rule and its options.
type matchFormat struct {
	Sources       patterns     `json:"sources,omitempty" jsonschema_description:"Names of sources; any by default."`
	Repos         patterns     `json:"repos,omitempty" jsonschema_description:"owner/name, in any case; any by default."`
	Branches      patterns     `json:"branches,omitempty" jsonschema_description:"Without branches and tags: every branch, no tag."`
	Tags          patterns     `json:"tags,omitempty" jsonschema_description:"Tags; with tags only, no branch matches."`
	Events        events       `json:"events,omitempty" jsonschema_description:"What happened to the ref; [push, create] by default."`
	Paths         patterns     `json:"paths,omitempty" jsonschema_description:"At least one changed file must match, from the repository's root."`
	Authors       texts        `json:"authors,omitempty" jsonschema_description:"Name or e-mail of the head commit's author; only * is special."`
	Pushers       texts        `json:"pushers,omitempty" jsonschema_description:"Name or e-mail of who pushed; only * is special."`
	Messages      texts        `json:"messages,omitempty" jsonschema_description:"Message of the head commit; only * is special."`
	SkipMarkers   markers      `json:"skip_markers,omitempty" jsonschema_description:"Words in the head commit's message, in any case, that keep the push from starting anything; [skip ci] and [ci skip] by default, [] for none."`
	UnknownFiles  unknownFiles `json:"unknown_files,omitempty" jsonschema_description:"What to do when the list of changed files could not be had; build by default."`
	DefaultBranch string       `json:"default_branch,omitempty" jsonschema_description:"The branch that a Bamboo plan itself builds, where the host does not tell."`
	Supersede     supersede    `json:"supersede,omitempty" jsonschema_description:"Which older builds of the same rule, target and ref a newer push replaces; none by default."`
	Since         since        `json:"since,omitempty" jsonschema_description:"Until when changed files are owed a build: until one was built (default), until one succeeded, or never (push)."`
	Start         starts       `json:"start,omitempty" jsonschema_description:"What to start: one, or a list."`
}

type defaultsFormat struct{ matchFormat }

type ruleFormat struct {
	Name string              `json:"name" jsonschema_description:"How decisions and pages speak of it; unique."`
	Each map[string]patterns `json:"each,omitempty" jsonschema_description:"One rule per entry, named name/entry, with those paths and {{.Each}}."`
	matchFormat
}

type startFormat struct {
	Server       string            `json:"server" jsonschema_description:"One of servers."`
	Job          string            `json:"job,omitempty" jsonschema_description:"Jenkins: folder/name; {{.Branch}} and the like fill one segment."`
	Parameters   map[string]scalar `json:"parameters,omitempty" jsonschema_description:"Jenkins: values of the job's parameters."`
	Delay        string            `json:"delay,omitempty" jsonschema_description:"Jenkins: quiet period in whole seconds, such as 5s."`
	Scan         bool              `json:"scan,omitempty" jsonschema_description:"Jenkins: scan this multibranch project."`
	Plan         string            `json:"plan,omitempty" jsonschema_description:"Bamboo: plan key, such as PROJ-PLAN."`
	Variables    map[string]scalar `json:"variables,omitempty" jsonschema_description:"Bamboo: values of variables."`
	Branch       string            `json:"branch,omitempty" jsonschema_description:"Bamboo: auto (the plan branch of the pushed branch, default), none (the plan), or the name of a branch."`
	CreateBranch bool              `json:"create_branch,omitempty" jsonschema_description:"Bamboo: create a missing plan branch."`
	Stage        string            `json:"stage,omitempty" jsonschema_description:"Bamboo: the stage to run to."`
	AllStages    bool              `json:"all_stages,omitempty" jsonschema_description:"Bamboo: run manual stages too."`
	Revision     *bool             `json:"revision,omitempty" jsonschema_description:"Bamboo: build the pushed commit (default), or whatever is newest."`
	Follow       *bool             `json:"follow,omitempty" jsonschema_description:"Follow the build to its end (default), or be content that it was started."`
	Report       *report           `json:"report,omitempty" jsonschema_description:"Commit status: false for none."`
}

type reportFormat struct {
	Context string `json:"context,omitempty" jsonschema_description:"Name of the commit status; pushgate/<rule>/<server>/<job or plan> by default."`
	Skipped bool   `json:"skipped,omitempty" jsonschema_description:"Also say skipped where the rule did not match."`
}

// What fields hold that Go's own types do not say.
type (
	oneOrMore    []string // or one string
	patterns     []string
	texts        []string
	markers      []string
	events       []string
	starts       []startFormat
	report       reportFormat // or false
	scalar       string       // or a number, or true and false
	count        int
	hostName     string
	uncertainty  string
	unknownFiles string
	supersede    string
	since        string
)

// fieldsOf are the names of a format's fields, in order.
func fieldsOf[T any]() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if tag := f.Tag.Get("json"); tag != "" {
			name, _, _ := strings.Cut(tag, ",")
			names = append(names, name)
		}
	}
	return names
}
