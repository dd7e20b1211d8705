package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// How long a command may take to end by itself after the first interruption, in which it looks at the context everywhere that takes long. It is then
// given up: everything on record is whole at any moment, so nothing is lost but what was not recorded yet. A step of a training
// that cannot be divided may take longer, because it would be lost.
const (
	patience         = 900 * time.Millisecond
	trainingPatience = 1900 * time.Millisecond
)

// ending is what a command says about how it is to be interrupted. It is safe for concurrent use.
type ending struct {
	patience atomic.Int64                  // nanoseconds; 0 means the usual
	saving   atomic.Bool                   // the work has stopped; what there is is being saved and printed
	farewell atomic.Pointer[func() string] // what to say after "interrupted"
}

// train says that a command trains, and what there is to say if it is given up.
func (e *ending) train(farewell func() string) {
	e.patience.Store(int64(trainingPatience))
	e.farewell.Store(&farewell)
}

// save says that the work has come to its end and the rest is waited for.
func (e *ending) save() { e.saving.Store(true) }

// within runs a command and returns its exit code. When ctx ends, it waits as long as the command's patience allows and then returns without it.
func (a *app) within(ctx context.Context, command func() int) int {
	done, stderr := make(chan int, 1), a.stderr // a.run puts another in its place
	go func() { done <- command() }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	wait := patience
	if p := a.ending.patience.Load(); p > 0 {
		wait = time.Duration(p)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case code := <-done:
		return code
	case <-timer.C:
	}
	if a.ending.saving.Load() {
		return <-done
	}
	say := ""
	if f := a.ending.farewell.Load(); f != nil {
		say = (*f)()
	}
	fmt.Fprintf(stderr, "\nnasbench: interrupted%s\n", say)
	return exitInterrupted
}
