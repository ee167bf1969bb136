package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushgate/pushgate/rules"
)

func (p *program) hook() *cobra.Command {
	var rulesPath, publicURL string
	c := &cobra.Command{
		Use:   "hook NAME",
		Short: "say how to set up the webhook of a source on its host",
		Long: "hook prints the address of a source, where its secret goes, and the steps or the one API call that\n" +
			"create the webhook; and where the source has an api, which rights its credentials need. It prints no\n" +
			"secret, only where the rules take it from.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := p.loadRules(rulesPath, p.reading(nil))
			if err != nil {
				return p.rulesError(rulesPath, err)
			}
			src, err := pickSource(set, args[0])
			if err != nil {
				return err
			}
			base, err := url.Parse(publicURL)
			if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
				return usagef("--public-url is the address that the code host reaches pushgate at, such as https://pushgate.example.com, and not %q", publicURL)
			}
			p.printHook(&src, strings.TrimRight(publicURL, "/")+"/hooks/"+src.Name)
			if host := base.Hostname(); host == "127.0.0.1" || host == "localhost" || host == "::1" {
				fmt.Fprintln(p.errOut, "note: a code host cannot reach that address; give --public-url or PUSHGATE_PUBLIC_URL")
			}
			return nil
		},
	}
	c.Flags().StringVar(&rulesPath, "rules", p.rulesFlag(), "rule file")
	c.Flags().StringVar(&publicURL, "public-url", p.envDefault("PUSHGATE_PUBLIC_URL", "http://127.0.0.1:8080"), "where the code host reaches pushgate")
	return c
}

// A hookGuide is how a host's webhook is made. In texts, ADDRESS and SECRET are
// replaced; a call is for a POSIX shell. Rights are what the credentials of its
// API need.
type hookGuide struct{ secret, steps, call, rights string }

const (
	cloudRights = "Repositories: Read (scope repository) of an OAuth consumer, which has to be a private one, or an access token; it is enough for statuses. " +
		"Of an API token read:repository:bitbucket and, should statuses be refused, write:repository:bitbucket"
	giteaRights = "scope read:repository; for statuses write:repository, of an account that may write to the repository"
)

func guideOf(host string) hookGuide {
	switch host {
	case rules.BitbucketCloud:
		return hookGuide{
			rights: cloudRights,
			secret: "the field Secret of the webhook",
			steps:  "Repository settings → Webhooks → Add webhook: URL, Secret, Active; trigger: Repository push",
			call: `curl -u "$BITBUCKET_EMAIL:$BITBUCKET_API_TOKEN" -H 'Content-Type: application/json' \
  https://api.bitbucket.org/2.0/repositories/OWNER/NAME/hooks \
  -d '{"description":"pushgate","url":"ADDRESS","active":true,"events":["repo:push"],"secret":"'"SECRET"'"}'`,
		}
	case rules.BitbucketDataCenter:
		return hookGuide{
			rights: "Repository read, which is enough for statuses",
			secret: "the field Secret of the webhook",
			steps:  "Repository settings → Webhooks → Create webhook: URL, Secret, Active; event: Repository → Push. Test connection answers 200",
			call: `curl -H "Authorization: Bearer $BITBUCKET_TOKEN" -H 'Content-Type: application/json' \
  https://BITBUCKET/rest/api/1.0/projects/PROJECT/repos/REPOSITORY/webhooks \
  -d '{"name":"pushgate","url":"ADDRESS","active":true,"events":["repo:refs_changed"],"configuration":{"secret":"'"SECRET"'"}}'`,
		}
	case rules.GitHub:
		return hookGuide{
			rights: "Contents: read; for statuses Commit statuses: read and write. Of a classic token the scope repo",
			secret: "the field Secret of the webhook",
			steps:  "Settings of the repository or organisation → Webhooks → Add webhook: Payload URL, Content type application/json, Secret; Just the push event",
			call: `curl -H "Authorization: Bearer $GITHUB_TOKEN" -H 'Accept: application/vnd.github+json' \
  https://api.github.com/repos/OWNER/NAME/hooks \
  -d '{"name":"web","active":true,"events":["push"],"config":{"url":"ADDRESS","content_type":"json","secret":"'"SECRET"'"}}'`,
		}
	case rules.GitLab:
		return hookGuide{
			rights: "scope read_api and role Reporter; for statuses scope api and role Developer, or Maintainer where a branch is protected from developers",
			secret: "the field Secret token of the webhook",
			steps:  "Settings of the project or group → Webhooks → Add new webhook: URL, Secret token; triggers: Push events and Tag push events. For all projects of an instance: Admin → System hooks",
			call: `curl -H "PRIVATE-TOKEN: $GITLAB_TOKEN" https://GITLAB/api/v4/projects/OWNER%2FNAME/hooks \
  --data-urlencode 'url=ADDRESS' --data-urlencode "token=SECRET" -d push_events=true -d tag_push_events=true`,
		}
	case rules.Gitea, rules.Forgejo, rules.Gogs:
		kind, rights := host, giteaRights
		if host == rules.Gogs {
			rights = "those of its account, which has to see the repository; Gogs tells no changed files and takes no statuses"
		}
		return hookGuide{
			rights: rights,
			secret: "the field Secret of the webhook",
			steps:  "Settings of the repository or organisation → Webhooks → Add webhook: Target URL, POST, application/json, Secret; trigger on push events and branch deletion",
			call: `curl -H "Authorization: token $` + strings.ToUpper(host) + `_TOKEN" -H 'Content-Type: application/json' \
  https://HOST/api/v1/repos/OWNER/NAME/hooks \
  -d '{"type":"` + kind + `","active":true,"events":["push","delete"],"config":{"url":"ADDRESS","content_type":"json","secret":"'"SECRET"'"}}'`,
		}
	}
	return hookGuide{
		rights: cloudRights,
		secret: "the end of the address, ?token=…",
		steps:  "the service that sends (what speaks Bitbucket's POST service): POST to the address, as a form with the field payload, or as JSON",
	}
}

func (p *program) printHook(src *rules.Source, address string) {
	g := guideOf(src.Host)
	secret := "as it stands in the rules"
	shell := "THE SECRET"
	if name, ok := strings.CutPrefix(src.From, "${"); ok {
		name = strings.TrimSuffix(name, "}")
		secret, shell = "the value of "+name, "$"+name
	} else if path, ok := strings.CutPrefix(src.From, "file:"); ok {
		secret, shell = "the content of "+path, "$(cat '"+strings.ReplaceAll(path, "'", `'\''`)+"')"
	}
	if src.Host == rules.BitbucketPost && (src.From != "" || len(src.Tokens) > 0) {
		address += "?token=…"
	}
	fmt.Fprintf(p.out, "source   %s, pushes of %s\naddress  %s\n", src.Name, src.Host, address)
	if src.From == "" && len(src.Tokens)+len(src.Secrets) == 0 {
		fmt.Fprintln(p.out, "secret   none: the rules ask for none")
		shell = ""
	} else {
		fmt.Fprintf(p.out, "secret   %s; it goes into %s\n", secret, g.secret)
	}
	fmt.Fprintf(p.out, "\nBy hand: %s.\n", g.steps)
	if g.call != "" {
		fmt.Fprintf(p.out, "\nOr by one call, with what is in capitals filled in:\n\n%s\n", strings.NewReplacer("ADDRESS", address, "SECRET", shell).Replace(g.call))
	}
	if src.API == nil {
		fmt.Fprintln(p.out, "\napi      none: changed files that a push does not list stay unknown, and no commit status is told")
		return
	}
	fmt.Fprintf(p.out, "\napi      %s; its credentials need: %s.\n", cmp.Or(plain(src.API.URL), "at the url in the rules"), g.rights)
}
