package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/nas/study"
)

// helpFlags make a search need less training: what was found before, and trials that are ended early.
type helpFlags struct {
	warmStart, warmStartName string
	prune                    bool
}

// helpFlagNames are those that decide the results of a search.
func helpFlagNames() []string { return []string{"warm-start", "warm-start-name", "prune"} }

func (h *helpFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&h.warmStart, "warm-start", "", "tell the strategy the trials of an earlier search in the same space, recorded in `FILE`, before it begins")
	flags.StringVar(&h.warmStartName, "warm-start-name", "", "name of the study in that file (default the only one)")
	flags.BoolVar(&h.prune, "prune", false, fmt.Sprintf("end a trial early when its best accuracy is below the median of the means of those before, from epoch %d on", pruneWarmUp+1))
}

// Of the median stopping rule: epochs before it decides, and trials that it needs to compare with.
const (
	pruneWarmUp = 1
	pruneTrials = 5
)

// check finds mistakes before anything is read.
func (h *helpFlags) check(o *searchOptions) error {
	switch {
	case h.prune && o.tabular():
		return usagef("--prune is of use where candidates are trained")
	case h.prune && o.epochs < pruneWarmUp+2:
		return usagef("--prune is of use with --epochs %d or more: it decides from epoch %d on, and not after the last", pruneWarmUp+2, pruneWarmUp+1)
	case h.warmStartName != "" && h.warmStart == "":
		return usagef("--warm-start-name is of use with --warm-start")
	case h.warmStart != "" && !slices.Contains(comparedNames(), o.strategyName):
		return usagef("--warm-start: strategy %s learns from no trials", o.strategyName)
	}
	return nil
}

// pruner returns the rule by which trials end early; nil if none does.
func (h *helpFlags) pruner() study.Pruner {
	if !h.prune {
		return nil
	}
	return study.MedianPruner(pruneWarmUp, pruneTrials)
}

// warm copies the trials of the earlier search into the study file, unless the study was begun with them, so that it goes on to
// the same results whatever becomes of the other file.
func (s *session) warm() error {
	if s.warmStart == "" {
		return nil
	}
	name := s.studyName + ".warm-start"
	if s.recorded != nil {
		info, ok, err := s.file.Find(name)
		if err == nil && !ok {
			err = fmt.Errorf("study %s: the copy of the earlier search, %q, is missing", s.file.Path(), name)
		}
		if err == nil {
			var store study.Store
			if store, err = s.file.Study(name, info.Settings); err == nil {
				s.earlierSettings = info.Settings
				s.earlier, err = store.Trials()
			}
		}
		if err != nil {
			return err
		}
		return s.moveEarlier(info.Settings["digest"])
	}
	from, err := s.readEarlier()
	if err != nil {
		return err
	}
	trials, digest, err := toCopy(from)
	if err != nil {
		return err
	}
	if len(trials) == 0 {
		return usagef("--warm-start: study %s has no trials", s.warmStart)
	}
	for _, t := range trials {
		if _, err := s.space.Parse(t.Genome); err != nil {
			return usagef("--warm-start: trial %d of %s, a search of space %s: %w", t.Index, s.warmStart, from.Settings["space"], err)
		}
	}
	// A copy that was begun and not finished is finished here; one of other trials is refused.
	settings := study.Settings{
		"copy-of": s.warmStart, "name": from.Name, "trials": strconv.Itoa(len(trials)), "digest": digest,
	}
	for _, setting := range append(scoreSettings(), "space", "strategy", "table", dataSetting, contentsSetting) {
		if v := from.Settings[setting]; v != "" {
			settings[setting] = v
		}
	}
	store, err := s.file.Study(name, settings)
	if err != nil {
		return settingsError(err)
	}
	have, err := store.Trials()
	if err != nil {
		return err
	}
	for _, t := range trials {
		if slices.ContainsFunc(have, func(h study.Trial) bool { return h.Index == t.Index }) {
			continue
		}
		if err := store.Append(t); err != nil {
			return err
		}
	}
	s.earlier, s.earlierSettings = trials, settings
	return nil
}

// toCopy returns the trials of an earlier search that a strategy is told, and their digest.
func toCopy(from recording) (trials []study.Trial, digest string, err error) {
	trials = slices.DeleteFunc(from.trials, func(t study.Trial) bool { return t.ReusedFrom != nil })
	sum := sha256.New()
	for _, t := range trials {
		if err := writeJSON(sum, t); err != nil {
			return nil, "", err
		}
	}
	return trials, hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// moveEarlier records where the earlier search lies now, if what is given is another path to the same trials. Otherwise the
// difference in the settings is found like any other.
func (s *session) moveEarlier(digest string) error {
	if s.warmStart == s.recorded["warm-start"] {
		return nil
	}
	from, err := s.readEarlier()
	if err != nil {
		return nil
	}
	if _, now, err := toCopy(from); err != nil || now != digest {
		return err
	}
	s.recorded["warm-start"] = s.warmStart
	return s.file.Amend(s.studyName, study.Settings{"warm-start": s.warmStart})
}

// incomparable says in which settings two studies differ whose scores are put side by side.
func incomparable(was, is study.Settings) (differ []string) {
	for _, name := range scoreSettings() {
		switch {
		case name == "dataset" && was[dataSetting] != "" && is[dataSetting] != "":
			if was[dataSetting] != is[dataSetting] {
				differ = append(differ, fmt.Sprintf("the data set was %s and is %s", describeData(was, ""), describeData(is, "")))
			}
		case was[name] != is[name]:
			differ = append(differ, fmt.Sprintf("%s was %s and is %s", name, orNone(was[name]), orNone(is[name])))
		}
	}
	return differ
}

// scoreSettings are the settings by which scores of two studies can be compared or not.
func scoreSettings() []string {
	return append([]string{"evaluator", "metric", "table-digest", "dataset", "train-samples", "validation", "epochs"}, dataFlagNames()...)
}

// readEarlier reads the earlier search, which may be in the file of this one.
func (s *session) readEarlier() (recording, error) {
	if here, err := os.Stat(s.file.Path()); err == nil {
		if there, err := os.Stat(s.warmStart); err == nil && os.SameFile(here, there) {
			all, err := studiesOf(s.file)
			if err != nil {
				return recording{}, err
			}
			return chooseStudy(all, s.warmStart, s.warmStartName)
		}
	}
	r, err := readStudy(s.warmStart, s.warmStartName)
	if err != nil {
		return r, fmt.Errorf("--warm-start: %w", err)
	}
	return r, nil
}

// tellEarlier tells the strategy what the earlier search found.
func (s *session) tellEarlier() error {
	for i, t := range s.earlier {
		g, err := s.space.Parse(t.Genome)
		if err != nil {
			return err
		}
		r := t.Result(g)
		r.Trial = -1 - i
		s.strategy.Tell(r)
	}
	if len(s.earlier) == 0 {
		return nil
	}
	s.display.line("warm start: the strategy knows %s of %s", plural(len(s.earlier), "earlier trial"), s.warmStart)
	for _, words := range incomparable(s.earlierSettings, s.settings()) {
		s.display.line("warm start: %s: the scores of the two may not be comparable", words)
	}
	return nil
}
