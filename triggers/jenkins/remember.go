package jenkins

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/pushgate/pushgate/triggers"
)

const (
	// declaredFor is how long a look at a job's parameters is trusted.
	declaredFor = time.Minute
	// scanEvery is the least time between two scans of one project that a
	// missing job asks for.
	scanEvery = time.Minute
	// remembered bounds both memories.
	remembered = 4096
)

// A declaration is what a job says about its parameters. Not known: the look
// was refused. Takes: the job is parameterised, be it with an empty list.
type declaration struct {
	known, takes bool
	names        map[string]bool
	at           time.Time
}

// declared asks which parameters the job at path declares. An error means
// trouble that a start would meet too; a look refused for this job alone is an
// unknown declaration.
func (s *Server) declared(ctx context.Context, op, path, target string) (declaration, *triggers.Error) {
	if d, ok := s.jobs.get(target); ok {
		return d, nil
	}
	var job struct {
		Name     string     `json:"name"`
		Property properties `json:"property"`
	}
	a, e := s.get(ctx, op, path, "name,"+propertyTree, &job)
	if e != nil {
		return declaration{}, e
	}
	if a.status != http.StatusOK {
		if e := refusal(op, a); e.Temporary {
			e.Ambiguous = false
			return declaration{}, e
		}
		return declaration{}, nil
	}
	if job.Name == "" {
		return declaration{}, notJenkins(op, a)
	}
	d := job.Property.declaration()
	s.jobs.put(target, d)
	return d, nil
}

// properties are those of a job, of which one declares its parameters.
type properties []struct {
	Definitions []struct {
		Name string `json:"name"`
	} `json:"parameterDefinitions"`
}

const propertyTree = "property[parameterDefinitions[name]]"

func (list properties) declaration() declaration {
	d := declaration{known: true, names: map[string]bool{}, at: time.Now()}
	for _, p := range list {
		d.takes = d.takes || p.Definitions != nil
		for _, def := range p.Definitions {
			d.names[def.Name] = true
		}
	}
	return d
}

// jobCache keeps declarations by target.
type jobCache struct {
	mu sync.Mutex
	m  map[string]declaration
}

func (c *jobCache) get(target string) (declaration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.m[target]
	return d, ok && time.Since(d.at) < declaredFor
}

func (c *jobCache) put(target string, d declaration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= remembered {
		c.m = map[string]declaration{}
	}
	c.m[target] = d
}

func (c *jobCache) drop(target string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.m, target)
}

// scanLimit remembers when each project was scanned last.
type scanLimit struct {
	mu sync.Mutex
	m  map[string]time.Time
}

// take says whether project may be scanned now, and counts it as scanned.
func (l *scanLimit) take(project string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if at, ok := l.m[project]; ok && now.Sub(at) < scanEvery {
		return false
	}
	if l.m == nil || len(l.m) >= remembered {
		l.m = map[string]time.Time{}
	}
	l.m[project] = now
	return true
}
