package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"

	"github.com/spf13/pflag"
)

// profileFlags are the flags that ask for profiles of a command.
type profileFlags struct{ cpu, mem, trace string }

func (p *profileFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile to `FILE` (read it with 'go tool pprof')")
	flags.StringVar(&p.mem, "memprofile", "", "write a profile of all allocations to `FILE`")
	flags.StringVar(&p.trace, "trace", "", "write an execution trace to `FILE` (read it with 'go tool trace')")
}

// during runs f under the profiles asked for and writes them however f ends,
// an interrupt included. Files that cannot be written are found out before f runs.
func (p *profileFlags) during(f func() error) (err error) {
	for _, prof := range []struct {
		flag, path string
		start      func(*os.File) error
		stop       func(*os.File) error
	}{
		{"cpuprofile", p.cpu,
			func(w *os.File) error { return pprof.StartCPUProfile(w) },
			func(*os.File) error { pprof.StopCPUProfile(); return nil }},
		{"trace", p.trace,
			func(w *os.File) error { return trace.Start(w) },
			func(*os.File) error { trace.Stop(); return nil }},
		{"memprofile", p.mem,
			func(*os.File) error { return nil },
			func(w *os.File) error {
				runtime.GC() // the profile is as of the last collection
				return pprof.Lookup("allocs").WriteTo(w, 0)
			}},
	} {
		if prof.path == "" {
			continue
		}
		w, openErr := os.Create(prof.path)
		if openErr != nil {
			return fmt.Errorf("--%s: %w", prof.flag, openErr)
		}
		if startErr := prof.start(w); startErr != nil {
			w.Close()
			return fmt.Errorf("--%s: %w", prof.flag, startErr)
		}
		defer func() {
			if stopErr := errors.Join(prof.stop(w), w.Close()); stopErr != nil && err == nil {
				err = fmt.Errorf("--%s: %w", prof.flag, stopErr)
			}
		}()
	}
	return f()
}
