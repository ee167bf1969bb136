package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
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
	// Contexts name the commit statuses that the build reports to: one for each
	// start that asks for it and wants one, in order, each once.
	Contexts []string `json:"contexts,omitzero"`

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
				first := &builds[at]
				first.Rules = appendNew(first.Rules, b.Rules...)
				first.Contexts = appendNew(first.Contexts, b.Contexts...)
				continue
			}
			index[key] = len(builds)
			builds = append(builds, b)
		}
	}
	return builds
}

// appendNew appends what is not in list.
func appendNew(list []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

var planKey = regexp.MustCompile(`^[A-Z][A-Z0-9]*-[A-Z][A-Z0-9]*$`)

// render makes the build of one start. One that cannot be started has its
// contexts all the same, so that nobody waits for a status.
func (st *start) render(r *rule, p *Push, data templateData) Build {
	b := Build{
		Rules: []string{r.name}, Server: st.server, NoFollow: st.noFollow,
		DelaySeconds: int64(st.delay.Seconds()), Scan: st.scan,
		CreateBranch: st.createBranch, Stage: st.stage, AllStages: st.allStages,
		Supersede: r.supersede, Since: r.since,
	}
	fail := func(err error) Build {
		b.Error = fmt.Sprintf("%s: %v", st.at, err)
		return b
	}
	target, dynamic, noTarget := st.renderTarget(data)
	context, err := st.status(r, cmp.Or(target, st.target), data)
	if err != nil {
		return fail(fmt.Errorf("context: %w", err))
	}
	if context != "" {
		b.Contexts = []string{context}
	}
	if st.plan == nil {
		b.Job, b.Dynamic = target, dynamic
	} else {
		b.Plan = target
	}
	if noTarget != nil {
		return fail(noTarget)
	}
	values := make(map[string]string, len(st.values))
	for _, name := range slices.Sorted(maps.Keys(st.values)) {
		v, err := st.values[name].render(data)
		if err != nil {
			return fail(fmt.Errorf("value of %s: %w", name, err))
		}
		values[name] = v
	}
	if st.plan == nil {
		b.Parameters = values
		return b
	}
	b.Variables = values
	if !st.anyRevision {
		b.Revision = p.Commit()
	}
	if b.Branch, err = st.planBranch(r, p); err != nil {
		return fail(err)
	}
	return b
}

// renderTarget gives the job, and whether any of it came from the push, or the
// plan.
func (st *start) renderTarget(data templateData) (target string, dynamic bool, err error) {
	if st.plan == nil {
		return st.job.render(data)
	}
	target, err = st.plan.render(data)
	switch {
	case err != nil:
		err = fmt.Errorf("plan: %w", err)
	case !planKey.MatchString(target):
		err = fmt.Errorf("plan: %q is not a plan key such as PROJ-PLAN", target)
	}
	return target, false, err
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
