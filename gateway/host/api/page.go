package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A paging is how a list is asked for whose pages are numbered from 1.
type paging struct {
	call
	size     int    // items of a page, as far as the host goes along
	sizeName string // of the parameter
	most     int    // pages; 0: maxPages
	shorter  bool   // the host may make pages shorter
}

// numbered reads a list page by page. take reads an answer: it gives how many
// items it has, and whether any of them is new. The list was read to its end
// where why is empty. A link to the next page is looked for, not followed.
func numbered[T any](ctx context.Context, c *caller, p paging, take func(*T) (items int, fresh bool)) (why string, err error) {
	if p.most == 0 {
		p.most = maxPages
	}
	read := 0
	for page := 1; page <= p.most; page++ {
		var answer T
		k := p.call
		k.into, k.query = &answer, url.Values{}
		maps.Copy(k.query, p.query)
		k.query.Set("page", strconv.Itoa(page))
		k.query.Set(p.sizeName, strconv.Itoa(p.size))
		header, err := c.send(ctx, k)
		if err != nil {
			return "", err
		}
		items, fresh := take(&answer)
		read += items
		if !hasNext(header, read, items, p) {
			return "", nil
		}
		if !fresh {
			return "a page of the host's list brought nothing new", nil
		}
	}
	return fmt.Sprintf("the host's list is longer than %d pages", p.most), nil
}

// hasNext says whether another page follows: by Link, by GitLab's X-Next-Page, by
// Gitea's X-Total-Count where that can be true, and without any of them where the
// page is full, or of a host that may make them shorter, not empty.
func hasNext(h http.Header, read, items int, p paging) bool {
	links := strings.Join(h.Values("Link"), ",")
	if strings.Contains(links, `rel="next"`) || h.Get("X-Next-Page") != "" {
		return true
	}
	if total, err := strconv.Atoi(h.Get("X-Total-Count")); err == nil && total >= read {
		return read < total
	}
	if p.shorter {
		return items > 0
	}
	return links == "" && h.Values("X-Next-Page") == nil && items >= p.size
}

// numberedHeads reads a list of branches.
func numberedHeads[T any](ctx context.Context, c *caller, p paging, head func(*T) Head) ([]Head, error) {
	heads, seen := []Head{}, map[string]bool{}
	why, err := numbered(ctx, c, p, func(list *listed[T]) (int, bool) {
		had := len(heads)
		for i := range *list {
			if h := head(&(*list)[i]); !seen[h.Branch] {
				seen[h.Branch] = true
				heads = append(heads, h)
			}
		}
		return len(*list), len(heads) > had
	})
	if err == nil && why != "" {
		err = endless(p.op)
	}
	return heads, err
}
