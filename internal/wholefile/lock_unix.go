//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package wholefile

import (
	"errors"
	"os"
	"syscall"
)

// renamesOpen says that an open file can be renamed.
const renamesOpen = true

// errLocked says that another process, or another open file of this one, has the lock.
var errLocked error = syscall.EWOULDBLOCK

// lock locks a file until it is closed. It does not wait.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
