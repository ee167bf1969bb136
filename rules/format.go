package rules

import (
	"reflect"
	"strings"
)

// The types of this file are the format of rule files: the loader takes the
// names of fields and the words of enumerations from them, and schema.json is
// made of them (schema_test.go). A file is read through yaml.Node all the same,
// so that errors have a place.

type fileFormat struct {
	Include oneOrMore[plainText] `json:"include,omitempty" jsonschema_description:"Other files with defaults, sets and rules: patterns, from this file's folder. *.test.yaml is never included."`
	Sources named[sourceFormat]  `json:"sources,omitempty" jsonschema_description:"Where pushes come from. Each source gets POST /hooks/<name>."`
	Servers named[serverFormat]  `json:"servers,omitempty" jsonschema_description:"Where builds run."`
	includedFormat
}

// includedFormat is what an included file may hold.
type includedFormat struct {
	Sets     named[patterns] `json:"sets,omitempty" jsonschema_description:"Lists of patterns to share: $name in any pattern list inserts one."`
	Defaults *defaultsFormat `json:"defaults,omitempty" jsonschema_description:"Fields of every rule of this file that does not give its own."`
	Rules    ruleList        `json:"rules,omitempty" jsonschema_description:"Every rule that matches a push starts its builds."`
}

type sourceFormat struct {
	Host     hostName                `json:"host" jsonschema_description:"What sends the pushes."`
	Secret   oneOrMore[plainText]    `json:"secret,omitempty" jsonschema_description:"What the host signs with, or sends in its token header: ${NAME} from the environment, file:/path from a file. A list while it is being changed."`
	Token    oneOrMore[plainText]    `json:"token,omitempty" jsonschema_description:"For bitbucket-post: what the hook's address carries as ?token=…. A list while it is being changed."`
	Allow    oneOrMore[addressRange] `json:"allow,omitempty" jsonschema_description:"Addresses that pushes may come from: 192.0.2.7 or 192.0.2.0/24."`
	Insecure bool                    `json:"insecure,omitempty" jsonschema:"default=false" jsonschema_description:"Take pushes from anybody."`
	API      *apiFormat              `json:"api,omitempty" jsonschema_description:"The host's API, for file lists and commit statuses."`
}

type apiFormat struct {
	URL          webAddress `json:"url" jsonschema_description:"Base address, such as https://api.bitbucket.org"`
	Token        plainText  `json:"token,omitempty" jsonschema_description:"Or user and password, or client_id and client_secret."`
	User         plainText  `json:"user,omitempty" jsonschema_description:"With password."`
	Password     plainText  `json:"password,omitempty" jsonschema_description:"Of user."`
	ClientID     plainText  `json:"client_id,omitempty" jsonschema_description:"OAuth client, with client_secret."`
	ClientSecret plainText  `json:"client_secret,omitempty" jsonschema_description:"Of client_id."`
}

type serverFormat struct {
	Jenkins       webAddress  `json:"jenkins,omitempty" jsonschema_description:"Address of a Jenkins controller."`
	Bamboo        webAddress  `json:"bamboo,omitempty" jsonschema_description:"Address of a Bamboo server."`
	User          plainText   `json:"user,omitempty" jsonschema_description:"Who starts the builds, with token or password."`
	Token         plainText   `json:"token,omitempty" jsonschema_description:"API token of user (Jenkins), personal access token (Bamboo)."`
	Password      plainText   `json:"password,omitempty" jsonschema_description:"Of user, instead of a token."`
	MaxConcurrent count       `json:"max_concurrent,omitempty" jsonschema_description:"Builds pushgate started that are queued or running there at a time; no limit by default."`
	OnUncertain   uncertainty `json:"on_uncertain,omitempty" jsonschema_description:"What to do with a start of which it cannot be known whether it happened; retry by default."`
}

// matchFormat are the conditions of a rule and its options.
type matchFormat struct {
	Sources       patterns               `json:"sources,omitempty" jsonschema_description:"Names of sources; any by default."`
	Repos         patterns               `json:"repos,omitempty" jsonschema_description:"owner/name, in any case; any by default."`
	Branches      patterns               `json:"branches,omitempty" jsonschema_description:"Without branches and tags: every branch, no tag."`
	Tags          patterns               `json:"tags,omitempty" jsonschema_description:"Tags; with tags only, no branch matches."`
	Events        events                 `json:"events,omitempty" jsonschema_description:"What happened to the ref; [push, create] by default."`
	Paths         patterns               `json:"paths,omitempty" jsonschema_description:"At least one changed file must match, from the repository's root."`
	Authors       texts                  `json:"authors,omitempty" jsonschema_description:"Name or e-mail of the head commit's author; only * is special."`
	Pushers       texts                  `json:"pushers,omitempty" jsonschema_description:"Name or e-mail of who pushed; only * is special."`
	Messages      texts                  `json:"messages,omitempty" jsonschema_description:"Message of the head commit; only * is special."`
	SkipMarkers   markers                `json:"skip_markers,omitempty" jsonschema_description:"Words in the head commit's message, in any case, that keep the push from starting anything; [skip ci] and [ci skip] by default, [] for none."`
	UnknownFiles  unknownFiles           `json:"unknown_files,omitempty" jsonschema_description:"What to do when the list of changed files could not be had; build by default."`
	DefaultBranch plainText              `json:"default_branch,omitempty" jsonschema_description:"The branch that a Bamboo plan itself builds, where the host does not tell."`
	Supersede     supersede              `json:"supersede,omitempty" jsonschema_description:"Which older builds of the same rule, target and ref a newer push replaces; none by default."`
	Since         since                  `json:"since,omitempty" jsonschema_description:"Until when changed files are owed a build: until one was built (default), until one succeeded, or never (push)."`
	Start         oneOrMore[startFormat] `json:"start,omitempty" jsonschema_description:"What to start: one, or a list."`
}

type defaultsFormat struct{ matchFormat }

type ruleFormat struct {
	Name entryText `json:"name" jsonschema_description:"How decisions and pages speak of it; unique."`
	Each variants  `json:"each,omitempty" jsonschema_description:"One rule per entry, named name/entry, with those paths and {{.Each}}."`
	matchFormat
}

type startFormat struct {
	Server       plainText     `json:"server" jsonschema_description:"One of servers."`
	Job          plainText     `json:"job,omitempty" jsonschema_description:"Jenkins: folder/name; {{.Branch}} and the like fill one segment."`
	Parameters   values        `json:"parameters,omitempty" jsonschema_description:"Jenkins: values of the job's parameters."`
	Delay        delay         `json:"delay,omitempty" jsonschema_description:"Jenkins: quiet period in whole seconds, such as 5s."`
	Scan         bool          `json:"scan,omitempty" jsonschema:"default=false" jsonschema_description:"Jenkins: scan this multibranch project."`
	Plan         plainText     `json:"plan,omitempty" jsonschema_description:"Bamboo: plan key, such as PROJ-PLAN."`
	Variables    values        `json:"variables,omitempty" jsonschema_description:"Bamboo: values of variables."`
	Branch       planBranch    `json:"branch,omitempty" jsonschema_description:"Bamboo: auto (the plan branch of the pushed branch, default), none (the plan), or the name of a branch."`
	CreateBranch bool          `json:"create_branch,omitempty" jsonschema:"default=false" jsonschema_description:"Bamboo: create a missing plan branch."`
	Stage        plainText     `json:"stage,omitempty" jsonschema_description:"Bamboo: the stage to run to."`
	AllStages    bool          `json:"all_stages,omitempty" jsonschema:"default=false" jsonschema_description:"Bamboo: run manual stages too."`
	Revision     bool          `json:"revision,omitempty" jsonschema:"default=true" jsonschema_description:"Bamboo: build the pushed commit (default), or whatever is newest."`
	Follow       bool          `json:"follow,omitempty" jsonschema:"default=true" jsonschema_description:"Follow the build to its end (default), or be content that it was started."`
	Report       *reportFormat `json:"report,omitempty" jsonschema_description:"Commit status: false for none."`
}

// reportFormat may be true or false instead.
type reportFormat struct {
	Context plainText `json:"context,omitempty" jsonschema_description:"Name of the commit status; pushgate/<rule>/<server>/<job or plan> by default."`
	Skipped bool      `json:"skipped,omitempty" jsonschema:"default=false" jsonschema_description:"Also say skipped where the rule did not match."`
}

// What fields hold that Go's own types do not say.
type (
	named[T any]     map[string]T        // by the name of an entry
	oneOrMore[T any] []T                 // or one T
	variants         map[string]patterns // as named
	ruleList         []ruleFormat
	patterns         []plainText // or one
	texts            []plainText // or one
	markers          []marker    // or one; may be empty
	events           []event     // or one
	values           map[string]scalar
	plainText        string // or a number, as written
	entryText        string // the name of an entry
	marker           string // not blank
	scalar           string // or a number, true, false or nothing
	webAddress       string
	addressRange     string
	delay            string
	planBranch       string
	count            int
)

// maxCount is the largest count.
const maxCount = 100_000

// What holds one of a few words.
type (
	hostName     string
	event        string
	uncertainty  string
	unknownFiles string
	supersede    string
	since        string
)

func (hostName) words() []string { return hosts() }

func (event) words() []string {
	return []string{string(Pushed), string(Created), string(Deleted), string(Forced)}
}

// Of each of the following, the first word is the default.

func (uncertainty) words() []string  { return []string{"retry", "hold"} }
func (unknownFiles) words() []string { return []string{"build", "skip"} }

func (supersede) words() []string {
	return []string{"none", SupersedeWaiting, SupersedeQueued, SupersedeRunning}
}

func (since) words() []string { return []string{"build", SinceSuccess, SincePush} }

type worded interface{ words() []string }

// wordsOf are the words that a T can be.
func wordsOf[T worded]() []string {
	var one T
	return one.words()
}

// fieldsOf are the names of a format's fields, in order; those of an embedded
// struct stand where it is embedded.
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
