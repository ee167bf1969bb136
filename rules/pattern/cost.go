package pattern

// The other limits bound what a match costs where everything in the pattern has
// one place in the value. What has none is tried at many: a piece between two
// stars at every character, a segment between two globstars at every segment.
// These are the costs of that, and what all alternatives together may cost. The
// slowest pair known takes one to two milliseconds.
const (
	maxCost = 128

	// for each of its steps, as none of them but literals is found quickly
	costBetweenStars     = 8
	costBetweenGlobstars = 1
	// the same of a segment that is more than literals and stars
	costSlowBetweenGlobstars = 8
)

// affordable refuses alternatives that cost too much together.
func affordable(as []Alternative) *Error {
	cost := 0
	for _, a := range as {
		cost += a.cost()
	}
	if cost > maxCost {
		return bad("takes too long to match", "write several patterns, or fewer ? and classes between two *, or fewer segments between two **")
	}
	return nil
}

func (a Alternative) cost() int {
	cost, between := 0, 0
	globstars := 0
	for _, s := range a {
		cost += costBetweenStars * s.stepsBetweenStars()
		switch {
		case s.globstar:
			cost += between
			between = 0
			globstars++
		case globstars == 0:
		case s.slow:
			between += costSlowBetweenGlobstars
		default:
			between += costBetweenGlobstars
		}
	}
	return cost
}

// stepsBetweenStars are those of the longest piece that is tried at every
// character. Only one of them is: they share the characters.
func (s segment) stepsBetweenStars() int {
	n := 0
	for i := 1; i < len(s.pieces)-1; i++ {
		n = max(n, s.pieces[i].steps)
	}
	return n
}
