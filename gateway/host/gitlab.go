package host

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/pushgate/pushgate/rules"
)

// GitLab's push and tag push events, of projects and of the system; only the
// fields used. It lists the newest 20 commits, oldest first, and never says
// that a push was forced. Source: GitLab's "Webhook events" and "System hooks".
type gitlabPush struct {
	ObjectKind        string         `json:"object_kind"`
	EventName         string         `json:"event_name"`
	Ref               string         `json:"ref"`
	Before            string         `json:"before"`
	After             string         `json:"after"`
	CheckoutSHA       string         `json:"checkout_sha"`
	UserName          string         `json:"user_name"`
	UserUsername      string         `json:"user_username"`
	UserEmail         string         `json:"user_email"`
	Project           *gitlabProject `json:"project"`
	Commits           []commit       `json:"commits"`
	TotalCommitsCount int            `json:"total_commits_count"`
}

type gitlabProject struct {
	PathWithNamespace string `json:"path_with_namespace"`
	WebURL            string `json:"web_url"`
	DefaultBranch     string `json:"default_branch"`
}

// showsGitLabToken finds the secret in the header that carries it as it is.
func showsGitLabToken(src rules.Source, r *http.Request) bool {
	if r.Header.Get("webhook-signature") != "" && r.Header.Get("X-Gitlab-Token") == "" {
		return true // for verify to say
	}
	shown, ok := one(r.Header, "X-Gitlab-Token")
	return ok && isOneOf(src.Secrets, shown)
}

// signingKeys are the secrets and, of those written "whsec_<base64>" as Standard
// Webhooks has it, the keys within.
func signingKeys(secrets []rules.Secret) []rules.Secret {
	keys := slices.Clone(secrets)
	for _, s := range secrets {
		if text, ok := strings.CutPrefix(string(s), "whsec_"); ok {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				keys = append(keys, rules.Secret(raw))
			}
		}
	}
	return keys
}

// verifyGitLab checks the signature of those hooks that sign instead:
// "v1,<base64 of HMAC-SHA256>" over id, timestamp and body, joined by dots; the
// header may hold several, separated by spaces.
func verifyGitLab(src rules.Source, h http.Header, body []byte) bool {
	if h.Get("X-Gitlab-Token") != "" {
		shown, ok := one(h, "X-Gitlab-Token")
		return ok && isOneOf(src.Secrets, shown)
	}
	signatures, ok := one(h, "webhook-signature")
	id, hasID := one(h, "webhook-id")
	stamp, hasStamp := one(h, "webhook-timestamp")
	if !ok || !hasID || !hasStamp {
		return false
	}
	text := append([]byte(id+"."+stamp+"."), body...)
	keys, found := signingKeys(src.Secrets), false
	for _, s := range strings.Fields(signatures) {
		if sum, isV1 := strings.CutPrefix(s, "v1,"); isV1 {
			if raw, err := base64.StdEncoding.DecodeString(sum); err == nil {
				found = signedRaw(keys, raw, text) || found
			}
		}
	}
	return found
}

func parseGitLab(src rules.Source, h http.Header, body []byte) (*Delivery, error) {
	var kind struct {
		ObjectKind string `json:"object_kind"`
		EventName  string `json:"event_name"`
	}
	text, err := payload(h, body)
	if err != nil {
		return nil, err
	}
	if err := decode(text, &kind); err != nil {
		return nil, err
	}
	event := kind.ObjectKind
	if event == "" {
		event = kind.EventName
	}
	switch event {
	case "push", "tag_push":
	case "":
		return nil, wrongShape(rules.GitLab, "it names no event")
	default:
		return &Delivery{Ignored: notPush(event)}, nil
	}
	var b gitlabPush
	if err := decode(text, &b); err != nil {
		return nil, err
	}
	if b.Project == nil {
		return nil, wrongShape(rules.GitLab, "it has no project")
	}
	repo := b.Project.PathWithNamespace
	if err := checkRepo(rules.GitLab, repo); err != nil {
		return nil, err
	}
	refKind, name, ok := splitRef(b.Ref)
	if !ok {
		return &Delivery{Ignored: notRef(b.Ref)}, nil
	}
	if err := checkMoved(rules.GitLab, b.Before, b.After); err != nil {
		return nil, err
	}
	id := h.Get("Idempotency-Key")
	if id == "" {
		id = h.Get("X-Gitlab-Event-UUID")
	}
	p := rules.Push{
		Source: src.Name, Repo: repo, Kind: refKind, Ref: name, Event: eventOf(b.Before, b.After, false),
		Before: commitOr(b.Before), After: commitOr(b.After), Commits: keep(b.Commits),
		Pusher: rules.Person{Name: b.UserName, Email: b.UserEmail}, DefaultBranch: b.Project.DefaultBranch,
	}
	if refKind == rules.Tag && b.CheckoutSHA != "" && p.Event != rules.Deleted {
		p.After = b.CheckoutSHA // of an annotated tag, after is the tag object
	}
	if p.Pusher.Name == "" {
		p.Pusher.Name = b.UserUsername
	}
	whole := p.Event == rules.Deleted || p.Event == rules.Pushed && len(b.Commits) > 0 && len(b.Commits) == b.TotalCommitsCount
	p.Files = filesOf(b.Commits).Files(whole)
	if p.After != "" {
		p.CommitURL = joinPage(b.Project.WebURL, "/-/commit/"+p.After)
	}
	if p.Before != "" && p.After != "" {
		p.CompareURL = joinPage(b.Project.WebURL, "/-/compare/"+p.Before+"..."+p.After)
	}
	return &Delivery{Key: key(id, body), Repo: repo, Pushes: []rules.Push{p}}, nil
}
