package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A command that does not end by itself is given up; one that does, or that saves, is waited for.
func TestInterruptedCommandsEndInTime(t *testing.T) {
	for name, c := range map[string]struct {
		command func(a *app, ctx context.Context) int
		after   time.Duration // the interruption
		code    int
		stderr  string
	}{
		"ends": {func(_ *app, ctx context.Context) int {
			<-ctx.Done()
			return 3
		}, 0, 3, ""},
		"is stuck": {func(*app, context.Context) int {
			time.Sleep(time.Minute)
			return 3
		}, patience, exitInterrupted, "\nnasbench: interrupted\n"},
		"is stuck in a training": {func(a *app, _ context.Context) int {
			a.ending.train(func() string { return "; go on with: x" })
			time.Sleep(time.Minute)
			return 3
		}, trainingPatience, exitInterrupted, "\nnasbench: interrupted; go on with: x\n"},
		"saves": {func(a *app, ctx context.Context) int {
			<-ctx.Done()
			a.ending.save()
			time.Sleep(10 * time.Second)
			return 3
		}, 10 * time.Second, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				a := &app{stderr: &stderr}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				code := a.within(ctx, func() int { return c.command(a, ctx) })
				if took := time.Since(start); code != c.code || took != 5*time.Second+c.after || stderr.String() != c.stderr {
					t.Errorf("code %d after %v, %q", code, took, stderr.String())
				}
				time.Sleep(2 * time.Minute) // until what was given up has ended
			})
		})
	}
}
