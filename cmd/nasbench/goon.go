package main

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/nasbench-go/nasbench/kernels"
	"github.com/nasbench-go/nasbench/nas/oneshot"
	"github.com/nasbench-go/nasbench/nas/study"
)

// defaultRankName is the name of a ranking that is given none.
const defaultRankName = "rank"

// exhaustedFact is what a study keeps, beside its trials, once its strategy has nothing left to propose.
const exhaustedFact = "exhausted"

// noteExhausted records that the strategy has nothing left to propose.
func (s *session) noteExhausted(trials int) error {
	m, err := s.file.Measurements(s.studyName, exhaustedFact)
	if err != nil {
		return err
	}
	if all, err := m.All(); err != nil || len(all) > 0 {
		return err
	}
	return m.Add("trials", float64(trials))
}

// longer returns the time to go on with where a search has come to nothing in a time: twice as much, or as much as two trials take.
func longer(limit, need time.Duration) time.Duration {
	return max(2*limit, (2*need + time.Second - 1).Truncate(time.Second))
}

// moreTrials returns how many trials a study shall have in all to go on, when it has all below a number; 0 if it cannot have more.
func moreTrials(settings map[string]string, have int, exhausted bool) int {
	most := 0
	switch settings["strategy"] {
	case dartsStrategy:
		most = 1
	case oneshotStrategy:
		most = oneshot.Defaults().Finalists
		if n, err := strconv.Atoi(settings["oneshot-finalists"]); err == nil {
			most = n
		}
	}
	switch {
	case exhausted || most > 0 && have >= most:
		return 0
	case most > 0:
		return most
	}
	return max(2*have, 1)
}

// nextTrial is one more than the highest number of a trial on record.
func nextTrial(trials []study.Trial) int {
	next := 0
	for _, t := range trials {
		next = max(next, t.Index+1)
	}
	return next
}

// nothingLeft says why there is no command to go on with.
const nothingLeft = "nothing is left to search: the strategy has proposed all that it has"

// goOnCommand is the command that goes on with the study, and has something to do; "" if nothing is left. interrupted says that the search or its
// final training did not come to an end.
func (s *session) goOnCommand(trials []study.Trial, stop study.Stop, interrupted bool) string {
	limit := s.trials
	below := 0 // of those asked for
	for _, t := range trials {
		if t.Index < s.trials {
			below++
		}
	}
	more := moreTrials(s.settings(), max(nextTrial(trials), s.trials), stop == study.StopExhausted)
	switch {
	case interrupted, below < s.trials && stop != study.StopExhausted:
		// The same again has something to do.
	case more == 0:
		return ""
	case s.trials > 0:
		limit = more
	}
	args := []string{"search", "--study", absolute(s.file.Path())}
	args = append(args, flagsNotDefault(s.flags, "name", "data-dir", "final-epochs", "final-seeds")...)
	if f := s.flags.Lookup("final-epochs"); f.Changed && f.Value.String() == f.DefValue && s.time > 0 {
		args = append(args, "--final-epochs", f.DefValue) // which is not the same as leaving it out
	}
	if limit > 0 {
		args = append(args, "--trials", fmt.Sprint(limit))
	}
	if s.time > 0 {
		args = append(args, "--time", shortDuration(max(s.time, s.moreTime)))
	}
	return atLevel(s.level.String()) + program(os.Args[0], currentBuild()) + " " + command(args...)
}

// atLevel is what a command begins with that is to run at a CPU level: nothing if it would do so by itself.
func atLevel(level string) string {
	d, err := kernels.Detect()
	if runtime.GOOS == "windows" || level == "" || err == nil && d.Level.String() == level && os.Getenv(kernels.LevelVariable) == "" {
		return ""
	}
	return kernels.LevelVariable + "=" + level + " "
}

// goOnText says how a search goes on with a study that is on record.
func (r *recording) goOnText(file string) string {
	file = absolute(file)
	run := program(os.Args[0], currentBuild()) + " "
	switch {
	case r.Settings["copy-of"] != "":
		return "it is a copy of an earlier search, for one that began with it"
	case r.ranked() != "":
		args := []string{"rank", "--study", file, "--architectures", fmt.Sprint(max(2*nextTrial(r.trials), 3))}
		if name := r.ranked(); name != defaultRankName {
			args = append(args, "--name", name)
		}
		return "go on with the ranking:\n  " + atLevel(r.Settings[levelSetting]) + run + command(args...)
	case r.foreign():
		return "it goes on from the Go program that recorded it"
	}
	more := moreTrials(r.Settings, nextTrial(r.trials), r.exhausted)
	if more == 0 {
		return nothingLeft
	}
	args := []string{"search", "--study", file}
	if r.Name != defaultStudyName {
		args = append(args, "--name", r.Name)
	}
	return "go on searching:\n  " + atLevel(r.Settings[levelSetting]) + run + command(append(args, "--trials", fmt.Sprint(more))...)
}

// foreign reports whether the study was not recorded by the search of this program: with a space or a strategy of its own, or with
// other settings.
func (r *recording) foreign() bool {
	s := r.Settings
	if !slices.Contains(spaceNames(), s["space"]) && !isSpaceFile(s["space"]) || !slices.Contains(strategyNames(), s["strategy"]) {
		return true
	}
	of := []string{"dataset", "epochs", "validation", "train-samples", levelSetting, "lr", "batch"}
	if s["evaluator"] == tabularEvaluator {
		of = []string{"metric", digestSetting}
	}
	return slices.ContainsFunc(append(of, "seed"), func(name string) bool { return s[name] == "" })
}

// ranked returns the name of the ranking that the study is a seed of; "" if it is none.
func (r *recording) ranked() string {
	base := r.Name[:len(r.Name)-len(path.Ext(r.Name))]
	if r.Settings["strategy"] != "" || r.Settings["oneshot-epochs"] == "" || base == r.Name {
		return ""
	}
	return base
}

// trainCommand is the command that repeats the final training of an architecture.
func (s *session) trainCommand(genome string, epochs int) string {
	args := []string{"train", "--arch", genome, "--epochs", fmt.Sprint(epochs), "--validation", "0", "--test"}
	names := slices.Concat([]string{"space", "channels", "cells", "reductions", "dataset", "data-dir"}, dataFlagNames(), []string{"train-samples", "seed"}, recipeFlagNames())
	args = append(args, flagsNotDefault(s.flags, names...)...)
	return atLevel(s.level.String()) + program(os.Args[0], currentBuild()) + " " + command(args...)
}
