package cli

import (
	"fmt"
	"maps"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/triggers/bamboo/bambootest"
	"github.com/pushgate/pushgate/triggers/jenkins/jenkinstest"
)

// Credentials of the simulated servers.
const (
	simulatedUser  = "pushgate"
	simulatedToken = "simulated-token"
)

// simulate serves what the demo talks to, for trying serve without a CI server.
func (p *program) simulate() *cobra.Command {
	var jenkins, bamboo, bitbucket, hook string
	c := &cobra.Command{
		Use:   "simulate",
		Short: "serve a simulated Jenkins and Bamboo, to try serve without a CI server",
		Long: "simulate serves a simulated Jenkins and a simulated Bamboo with the jobs and plans of the starter\n" +
			"rules, and prints the environment that pushgate serve needs to use them. They are simulations, not\n" +
			"the real servers: they answer as the vendors' sources and documentation say.\n\n" +
			"With --bitbucket it serves a simulated Bitbucket Cloud, too, for the rules of\n" +
			"examples/bitbucket-callback: POST /push makes a commit there and sends its webhook, pushgate asks\n" +
			"back which files changed and tells the commit its builds. Each request is printed.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			s, err := simulators(jenkins, bamboo)
			if err != nil {
				return err
			}
			defer s.close()
			for _, name := range []string{"BITBUCKET_TOKEN", "JENKINS_URL", "JENKINS_USER", "JENKINS_TOKEN", "BAMBOO_URL", "BAMBOO_TOKEN"} {
				v, err := s.lookup(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(p.out, "export %s='%s'\n", name, strings.ReplaceAll(v, "'", `'\''`))
			}
			if bitbucket != "" {
				base, closeHost, err := serveOn(bitbucket, newSimulatedHost(hook, p.errOut))
				if err != nil {
					return fmt.Errorf("simulated Bitbucket: %w", err)
				}
				defer closeHost()
				fmt.Fprintf(p.out, "export BITBUCKET_API_URL='%s'\n", base)
				access := simulatedAccess()
				for _, name := range slices.Sorted(maps.Keys(access)) {
					fmt.Fprintf(p.out, "export %s='%s'\n", name, access[name])
				}
				fmt.Fprintf(p.errOut, "to push: curl -d branch=master -d file=docs/a.md %s/push\n", base)
			}
			fmt.Fprintln(p.errOut, "serving until Ctrl-C; give these lines to the shell that runs pushgate serve")
			<-ctx.Done()
			return nil
		},
	}
	c.Flags().StringVar(&jenkins, "jenkins", "127.0.0.1:9090", "address of the simulated Jenkins")
	c.Flags().StringVar(&bamboo, "bamboo", "127.0.0.1:9091", "address of the simulated Bamboo")
	c.Flags().StringVar(&bitbucket, "bitbucket", "", "address of a simulated Bitbucket Cloud, such as 127.0.0.1:9092 (default: none)")
	c.Flags().StringVar(&hook, "hook", "http://127.0.0.1:8080/hooks/cloud", "where its webhook goes")
	return c
}

// A simulation is a simulated Jenkins and a simulated Bamboo, with the jobs and
// plans that the starter rules name.
type simulation struct {
	jenkins               *jenkinstest.Controller
	bamboo                *bambootest.Server
	jenkinsURL, bambooURL string
	closers               []func()
}

func simulators(jenkinsAddr, bambooAddr string) (*simulation, error) {
	s := &simulation{
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

func (s *simulation) close() {
	for _, c := range s.closers {
		c()
	}
}

// lookup gives the values that the starter rules take from the environment.
func (s *simulation) lookup(ref string) (string, error) {
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
