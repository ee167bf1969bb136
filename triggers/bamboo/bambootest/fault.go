package bambootest

import (
	"net/http"
	"strings"

	"github.com/pushgate/pushgate/internal/simfault"
)

// A Fault is trouble for the requests that it matches. Where After is set, the
// build is queued, and nobody hears of it. While a server is down, its builds go
// on by the clock.
type Fault = simfault.Fault

// Queueing matches the POST that queues a build, for Fault.Match.
func Queueing(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/queue/")
}
