package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs the program with standard output, and standard error too if both, on a terminal of so many columns, and returns what the terminal got.
func onTerminal(t *testing.T, columns uint16, both bool, environment []string, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asProgram+"=1", "TERM=xterm", "NO_COLOR=1", "COLUMNS="), environment...)
	cmd.Stdout = slave
	if both {
		cmd.Stderr = slave
	}
	var out bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&out, master) // ends with an error when the other side is closed
	}()
	err = cmd.Run()
	slave.Close()
	<-read
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out.String())
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}

// What a search, a study and a profile print on a real terminal does not wrap, and through a pipe it is whole.
func TestOutputFitsATerminal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.db")
	search := []string{"search", "--study", file, "--trials", "3", "--train-samples", "200", "--epochs", "1", "--final-epochs", "0", "--name", "日本語の研究-e\u0301te\u0301"}
	for i, columns := range []uint16{20, 40, 60, 80, 120, 200} {
		if i == 0 {
			screen := onTerminal(t, columns, true, nil, search...)
			for _, line := range strings.Split(screen, "\n") {
				drawn := strings.Split(line, "\r")
				if last := len(drawn) - 1; !strings.HasPrefix(drawn[last], "trial ") {
					drawn = drawn[:last] // a line of results or with paths, which stand on their own
				}
				for _, text := range drawn {
					if textWidth(text) >= int(columns) {
						t.Errorf("%d columns: %q", columns, text)
					}
				}
			}
		}
		for _, args := range [][]string{
			{"study", "list", file}, {"data", "list"},
		} {
			screen := onTerminal(t, columns, false, nil, args...)
			for _, line := range strings.Split(screen, "\n") {
				if textWidth(line) > int(columns) {
					t.Errorf("%v, %d columns: %q", args, columns, line)
				}
			}
		}
		screen := onTerminal(t, columns, false, nil, "study", "show", file)
		board := screen[strings.Index(screen, "TRIAL"):strings.Index(screen, "\nbest architecture")]
		for _, line := range strings.Split(board, "\n") {
			if textWidth(line) > int(columns) {
				t.Errorf("%d columns: %q", columns, line)
			}
		}
	}
	if whole := succeed(t, "study", "list", file).stdout; !strings.Contains(whole, file) || !strings.Contains(whole, "日本語の研究-e\u0301te\u0301") {
		t.Errorf("through a pipe: %s", whole)
	}
	if asked := onTerminal(t, 80, false, []string{"COLUMNS=300"}, "study", "list", file); !strings.Contains(asked, file) || strings.Contains(asked, ellipsis) {
		t.Errorf("with COLUMNS=300: %s", asked)
	}
}
