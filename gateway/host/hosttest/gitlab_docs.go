package hosttest

import (
	"net/http"
	"path"
	"strings"
	"time"
)

func (g *gitlab) repoDoc(repo *Repo) doc {
	return doc{
		"id": repo.number, "name": path.Base(repo.name), "path": path.Base(repo.name), "path_with_namespace": repo.name,
		"name_with_namespace": strings.ReplaceAll(repo.name, "/", " / "), "default_branch": repo.defaultBranch,
		"web_url": page + "/" + repo.name, "visibility": "private", "archived": false,
	}
}

func (g *gitlab) commitDoc(repo *Repo, at *commit) doc {
	title, _, _ := strings.Cut(at.message, "\n")
	when := at.when.Format("2006-01-02T15:04:05.000-07:00")
	parents := []string{}
	for _, p := range at.parents {
		parents = append(parents, p.id)
	}
	return doc{
		"id": at.id, "short_id": at.id[:8], "title": title, "message": at.message, "parent_ids": parents,
		"author_name": at.name, "author_email": at.mail, "authored_date": when,
		"committer_name": at.name, "committer_email": at.mail, "committed_date": when, "created_at": when,
		"trailers": doc{}, "web_url": page + "/" + repo.name + "/-/commit/" + at.id,
	}
}

func (g *gitlab) branchDoc(repo *Repo, name string, at *commit) doc {
	return doc{
		"name": name, "commit": g.commitDoc(repo, at), "merged": false, "protected": false, "default": name == repo.defaultBranch,
		"can_push": true, "web_url": page + "/" + repo.name + "/-/tree/" + name,
	}
}

// diffDoc is one file; the old path of a new one and the new path of a removed
// one are its only path.
func (g *gitlab) diffDoc(ch Change) doc {
	d := doc{
		"old_path": ch.Path, "new_path": ch.Path, "a_mode": "100644", "b_mode": "100644", "diff": "@@ -1 +1 @@\n-simulated\n+simulated\n",
		"new_file": ch.Kind == Added, "renamed_file": ch.Kind == Renamed, "deleted_file": ch.Kind == Removed,
		"collapsed": false, "too_large": false, "generated_file": nil,
	}
	switch ch.Kind {
	case Added:
		d["a_mode"] = "0"
	case Removed:
		d["b_mode"] = "0"
	case Renamed:
		d["old_path"], d["diff"] = ch.From, ""
	}
	return d
}

// webhook is the push or tag push event: the newest 20 commits, oldest first,
// with their number in all. A new branch has what the default branch has not, a
// tag its one commit. Of a renamed file only the new path is listed, as added
// (read in GitLab's source).
func (g *gitlab) webhook(m *move) (http.Header, []byte) {
	kind, event, listed := "push", "Push Hook", m.fresh
	switch {
	case m.tag:
		kind, event, listed = "tag_push", "Tag Push Hook", nil
		if m.now != nil {
			listed = []*commit{m.now}
		}
	case m.old == nil && m.now != nil && m.name != m.repo.defaultBranch:
		listed = between(m.now, m.repo.commit(m.repo.defaultBranch))
	case m.old == nil && m.now != nil:
		listed = between(m.now)
	}
	shown := *m
	shown.fresh = listed
	commits := each(shown.oldestFirst(20), func(c *commit) doc {
		added, removed, modified := []string{}, []string{}, []string{}
		for _, ch := range c.ownChanges() {
			switch ch.Kind {
			case Added, Renamed:
				added = append(added, ch.Path)
			case Removed:
				removed = append(removed, ch.Path)
			case Modified:
				modified = append(modified, ch.Path)
			}
		}
		title, _, _ := strings.Cut(c.message, "\n")
		return doc{
			"id": c.id, "message": c.message, "title": title, "timestamp": c.when.Format(time.RFC3339),
			"url": page + "/" + m.repo.name + "/-/commit/" + c.id, "author": doc{"name": c.name, "email": c.mail},
			"added": added, "modified": modified, "removed": removed,
		}
	})
	var checkout any
	user := doc{"name": "Pusher", "email": "pusher@example.com"}
	if m.now != nil {
		checkout = m.now.id
		user = doc{"name": m.now.name, "email": m.now.mail}
	}
	project := g.repoDoc(m.repo)
	body := encoded(doc{
		"object_kind": kind, "event_name": kind, "before": m.before, "after": m.after, "ref": m.ref, "checkout_sha": checkout,
		"message": nil, "user_id": 1, "user_name": user["name"], "user_username": "pusher", "user_email": user["email"],
		"project_id": m.repo.number, "project": project, "commits": commits, "total_commits_count": len(listed),
		"push_options": doc{}, "repository": doc{"name": project["name"], "homepage": project["web_url"], "visibility_level": 0},
	})
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "GitLab/simulated")
	h.Set("X-Gitlab-Event", event)
	h.Set("X-Gitlab-Event-UUID", m.id)
	h.Set("Idempotency-Key", m.id)
	h.Set("X-Gitlab-Webhook-UUID", "5e7c2f66-0000-4000-a000-000000000004")
	h.Set("X-Gitlab-Instance", page)
	if m.secret != "" {
		h.Set("X-Gitlab-Token", m.secret)
	}
	return h, body
}
