package main

import "runtime"

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
