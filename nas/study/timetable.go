package study

import (
	"slices"
	"time"
)

// timetable decides what a limit of time allows. It looks at no clock: now is always given.
type timetable struct {
	start    time.Time
	limit    time.Duration // 0 means none
	reserve  time.Duration // kept back for what comes after the search
	typical  time.Duration // of a trial; 0 as long as none has ended
	complete bool          // there is a trial to go on with
}

// slackShare is the part of the reserve that trials which are nearly done may take: what they have cost already would be lost.
const slackShare = 0.25

// deadline is when the search ends if there is a complete trial.
func (t *timetable) deadline() time.Time { return t.start.Add(t.limit - t.reserve) }

// last is when trials that run at the deadline are cut off: at the limit itself as long as no trial is complete.
func (t *timetable) last() time.Time {
	if !t.complete {
		return t.start.Add(t.limit)
	}
	return t.deadline().Add(time.Duration(slackShare * float64(t.reserve)))
}

// starts reports whether a trial that is begun now may be expected to end in time.
func (t *timetable) starts(now time.Time) bool {
	return t.limit == 0 || now.Before(t.deadline()) && (!t.complete || !now.Add(t.typical).After(t.deadline()))
}

// run is a trial under way.
type runningTrial struct {
	begun time.Time
	share float64 // of its steps that are made; 0 as long as that is unknown
}

// forever is longer than any limit, and can be added to any time.
const forever = 100 * 365 * 24 * time.Hour

// whole returns how long the trial takes from its start to its end, if it goes on as it did until now; 0 if that is unknown.
func (r runningTrial) whole(now time.Time) time.Duration {
	if r.share <= 0 {
		return 0
	}
	return time.Duration(min(float64(now.Sub(r.begun))/r.share, float64(forever)))
}

// over reports whether the search ends now, with these trials under way: at the deadline, unless one of them ends soon enough after it.
func (t *timetable) over(now time.Time, running []runningTrial) bool {
	switch {
	case t.limit == 0 || now.Before(t.deadline()):
		return false
	case !now.Before(t.last()):
		return true
	case !t.complete:
		return false
	}
	return !slices.ContainsFunc(running, func(r runningTrial) bool {
		whole := r.whole(now)
		return whole > 0 && !r.begun.Add(whole).After(t.last())
	})
}

// wake returns when over has to be asked again, if nothing happens before; false if never.
func (t *timetable) wake(now time.Time) (time.Time, bool) {
	switch {
	case t.limit == 0:
		return time.Time{}, false
	case now.Before(t.deadline()):
		return t.deadline(), true
	}
	return t.last(), true
}

// need is what one trial takes, about, where none has come to its end: what the one would that is nearest to it. 0 if that is unknown.
func need(now time.Time, running []runningTrial) time.Duration {
	least := time.Duration(0)
	for _, r := range running {
		if w := r.whole(now); w > 0 && (least == 0 || w < least) {
			least = w
		}
	}
	return least
}

// median returns the middle of some durations; 0 if there are none.
func median(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
