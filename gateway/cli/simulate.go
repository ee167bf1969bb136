package cli

import (
	"fmt"
	"time"

	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// Credentials of the simulated servers.
const (
	simulatedUser  = "pushgate"
	simulatedToken = "simulated-token"
)

// simulators are a simulated Jenkins and a simulated Bamboo, with the jobs and
// plans that the starter rules name.
type simulators struct {
	jenkins               *jenkinstest.Controller
	bamboo                *bambootest.Server
	jenkinsURL, bambooURL string
	closers               []func()
}

func simulate(jenkinsAddr, bambooAddr string) (*simulators, error) {
	s := &simulators{
		jenkins: jenkinstest.New(jenkinstest.Options{
			Users: map[string]jenkinstest.User{simulatedUser: {Token: simulatedToken}}, AnonymousRead: true,
			QuietPeriod: 200 * time.Millisecond, BuildTime: time.Second,
		}),
		bamboo: bambootest.New(bambootest.Options{
			Tokens:    map[string]bambootest.Permission{simulatedToken: bambootest.Trigger},
			QueueTime: 200 * time.Millisecond, BuildTime: time.Second,
		}),
	}
	params := jenkinstest.Job{Parameters: []jenkinstest.Parameter{{Name: "COMMIT"}, {Name: "AUTHOR"}, {Name: "PUSHGATE_BUILD"}}}
	s.jenkins.AddJob("project-x", jenkinstest.Job{Multibranch: true})
	s.jenkins.AddJob("project-x/master", params)
	s.jenkins.AddJob("project-x/featureA", params)
	s.jenkins.AddJob("project-x-docs", jenkinstest.Job{})
	s.bamboo.AddPlan("PROJ-X", bambootest.Plan{Branches: map[string]bambootest.Branch{"featureA": {}}})
	var err error
	var closer func()
	if s.jenkinsURL, closer, err = serveOn(jenkinsAddr, s.jenkins); err != nil {
		return nil, fmt.Errorf("simulated Jenkins: %w", err)
	}
	s.closers = append(s.closers, closer)
	if s.bambooURL, closer, err = serveOn(bambooAddr, s.bamboo); err != nil {
		s.close()
		return nil, fmt.Errorf("simulated Bamboo: %w", err)
	}
	s.closers = append(s.closers, closer)
	return s, nil
}

func (s *simulators) close() {
	for _, c := range s.closers {
		c()
	}
}

// lookup gives the values that the starter rules take from the environment.
func (s *simulators) lookup(ref string) (string, error) {
	v, ok := map[string]string{
		"BITBUCKET_TOKEN": demoToken,
		"JENKINS_URL":     s.jenkinsURL, "JENKINS_USER": simulatedUser, "JENKINS_TOKEN": simulatedToken,
		"BAMBOO_URL": s.bambooURL, "BAMBOO_TOKEN": simulatedToken,
	}[ref]
	if !ok {
		return "", fmt.Errorf("the demo has no value for %s", ref)
	}
	return v, nil
}
