package cli

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// place fills in what the flags leave out of where the push went: the branch
// that the range ends at, else the current one; the repository and its default
// branch as the remote has them.
func (c *clone) place(f *pushFlags, end string) error {
	remotes := strings.FieldsFunc(c.ask("remote"), func(r rune) bool { return r == '\n' })
	current := below("refs/heads/", c.ask("symbolic-ref", "--quiet", "HEAD"))
	branch, remote := f.branch, ""
	if branch == "" {
		branch = current
		full := c.ask("rev-parse", "--verify", "--symbolic-full-name", "--end-of-options", end)
		if name := below("refs/heads/", full); name != "" {
			branch = name
		}
		for _, r := range remotes {
			if name := below("refs/remotes/"+r+"/", full); name != "" {
				branch, remote = name, r
			}
		}
	}
	if f.tag == "" {
		if f.branch = branch; branch == "" {
			return errors.New("HEAD is detached, so the branch is not known; give --branch or --tag")
		}
	}
	if remote == "" {
		remote = c.remote(remotes, branch, current)
	}
	found := ""
	if remote != "" {
		found = repoOf(c.ask("remote", "get-url", "--", remote))
	}
	if f.repo == "" {
		switch {
		case len(remotes) == 0:
			return errors.New("the clone has no remote to know the repository by; give --repo owner/name")
		case remote == "":
			return fmt.Errorf("the clone has %d remotes and none is origin or the branch's upstream; give --repo owner/name", len(remotes))
		case found == "":
			return fmt.Errorf("the address of the remote %q names no owner and name; give --repo owner/name", remote)
		}
		f.repo = found
	}
	// What the remote says of its default branch is not about another repository.
	if f.defaultBranch == "" && remote != "" && (found == "" || strings.EqualFold(found, f.repo)) {
		refs := "refs/remotes/" + remote + "/"
		f.defaultBranch = below(refs, c.ask("symbolic-ref", "--quiet", refs+"HEAD"))
	}
	return nil
}

// below is what follows folder in a ref, or "".
func below(folder, ref string) string {
	if name, ok := strings.CutPrefix(ref, folder); ok {
		return name
	}
	return ""
}

// remote picks the remote of the first branch that has one, else origin, else
// the only one.
func (c *clone) remote(remotes []string, branches ...string) string {
	for _, branch := range branches {
		if branch == "" {
			continue
		}
		if name := c.ask("config", "--get", "branch."+branch+".remote"); slices.Contains(remotes, name) {
			return name
		}
	}
	switch {
	case slices.Contains(remotes, "origin"):
		return "origin"
	case len(remotes) == 1:
		return remotes[0]
	}
	return ""
}

// repoOf gives the owner/name in the address of a remote, or "". Of an address
// of Bitbucket Data Center it leaves out scm, and over HTTP what is before it.
func repoOf(address string) string {
	scheme, rest, isURL := strings.Cut(address, "://")
	scheme = strings.ToLower(scheme)
	var path string
	switch {
	case isURL && slices.Contains([]string{"https", "http", "ssh", "git", "git+ssh", "ssh+git"}, scheme):
		_, path, _ = strings.Cut(rest, "/")
		if decoded, err := url.PathUnescape(path); err == nil {
			path = decoded
		}
	case isURL:
		return ""
	default: // user@host:path, where a host may be in brackets with its port
		at, after, ok := strings.Cut(address, "]:")
		if !ok {
			at, after, ok = strings.Cut(address, ":")
		}
		if !ok || strings.Contains(at, "/") || strings.HasPrefix(after, ":") {
			return ""
		}
		path = after
	}
	parts := slices.DeleteFunc(strings.Split(strings.TrimSuffix(strings.TrimRight(path, "/"), ".git"), "/"), func(s string) bool { return s == "" })
	n := len(parts)
	if n >= 3 && parts[n-3] == "scm" && (n == 3 || isURL && strings.HasPrefix(scheme, "http")) {
		parts = parts[n-2:]
	}
	if repo := strings.Join(parts, "/"); len(parts) >= 2 && !slices.Contains(parts, ".") && !slices.Contains(parts, "..") && len(repo) <= 500 {
		return repo
	}
	return ""
}
