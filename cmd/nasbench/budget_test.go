package main

import "testing"

func TestCPUsAreDivided(t *testing.T) {
	for _, c := range []struct{ cpus, trials, threads, workers, wantThreads, wantWorkers int }{
		{2, 0, 0, 0, 1, 2}, // by time: trials without bound
		{2, 24, 0, 0, 1, 2},
		{2, 1, 0, 0, 2, 1}, // the one architecture of darts
		{8, 3, 0, 0, 2, 4},
		{1, 1, 0, 0, 1, 1},
		{8, 1, 0, 2, 1, 2}, // as told
		{8, 1, 3, 0, 3, 2},
		{2, 1, 4, 0, 4, 1},
		{8, 0, 2, 5, 2, 5},
	} {
		threads, workers := divideCPUs(c.cpus, c.trials, c.threads, c.workers)
		if threads != c.wantThreads || workers != c.wantWorkers {
			t.Errorf("%+v: %d threads, %d workers", c, threads, workers)
		}
	}
}
