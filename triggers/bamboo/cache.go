package bamboo

import (
	"sync"
	"time"
)

const (
	// keyLife is short: a plan branch may be disabled or deleted meanwhile.
	keyLife = 2 * time.Minute
	maxKeys = 1000
)

// A keyCache remembers the plan branches that were resolved, so that a busy
// branch costs one request per build. Its zero value is empty.
type keyCache struct {
	mu   sync.Mutex
	keys map[keyName]keyEntry
}

type keyName struct{ plan, branch string }

type keyEntry struct {
	key   string
	until time.Time
}

func (c *keyCache) get(plan, branch string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.keys[keyName{plan, branch}]
	if !ok || !time.Now().Before(e.until) {
		return "", false
	}
	return e.key, true
}

// put makes room by forgetting what ran out, and everything where that is not
// enough: the cache is a courtesy.
func (c *keyCache) put(plan, branch, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if len(c.keys) >= maxKeys {
		for name, e := range c.keys {
			if !now.Before(e.until) {
				delete(c.keys, name)
			}
		}
	}
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[keyName]keyEntry{}
	}
	c.keys[keyName{plan, branch}] = keyEntry{key: key, until: now.Add(keyLife)}
}

func (c *keyCache) drop(plan, branch string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, keyName{plan, branch})
}
