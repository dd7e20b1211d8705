package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/nas/study"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // after the first signal the default is back: a second one ends the process at once
	if most := machine.Memory(); most > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(most / 10 * 9) // otherwise garbage may take as much again as what is in use
	}
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	os.Exit(a.within(ctx, func() int {
		return guarded(a.stderr, os.Getenv, func() int { return a.run(ctx, os.Args[1:]) })
	}))
}

// traceVariable asks for the trace of a fault of the program, for a report of it.
const traceVariable = "NASBENCH_TRACE"

// guarded makes a line and an exit code of a panic, which is a mistake in this program whatever its user did. What happens in goroutines of libraries it
// does not see.
func guarded(stderr io.Writer, getenv func(string) string, f func() int) (code int) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		stack := debug.Stack()
		if p, ok := v.(*study.Panic); ok {
			stack = p.Stack
		}
		code = exitFailure
		fmt.Fprintf(stderr, "nasbench: a fault of the program, not of yours: %s; please report it, with what %s=1 adds\n", strings.Join(strings.Fields(fmt.Sprint(v)), " "), traceVariable)
		if getenv(traceVariable) != "" {
			fmt.Fprintf(stderr, "%s", stack)
		}
	}()
	return f()
}
