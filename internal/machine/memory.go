// Package machine says how much memory there is for whoever plans some.
package machine

import (
	"fmt"
	"sync"
)

// Memory returns the bytes of memory that this process may have: those of the machine, or fewer where its control group or its limit of address
// space has less. 0 means that it is not known. It is found out once.
func Memory() int64 { return memory() }

var memory = sync.OnceValue(find)

// Plannable returns the bytes that plans may take together where nobody says how many: four fifths of [Memory]. The rest is for the program itself, images and
// the system. 0 means that it is not known.
func Plannable() int64 { return Memory() / 5 * 4 }

// least returns the smaller of two sizes of which 0 is not known.
func least(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Bytes formats a number of bytes with a unit: 494.2 MB, 52.0 GB.
func Bytes(n int64) string {
	switch x := float64(n); {
	case x < 1e6:
		return fmt.Sprintf("%.1f kB", x/1e3)
	case x < 1e9:
		return fmt.Sprintf("%.1f MB", x/1e6)
	case x < 1e12:
		return fmt.Sprintf("%.1f GB", x/1e9)
	default:
		return fmt.Sprintf("%.1f TB", x/1e12)
	}
}
