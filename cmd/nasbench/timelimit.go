package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// limitTime makes the context that also ends when the time of the search is used up. The function that it returns ends it.
func (s *session) limitTime(ctx context.Context) context.CancelFunc {
	if s.time == 0 {
		s.limit = ctx
		return func() {}
	}
	limit, cancel := context.WithDeadline(ctx, s.start.Add(s.time))
	s.limit = limit
	return cancel
}

// left is the time that is left of the limit.
func (s *session) left() time.Duration { return s.time - time.Since(s.start) }

// timeError makes the error of the limit one that says so.
func (s *session) timeError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("the time of %s was used up before the first trial began", s.time)
}

// tooShortError says that the time of a search ended with no result.
type tooShortError struct {
	what string
	need time.Duration // about; 0 if that is not known
}

func (e *tooShortError) Error() string {
	if e.need <= 0 {
		return fmt.Sprintf("the time is too short for %s", e.what)
	}
	return fmt.Sprintf("the time is too short for %s: it takes about %s", e.what, formatSpan(e.need))
}

// formatSpan prints a time that is an estimate, rounded up.
func formatSpan(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", math.Ceil(10*d.Seconds())/10)
	}
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f s", math.Ceil(d.Seconds()))
	}
	return formatTime(d)
}
