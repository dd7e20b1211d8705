package main

import (
	"io"
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
		start      func(io.Writer) error
		stop       func(io.Writer) error
	}{
		{"--cpuprofile", p.cpu, pprof.StartCPUProfile, func(io.Writer) error { pprof.StopCPUProfile(); return nil }},
		{"--trace", p.trace, trace.Start, func(io.Writer) error { trace.Stop(); return nil }},
		{"--memprofile", p.mem, func(io.Writer) error { return nil }, func(w io.Writer) error {
			runtime.GC() // the profile is as of the last collection
			return pprof.Lookup("allocs").WriteTo(w, 0)
		}},
	} {
		if prof.path == "" {
			continue
		}
		w, openErr := newOutFile(prof.flag, prof.path)
		if openErr != nil {
			return openErr
		}
		if startErr := prof.start(w); startErr != nil {
			return w.finish(startErr)
		}
		defer func() {
			// The runtime does not look at errors of writing; the file keeps the first.
			if stopErr := w.finish(prof.stop(w)); stopErr != nil && err == nil {
				err = stopErr
			}
		}()
	}
	return f()
}
