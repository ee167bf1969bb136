package rules

// status names the commit status of a start, or is empty where none is wanted:
// what the rule says, or pushgate/rule/server/target.
func (st *start) status(r *rule, target string, data templateData) (string, error) {
	if st.noReport {
		return "", nil
	}
	if st.context != nil {
		if name, err := st.context.render(data); err != nil || name != "" {
			return name, err
		}
	}
	return defaultContext(r.name, st.server, target), nil
}

func defaultContext(rule, server, target string) string {
	return "pushgate/" + rule + "/" + server + "/" + target
}

// shown leaves out contexts that go without saying: the default one of each rule.
// Where a build has none, the list is empty.
func (b Build) shown() Build {
	defaults := len(b.Contexts) == len(b.Rules)
	for i, name := range b.Contexts {
		defaults = defaults && name == defaultContext(b.Rules[i], b.Server, b.Target())
	}
	switch {
	case defaults:
		b.Contexts = nil
	case b.Contexts == nil:
		b.Contexts = []string{}
	}
	return b
}

// Skips name the commit statuses that tell "skipped" for this push: those of
// starts with skipped: true, of rules for its repository and source that did not
// match, so that a required check does not wait for ever. None is one that a
// build of the decision reports to. Only pushes of branches have any.
func (d *Decision) Skips() []string {
	skipped := d.set.skipping(d)
	if len(skipped) == 0 {
		return nil
	}
	told := map[string]bool{}
	for _, b := range d.Builds() {
		for _, name := range b.Contexts {
			told[name] = true
		}
	}
	var names []string
	for _, r := range skipped {
		data := newTemplateData(d.push, r)
		for i := range r.starts {
			if st := &r.starts[i]; st.reportSkipped {
				name, err := st.skipped(r, data)
				if err == nil && !told[name] {
					told[name] = true
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// skipped is status for a start that does not happen.
func (st *start) skipped(r *rule, data templateData) (string, error) {
	target, _, err := st.renderTarget(data)
	if err != nil && st.context == nil {
		return "", err
	}
	return st.status(r, target, data)
}

// skipping gives the rules that tell "skipped" about the push of a decision, in
// file order.
func (s *Set) skipping(d *Decision) []*rule {
	if s.index.traits&tellsSkipped == 0 {
		return nil
	}
	q := s.question(d.push, Files{}, nil)
	defer s.keep(q)
	if q.headless() {
		return nil
	}
	for _, b := range s.buckets(q) {
		if b == nil || b.traits&tellsSkipped == 0 {
			continue
		}
		for _, r := range b.rules {
			if r.traits&tellsSkipped != 0 && r.askRepo(q).ok && r.askSource(q).ok {
				set(q.matching, r.n)
			}
		}
	}
	for _, r := range d.matched {
		unset(q.matching, r.n)
	}
	return s.collect(q.matching)
}
