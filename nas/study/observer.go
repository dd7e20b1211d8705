package study

// EventKind says what happened.
type EventKind int

// The kinds of events, with the fields of [Event] that they fill besides Index,
// Genome and Worker.
const (
	TrialStarted EventKind = iota // nothing else
	StepDone                      // Step
	EpochDone                     // Point
	TrialEnded                    // Trial, Best; once per trial, reused ones included
)

// Event is one thing that an observer sees.
type Event struct {
	Kind   EventKind
	Index  int // of the trial
	Genome string
	Worker int // -1 if no worker was needed
	Step   Step
	Point  Point
	Trial  *Trial // its State is Stopped if it was cut off
	Best   *Trial // the best complete trial so far; nil if there is none
}

// Observer receives the events of a search. Run calls it from the goroutine in which
// Run itself was called, never concurrently; while it works, the search waits.
type Observer func(Event)
