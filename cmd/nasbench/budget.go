package main

import (
	"fmt"
	"runtime"
)

// mostThreads is how many threads a command may run in all on a number of CPUs: more than are of any use, few enough for their stacks, their scratch memory and the
// scheduler.
func mostThreads(cpus int) int { return max(64, 16*cpus) }

// checkThreads returns a usage error if workers with so many threads each are too many for this machine; 0 are chosen to suit it.
func checkThreads(workers, threads int) error {
	cpus := runtime.GOMAXPROCS(0)
	most, asked := mostThreads(cpus), fmt.Sprintf("--workers %d and --threads %d make %d threads", workers, threads, max(workers, 1)*max(threads, 1))
	switch {
	case max(workers, 1)*max(threads, 1) <= most:
		return nil
	case threads <= 1:
		asked = fmt.Sprintf("--workers %d", workers)
	case workers <= 1:
		asked = fmt.Sprintf("--threads %d", threads)
	}
	return usagef("%s: a machine with %s runs %d threads in all at the most", asked, plural(cpus, "CPU"), most)
}

// budget chooses the limits that the user leaves open.
func (o *searchOptions) budget() {
	if o.trials == 0 && o.time == 0 && o.tabular() {
		o.trials = defaultComparedTrials
	}
	if o.trials == 0 && o.time == 0 && o.strategyName == dartsStrategy {
		o.trials = 1 // the one that is found, however long that takes
	}
	if o.trials == 0 && o.time == 0 && o.strategyName == oneshotStrategy {
		o.trials = o.oneshot.options.Finalists
	}
	if o.trials == 0 && o.time == 0 {
		o.time = defaultTime
	}
	o.threads, o.workers = divideCPUs(runtime.GOMAXPROCS(0), o.trials, o.threads, o.workers)
}

// divideCPUs divides the CPUs: trials at the same time come first, and threads in each where there are too few trials. What is not 0
// was chosen by the user; 0 trials are without bound.
func divideCPUs(cpus, trials, threads, workers int) (int, int) {
	if threads == 0 {
		threads = 1
		if trials > 0 && workers == 0 {
			threads = max(cpus/trials, 1)
		}
	}
	if workers == 0 {
		workers = max(cpus/threads, 1)
	}
	return threads, workers
}
