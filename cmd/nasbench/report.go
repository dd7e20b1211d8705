package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/nas/study"
)

// trialStream prints trials as JSON in the order of their numbers, each as soon as all before
// it are there.
type trialStream struct {
	w    io.Writer // nil prints nothing
	next int
	wait map[int]study.Trial
}

func newTrialStream(w io.Writer, json bool) *trialStream {
	if !json {
		w = nil
	}
	return &trialStream{w: w, wait: map[int]study.Trial{}}
}

func (s *trialStream) add(t study.Trial) {
	if s.w == nil {
		return
	}
	s.wait[t.Index] = t
	for {
		t, ok := s.wait[s.next]
		if !ok {
			return
		}
		s.print(t)
		s.next++
	}
}

// flush prints the rest, which an interruption may leave with gaps.
func (s *trialStream) flush() {
	for len(s.wait) > 0 {
		if t, ok := s.wait[s.next]; ok {
			s.print(t)
		}
		s.next++
	}
}

func (s *trialStream) print(t study.Trial) {
	delete(s.wait, t.Index)
	_ = writeJSON(s.w, t) // checkedWriter keeps the error
}

// report is what a search prints at its end.
type report struct {
	*session
	outcome *study.Outcome
	final   *final       // nil if there was no final training
	looked  *tableResult // nil if nothing was looked up
	front   []frontTrial // by the aims of NSGA-II; nil without
}

// counts are the numbers of trials by how they ended.
type counts struct {
	Trials   int `json:"trials"`
	Complete int `json:"complete"`
	Failed   int `json:"failed"`
	Pruned   int `json:"pruned"`
	Reused   int `json:"reused"`
}

func count(trials []study.Trial) counts {
	c := counts{Trials: len(trials)}
	for _, t := range trials {
		switch t.State {
		case study.Complete:
			c.Complete++
		case study.Failed:
			c.Failed++
		case study.Pruned:
			c.Pruned++
		}
		if t.ReusedFrom != nil {
			c.Reused++
		}
	}
	return c
}

// summary is the last JSON object of a search. Run and Timing vary from run to run; the
// rest, for a search by trials, does not.
type summary struct {
	Type     string            `json:"type"`
	Settings map[string]string `json:"settings"`
	counts
	Stop  study.Stop `json:"stop"`
	Best  *bestTrial `json:"best"`
	Final *final     `json:"final"`
	// NoFinal says why there is none, where the time did not allow it.
	NoFinal string       `json:"no_final,omitempty"`
	Table   *tableResult `json:"table,omitempty"`
	Front   []frontTrial `json:"front,omitempty"`
	Run     summaryRun   `json:"run"`
	Timing  summaryTimes `json:"timing"`
}

type bestTrial struct {
	Index        int             `json:"index"`
	Genome       string          `json:"genome"`
	Architecture json.RawMessage `json:"architecture"`
	Metrics      *study.Metrics  `json:"metrics"`
}

type summaryRun struct {
	Study   string `json:"study"`
	Name    string `json:"name"`
	Workers int    `json:"workers"`
	Threads int    `json:"threads"`
	Level   string `json:"level"`
	Version string `json:"version"`
	GoOn    string `json:"go_on"`           // command; "" if nothing is left
	Train   string `json:"train,omitempty"` // command

	FinalOnRecord bool `json:"final_on_record,omitempty"` // nothing was trained for it now
}

type summaryTimes struct {
	SearchSeconds float64 `json:"search_seconds"`
	FinalSeconds  float64 `json:"final_seconds"`
	TotalSeconds  float64 `json:"total_seconds"`
}

func (r *report) print(interrupted bool) error {
	if r.json {
		return r.printJSON(interrupted)
	}
	return r.printText(interrupted)
}

// retrain is the command for the best architecture, "" if there is none.
func (r *report) retrain() string {
	if r.outcome.Best == nil || r.known != nil {
		return ""
	}
	epochs := max(r.finalEpochs, 1)
	if r.final != nil {
		epochs = r.final.Epochs
	}
	return r.trainCommand(r.outcome.Best.Genome, epochs)
}

func (r *report) printJSON(interrupted bool) error {
	s := summary{
		Type: "summary", Settings: r.settings(), counts: count(r.outcome.Trials), Stop: r.outcome.Stop, Final: r.final, NoFinal: r.noFinal, Table: r.looked, Front: r.front,
		Run: summaryRun{
			Study: r.file.Path(), Name: r.studyName, Workers: r.workers, Threads: r.threads, Level: r.level.String(),
			Version: currentBuild().Version, GoOn: r.goOnCommand(r.outcome.Trials, r.outcome.Stop, interrupted), Train: r.retrain(),
		},
		Timing: summaryTimes{SearchSeconds: r.outcome.Seconds, TotalSeconds: time.Since(r.start).Seconds()},
	}
	s.Best = newBest(r.outcome.Best)
	if r.final != nil {
		s.Timing.FinalSeconds, s.Run.FinalOnRecord = r.final.seconds, r.final.OnRecord
	}
	return writeJSON(r.app.stdout, s)
}

func (r *report) printText(interrupted bool) error {
	var b strings.Builder
	c := count(r.outcome.Trials)
	fmt.Fprintf(&b, "%s: %s complete, %s failed", plural(c.Trials, "trial"), formatWhole(c.Complete), formatWhole(c.Failed))
	if c.Pruned > 0 {
		fmt.Fprintf(&b, ", %s pruned", formatWhole(c.Pruned))
	}
	if c.Reused > 0 {
		fmt.Fprintf(&b, ", %s repeated", formatWhole(c.Reused))
	}
	why := map[study.Stop]string{
		study.StopTrials: "all that were asked for", study.StopTime: "the time is up", study.StopExhausted: "nothing is left to try",
		study.StopInterrupted: "interrupted", study.StopError: "stopped by an error",
	}[r.outcome.Stop]
	if interrupted {
		why = "interrupted"
	}
	fmt.Fprintf(&b, " in %s; %s\n\n", formatTime(time.Since(r.start)), why)
	if err := printBoard(&b, study.Leaderboard(r.outcome.Trials, r.top), boardColumns(r.settings(), r.outcome.Trials), r.app.columns(r.app.stdout)); err != nil {
		return err
	}
	if err := printFront(&b, r.front, r.aims(), len(r.outcome.Trials), r.app.columns(r.app.stdout)); err != nil {
		return err
	}
	if best := r.outcome.Best; best != nil {
		fmt.Fprintf(&b, "\nbest architecture, of trial %d:\n  %s\n  %s\n", best.Index, best.Genome, best.Architecture)
		switch {
		case r.final != nil:
			r.final.print(&b)
		case r.noFinal != "":
			fmt.Fprintf(&b, "\n%s\n", r.noFinal)
		}
		if r.looked != nil {
			fmt.Fprintf(&b, "\n%s\n", r.looked.text(r.cost))
		} else {
			fmt.Fprintf(&b, "\ntrain it again:\n  %s\n", r.retrain())
		}
	}
	if next := r.goOnCommand(r.outcome.Trials, r.outcome.Stop, interrupted); next != "" {
		fmt.Fprintf(&b, "go on searching:\n  %s\n", next)
	} else {
		fmt.Fprintln(&b, nothingLeft)
	}
	_, err := io.WriteString(r.app.stdout, b.String())
	return err
}

// shortDuration prints a duration as a flag takes it, without units that are zero.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// noResult says why a search that came to its end has no best architecture; nil if there was
// nothing to try.
func noResult(o *study.Outcome) error {
	for _, t := range o.Trials {
		if t.State == study.Failed {
			return fmt.Errorf("no trial is complete; trial %d failed: %s", t.Index, t.Reason)
		}
	}
	if o.Stop == study.StopTime {
		return &tooShortError{what: "one trial", need: o.Need}
	}
	return nil
}
