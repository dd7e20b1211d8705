package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/nasbench-go/nasbench/nas/study"
)

// bestSoFar marks the trial that is better than all before it.
const bestSoFar = ", best so far"

// watch turns the events of a search into progress.
type watch struct {
	*display
	start  time.Time
	trials int           // limit; 0 if there is none
	time   time.Duration // limit; 0 if there is none
	epochs int           // of a trial
	done   int           // trials on record
	best   *study.Trial

	running map[int]*study.Step // by trial
	trained int                 // images, of trials that have ended
	rate    meter
	first   int // trials on record at the start

	score  string // what trials are ranked by
	looked bool   // whether that is in a table
}

func newWatch(d *display, o study.Options, recorded []study.Trial) *watch {
	w := &watch{display: d, start: time.Now(), trials: o.Trials, time: o.Time, epochs: o.Epochs, running: map[int]*study.Step{}, score: "accuracy"}
	w.done, w.first = len(recorded), len(recorded)
	if board := study.Leaderboard(recorded, 1); len(board) > 0 {
		w.best = &board[0]
	}
	return w
}

// observe is the observer of the search.
func (w *watch) observe(e study.Event) {
	switch e.Kind {
	case study.TrialStarted:
		w.running[e.Index] = &study.Step{}
	case study.StepDone:
		*w.running[e.Index] = e.Step
		w.rate.add(time.Now(), w.images())
	case study.TrialEnded:
		if s := w.running[e.Index]; s != nil {
			w.trained += s.Images
			delete(w.running, e.Index)
		}
		if e.Trial.State == study.Stopped {
			return
		}
		w.done++
		better := e.Best != nil && e.Best.Index == e.Trial.Index
		w.best = e.Best
		w.short(w.trialLine(*e.Trial, better))
	}
	if w.due() {
		w.update(w.share(), w.parts(e)...)
	}
}

func (w *watch) images() int {
	n := w.trained
	for _, s := range w.running {
		n += s.Images
	}
	return n
}

// trialLine is what is said of a finished trial.
func (w *watch) trialLine(t study.Trial, best bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "trial %d", t.Index)
	if w.trials > 0 {
		fmt.Fprintf(&b, " (%d of %d)", w.done, w.trials)
	}
	b.WriteString(": ")
	switch {
	case t.Metrics == nil:
		fmt.Fprintf(&b, "%s: %s", t.State, t.Reason)
	default:
		fmt.Fprintf(&b, "%s %s%s, %s parameters, %s FLOPs", w.score, formatScore(t.Metrics.ValAccuracy, w.looked), map[bool]string{true: bestSoFar}[best],
			formatCount(t.Metrics.Params), formatCount(t.Metrics.FLOPs))
		if ms, ok := latencyOf(t); ok {
			fmt.Fprintf(&b, ", latency %s", formatLatency(ms))
		}
	}
	if t.State == study.Pruned {
		fmt.Fprintf(&b, ", pruned after %s", plural(t.Metrics.Epochs, "epoch"))
	}
	if t.ReusedFrom != nil {
		fmt.Fprintf(&b, ", the network of trial %d", *t.ReusedFrom)
	} else if !w.looked {
		fmt.Fprintf(&b, ", %.1fs", t.Timing.Seconds)
		if t.Timing.ImagesPerSecond > 0 {
			fmt.Fprintf(&b, ", %s images/s", formatFigure(t.Timing.ImagesPerSecond))
		}
	}
	fmt.Fprintf(&b, ": %s", t.Genome)
	return b.String()
}

// share is how much of the budget is used up.
func (w *watch) share() float64 {
	share := 0.0
	if w.time > 0 {
		share = float64(time.Since(w.start)) / float64(w.time)
	}
	if w.trials > 0 {
		share = max(share, w.trialsDone()/float64(w.trials))
	}
	return share
}

// trialsDone counts running trials by their part that is done.
func (w *watch) trialsDone() float64 {
	done := float64(w.done)
	for _, s := range w.running {
		done += w.partOf(*s)
	}
	return done
}

func (w *watch) partOf(s study.Step) float64 {
	if s.Steps == 0 || w.epochs == 0 {
		return 0
	}
	return (float64(s.Epoch-1) + float64(s.Step)/float64(s.Steps)) / float64(w.epochs)
}

// parts follow the bar, the most important first: how many trials are done, the best, the time left, the trial of the event and its epoch, the speed of all, the architecture.
func (w *watch) parts(e study.Event) []string {
	parts := []string{fmt.Sprintf("%s done", formatWhole(w.done))}
	if w.trials > 0 {
		parts[0] = fmt.Sprintf("%s/%s done", formatWhole(w.done), formatWhole(w.trials))
	}
	if w.best != nil {
		parts = append(parts, "best "+formatScore(w.best.Metrics.ValAccuracy, w.looked))
	}
	if left, ok := w.left(); ok {
		parts = append(parts, formatTime(left)+" left")
	}
	trial := fmt.Sprintf("trial %d", e.Index)
	if s := w.running[e.Index]; s != nil && s.Epoch > 0 {
		trial += fmt.Sprintf(" epoch %d/%d", s.Epoch, w.epochs)
	}
	parts = append(parts, trial)
	if r := w.rate.rate(); r > 0 {
		parts = append(parts, formatFigure(r)+" images/s")
	}
	return append(parts, e.Genome)
}

// left estimates the time that is left.
func (w *watch) left() (time.Duration, bool) {
	elapsed := time.Since(w.start)
	left, known := time.Duration(0), false
	if w.time > 0 {
		left, known = w.time-elapsed, true
	}
	if done := w.trialsDone() - float64(w.first); w.trials > 0 && done > 0 {
		rest := spanOf(float64(elapsed) / done * (float64(w.trials) - done - float64(w.first)))
		if !known || rest < left {
			left, known = rest, true
		}
	}
	return max(left, 0), known
}

// announce says on standard error what is about to happen.
func (s *session) announce(recorded int) {
	budget := ""
	if s.trials > 0 {
		budget = plural(s.trials, "trial") + " in all"
	}
	if s.time > 0 {
		if budget != "" {
			budget += " or "
		}
		budget += formatTime(s.time)
	}
	if s.tabular() {
		s.display.line("search: space %s, strategy %s, %s of %s (%s), %s", s.space.Name(), s.strategyName, s.metric, s.table, plural(s.known.Rows(), "genome"), budget)
	} else {
		s.display.line("search: space %s, strategy %s, data set %s (%s images to train, %s to compare), %s, %s of %s, %s kernels",
			s.space.Name(), s.strategyName, s.datasetName, formatWhole(s.data.Train.Len()), formatWhole(s.data.Validation.Len()), budget, plural(s.workers, "worker"), plural(s.threads, "thread"), s.level)
	}
	s.sayNotes(s.display)
	switch {
	case recorded > 0:
		s.display.line("study: %s, name %q, goes on after %s", s.file.Path(), s.studyName, plural(recorded, "trial"))
	default:
		s.display.line("study: %s, name %q", s.file.Path(), s.studyName)
	}
}
