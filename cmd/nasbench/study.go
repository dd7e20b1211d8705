package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/nas/study"
)

func (a *app) newStudy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "List, show and export recorded searches",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newStudyList(), a.newStudyShow(), a.newStudyExport())
	return cmd
}

func (a *app) newStudyList() *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "list [FILE...]",
		Short: "List the studies of study files",
		Long: `List the studies of study files. Without FILE these are the files in the user's data folder, where a search without
--study is recorded.

With --json, standard output has one JSON object per study.`,
		RunE: func(_ *cobra.Command, files []string) error { return a.studyList(files, json) },
	}
	cmd.Flags().BoolVar(&json, "json", false, "print JSON instead of a table")
	addConfig(cmd.Flags())
	return cmd
}

// studyFlags choose a study of a file.
type studyFlags struct {
	name string
	json bool
}

func (s *studyFlags) add(cmd *cobra.Command, json string) {
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("want one study file, not %d", len(args))
		}
		return nil
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&s.name, "name", "", "name of the study (default the only one of the file)")
	cmd.Flags().BoolVar(&s.json, "json", false, json)
}

func (a *app) newStudyShow() *cobra.Command {
	var s studyFlags
	top := defaultTop
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Show the settings, the leaderboard, the best architecture and the final trainings of a study",
		Long: `Show the settings, the leaderboard, the best architecture and the final trainings of a study. A study may be shown while a search goes on
with it, and where nothing can be written.

With --json it is one object.`,
		Example: `  nasbench study show fashion.db --top 3`,
		RunE:    func(_ *cobra.Command, files []string) error { return a.studyShow(files[0], s, top) },
	}
	s.add(cmd, "print JSON instead of tables")
	cmd.Flags().Var(intValue{p: &top, min: 1}, "top", "rows of the leaderboard")
	addConfig(cmd.Flags())
	return cmd
}

// recording is a study as it is on record.
type recording struct {
	study.Info
	trials []study.Trial
	finals []study.Final

	exhausted bool // the strategy has nothing left to propose
}

// readStudies reads the studies of a file, which another process may be writing.
func readStudies(path string) (out []recording, err error) {
	f, err := study.OpenReadOnly(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return studiesOf(f)
}

// studiesOf reads the studies of an open file.
func studiesOf(f *study.File) (out []recording, err error) {
	infos, err := f.Studies()
	if err != nil {
		return nil, err
	}
	for _, i := range infos {
		trials, err := f.Trials(i.Name)
		if err != nil {
			return nil, err
		}
		finals, err := f.Finals(i.Name)
		if err != nil {
			return nil, err
		}
		m, err := f.Measurements(i.Name, exhaustedFact)
		if err != nil {
			return nil, err
		}
		facts, err := m.All()
		if err != nil {
			return nil, err
		}
		out = append(out, recording{i, trials, finals, len(facts) > 0})
	}
	return out, nil
}

// readStudy reads the study of a name, or with none the only one.
func readStudy(path, name string) (recording, error) {
	all, err := readStudies(path)
	if err != nil {
		return recording{}, err
	}
	return chooseStudy(all, path, name)
}

// chooseStudy returns the study of a name, or with none the only one but for copies of earlier searches.
func chooseStudy(all []recording, path, name string) (recording, error) {
	if name == "" {
		own := slices.DeleteFunc(slices.Clone(all), func(r recording) bool { return r.Settings["copy-of"] != "" })
		if len(own) == 1 {
			return own[0], nil
		}
	}
	var names []string
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	switch {
	case len(all) == 0:
		return recording{}, fmt.Errorf("study %s: there is no study in it", path)
	case name == "":
		return recording{}, usagef("study %s: --name is needed to choose one of %s", path, join(names))
	}
	return recording{}, usagef("study %s: there is no study %q%s; there is %s", path, name, didYouMean(name, names), join(names))
}

// listedStudy is a line of the list.
type listedStudy struct {
	Type string `json:"type"`
	File string `json:"file"`

	Name     string         `json:"name"`
	Created  time.Time      `json:"created"`
	Settings study.Settings `json:"settings"`
	counts
	Best   *bestTrial    `json:"best"`
	Finals []study.Final `json:"finals,omitempty"`
}

// listed describes a study.
func (r *recording) listed(path string) listedStudy {
	l := listedStudy{Type: "study", File: path, Name: r.Name, Created: r.Created, Settings: r.Settings, counts: count(r.trials), Finals: r.finals}
	if board := study.Leaderboard(r.trials, 1); len(board) > 0 {
		l.Best = newBest(&board[0])
	}
	return l
}

func (a *app) studyList(files []string, json bool) error {
	if len(files) == 0 {
		folder, err := studyFolder()
		if err != nil {
			return err
		}
		if files, err = filepath.Glob(filepath.Join(folder, "*.db")); err != nil {
			return err
		}
		slices.Sort(files)
	}
	var list []listedStudy
	var failed []error
	for _, path := range files {
		recorded, err := readStudies(path)
		if err != nil {
			failed = append(failed, err) // the others are shown all the same
			continue
		}
		for _, r := range recorded {
			list = append(list, r.listed(path))
		}
	}
	if json {
		for _, l := range list {
			if err := writeJSON(a.stdout, l); err != nil {
				return err
			}
		}
		return errors.Join(failed...)
	}
	if len(list) == 0 {
		if len(failed) == 0 {
			fmt.Fprintln(a.stdout, "no study is recorded")
		}
		return errors.Join(failed...)
	}
	w := newTable(tableColumn{head: "FILE", long: true, fromStart: true}, tableColumn{head: "NAME", long: true, spare: 1}, tableColumn{head: "BEGUN", spare: 5},
		tableColumn{head: "SPACE", long: true, fromStart: true, spare: 4}, tableColumn{head: "STRATEGY", spare: 6}, tableColumn{head: "ON", long: true, fromStart: true, spare: 7},
		tableColumn{head: "TRIALS", spare: 2}, tableColumn{head: "BEST", spare: 3})
	for _, l := range list {
		best := "none"
		if l.Best != nil {
			best = formatScore(l.Best.Metrics.ValAccuracy, l.Settings["evaluator"] == tabularEvaluator)
		}
		on := l.Settings["dataset"]
		if t := l.Settings["table"]; t != "" {
			on = t
		}
		w.row(l.File, l.Name, l.Created.Local().Format("2006-01-02 15:04"), l.Settings["space"], l.Settings["strategy"], on, formatWhole(l.Trials), best)
	}
	if err := w.write(a.stdout, a.columns(a.stdout)); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// newBest describes a trial; nil if there is none.
func newBest(t *study.Trial) *bestTrial {
	if t == nil {
		return nil
	}
	return &bestTrial{t.Index, t.Genome, t.Architecture, t.Metrics}
}

// shownStudy is what show prints with --json.
type shownStudy struct {
	listedStudy
	Board []study.Trial `json:"leaderboard"`
}

func (a *app) studyShow(path string, flags studyFlags, top int) error {
	r, err := readStudy(path, flags.name)
	if err != nil {
		return err
	}
	board := study.Leaderboard(r.trials, top)
	if flags.json {
		return writeJSON(a.stdout, shownStudy{r.listed(path), board})
	}
	var b strings.Builder
	c := count(r.trials)
	fmt.Fprintf(&b, "study %q in %s, begun %s: %s, %s complete, %s failed", r.Name, path, r.Created.Local().Format(time.DateTime), plural(c.Trials, "trial"), formatWhole(c.Complete), formatWhole(c.Failed))
	if c.Pruned > 0 {
		fmt.Fprintf(&b, ", %s pruned", formatWhole(c.Pruned))
	}
	b.WriteString("\n\n")
	w := newTable(tableColumn{}, tableColumn{long: true, fromStart: true})
	for _, name := range slices.Sorted(maps.Keys(r.Settings)) {
		w.row(name, r.Settings[name])
	}
	if err := w.write(&b, a.columns(a.stdout)); err != nil {
		return err
	}
	b.WriteString("\n")
	if err := printBoard(&b, board, boardColumns(r.Settings, r.trials), a.columns(a.stdout)); err != nil {
		return err
	}
	if len(board) > 0 {
		fmt.Fprintf(&b, "\nbest architecture, of trial %d:\n  %s\n  %s\n", board[0].Index, board[0].Genome, board[0].Architecture)
	}
	if len(r.finals) > 0 {
		b.WriteString("\nfinal trainings:\n")
		if err := printFinals(&b, r.finals, a.columns(a.stdout)); err != nil {
			return err
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.goOnText(path))
	_, err = io.WriteString(a.stdout, b.String())
	return err
}
