package ledger

import (
	"math/rand/v2"
	"strings"
)

// Ids are a prefix, n and a salt in base 32: short, in the order of arrival, and
// not those of another ledger, whose builds the same servers may know.
const (
	idDigits   = "0123456789abcdefghjkmnpqrstvwxyz"
	saltDigits = 8
	saltBits   = 5 * saltDigits
)

func newSalt() int64 { return rand.Int64N(1 << saltBits) }

func makeID(prefix string, n, salt int64) string {
	var buf [13 + saltDigits]byte
	i := len(buf)
	for range saltDigits {
		i--
		buf[i] = idDigits[salt&31]
		salt >>= 5
	}
	for n > 0 {
		i--
		buf[i] = idDigits[n&31]
		n >>= 5
	}
	return prefix + string(buf[i:])
}

// parseID reads what makeID wrote; ok is false for anything else.
func parseID(prefix, id string) (n, salt int64, ok bool) {
	digits, ok := strings.CutPrefix(id, prefix)
	if !ok || len(digits) <= saltDigits || len(digits) > 12+saltDigits {
		return 0, 0, false
	}
	for i := range len(digits) {
		d := strings.IndexByte(idDigits, digits[i])
		if d < 0 {
			return 0, 0, false
		}
		if i < len(digits)-saltDigits {
			n = n<<5 | int64(d)
		} else {
			salt = salt<<5 | int64(d)
		}
	}
	return n, salt, n > 0
}

const (
	deliveryPrefix = "d_"
	buildPrefix    = "b_"
)
