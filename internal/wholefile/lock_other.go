//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package wholefile

import (
	"errors"
	"os"
)

// renamesOpen says that an open file can be renamed.
const renamesOpen = false

var errLocked = errors.New("locked")

// lock says that there are no locks that would let the file be written.
func lock(*os.File) error { return errors.ErrUnsupported }
