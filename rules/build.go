package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Build is one build that a push calls for, with all values rendered.
type Build struct {
	// Rules are those that ask for it; the first gives the options.
	Rules  []string `json:"rules"`
	Server string   `json:"server"`

	// Job is a Jenkins job path of stored item names, Plan a Bamboo plan key;
	// one of them is set, unless Error is.
	Job        string            `json:"job,omitzero"`
	Parameters map[string]string `json:"parameters,omitzero"`
	Plan       string            `json:"plan,omitzero"`
	Variables  map[string]string `json:"variables,omitzero"`

	// Dynamic says that part of Job came from the push.
	Dynamic      bool   `json:"dynamic,omitzero"`
	DelaySeconds int64  `json:"delay_seconds,omitzero"` // Jenkins' quiet period
	Scan         bool   `json:"scan,omitzero"`
	Branch       string `json:"branch,omitzero"` // VCS branch of the plan branch; empty: the plan
	CreateBranch bool   `json:"create_branch,omitzero"`
	Stage        string `json:"stage,omitzero"`
	AllStages    bool   `json:"all_stages,omitzero"`
	Revision     string `json:"revision,omitzero"`
	NoFollow     bool   `json:"no_follow,omitzero"`

	// Supersede and Since are the rule's; empty: none, and until it was built.
	Supersede string `json:"supersede,omitzero"`
	Since     string `json:"since,omitzero"`
	// Context names the commit status where the rule does, see
	// [Build.StatusContext]; NoReport: none is wanted.
	Context  string `json:"context,omitzero"`
	NoReport bool   `json:"no_report,omitzero"`

	// Error says why the build cannot be started; it is dead from the
	// beginning, and no other is.
	Error string `json:"error,omitzero"`
}

// Target is the job or plan.
func (b *Build) Target() string {
	if b.Plan != "" {
		return b.Plan
	}
	return b.Job
}

// Values are the parameters or variables.
func (b *Build) Values() map[string]string {
	if b.Variables != nil {
		return b.Variables
	}
	return b.Parameters
}

// StatusContext is the name of the commit status: pushgate/rule/server/target,
// unless the rule gives one.
func (b *Build) StatusContext() string {
	if b.Context != "" {
		return b.Context
	}
	return strings.Join([]string{"pushgate", b.Rules[0], b.Server, b.Target()}, "/")
}

// Key identifies the build within its push: server, target and rendered
// values. Two builds of one key are the same build.
func (b *Build) Key() string {
	h := sha256.New()
	field := func(s string) { fmt.Fprintf(h, "%d:", len(s)); io.WriteString(h, s) }
	for _, s := range []string{b.Server, b.Job, b.Plan, b.Branch, strconv.FormatBool(b.Scan), b.Error} {
		field(s)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Values())) {
		field(name)
		field(b.Values()[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Builds are the builds the push calls for, in file order, each once.
func (d *Decision) Builds() []Build {
	builds := []Build{}
	index := map[string]int{}
	for _, r := range d.matched {
		data := newTemplateData(d.push, r)
		for i := range r.starts {
			b := r.starts[i].render(r, d.push, data)
			key := b.Key()
			if at, again := index[key]; again {
				if rules := &builds[at].Rules; !slices.Contains(*rules, r.name) {
					*rules = append(*rules, r.name)
				}
				continue
			}
			index[key] = len(builds)
			builds = append(builds, b)
		}
	}
	return builds
}

var planKey = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*$`)

func (st *start) render(r *rule, p *Push, data templateData) Build {
	b := Build{
		Rules: []string{r.name}, Server: st.server, NoFollow: st.noFollow,
		DelaySeconds: int64(st.delay.Seconds()), Scan: st.scan,
		CreateBranch: st.createBranch, Stage: st.stage, AllStages: st.allStages,
		Supersede: r.supersede, Since: r.since, NoReport: st.noReport,
	}
	fail := func(err error) Build {
		b.Error = fmt.Sprintf("%s: %v", st.at, err)
		return b
	}
	values := make(map[string]string, len(st.values))
	for _, name := range slices.Sorted(maps.Keys(st.values)) {
		v, err := st.values[name].render(data)
		if err != nil {
			return fail(fmt.Errorf("value of %s: %w", name, err))
		}
		values[name] = v
	}
	var err error
	if st.context != nil {
		if b.Context, err = st.context.render(data); err != nil {
			return fail(fmt.Errorf("context: %w", err))
		}
	}
	if st.plan == nil {
		b.Parameters = values
		if b.Job, b.Dynamic, err = st.job.render(data); err != nil {
			return fail(err)
		}
		return b
	}
	b.Variables = values
	if b.Plan, err = st.plan.render(data); err != nil {
		return fail(fmt.Errorf("plan: %w", err))
	}
	if !planKey.MatchString(b.Plan) {
		return fail(fmt.Errorf("plan: %q is not a plan key such as PROJ-PLAN", b.Plan))
	}
	if !st.anyRevision {
		b.Revision = p.Commit()
	}
	if b.Branch, err = st.planBranch(r, p); err != nil {
		return fail(err)
	}
	return b
}

// planBranch picks the VCS branch whose plan branch is built; empty is the
// plan itself. It never gives the plan for a branch that may be another.
func (st *start) planBranch(r *rule, p *Push) (string, error) {
	switch st.branch {
	case "none":
		return "", nil
	case "auto", "":
		if p.Kind == Tag {
			return "", fmt.Errorf("a tag has no plan branch: write branch: none to build the plan, or name a branch")
		}
		if p.Ref == "" {
			return "", fmt.Errorf("the push names no branch")
		}
		main := r.defaultBranch
		if main == "" {
			main = p.DefaultBranch
		}
		if p.Ref == main {
			return "", nil
		}
		return p.Ref, nil
	}
	return st.branch, nil
}
