package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/nasbench-go/nasbench/layers/safetensors"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/study"
)

// Notes in the checkpoint of a final training, which say what it belongs to.
const (
	noteFinalStudy   = "study"
	noteFinalGenome  = "genome"
	noteFinalSeed    = "seed"
	noteFinalEpochs  = "epochs"
	noteFinalAsked   = "epochs-asked"
	noteFinalSeconds = "seconds"
)

// finalPlan is what the final trainings of a search are to be. It is decided before they begin, and kept to by whoever goes on with them.
type finalPlan struct {
	best   *study.Trial
	epochs int
	left   *leftFinal // a checkpoint to go on with; nil if there is none
}

// leftFinal is a final training that was interrupted.
type leftFinal struct {
	seed    uint64
	epochs  int
	seconds float64 // that it took so far
}

// finalCheckpoint is the file in which a final training is kept until it is done.
func (s *session) finalCheckpoint() string {
	return sideFile(s.file.Path(), s.studyName, "final")
}

// finalOwner is the note by which a checkpoint belongs to the study.
func (s *session) finalOwner() (string, error) {
	info, ok, err := s.file.Find(s.studyName)
	if err == nil && !ok {
		err = fmt.Errorf("study %s: there is no study %q", s.file.Path(), s.studyName)
	}
	return info.Created.UTC().Format(time.RFC3339Nano) + " " + info.Name, err
}

// planFinal decides how many epochs the final trainings have: those of one that was interrupted; those of the ones on record if others of them
// are missing, so that all have the same; those on record if the time allows no more now.
func (s *session) planFinal(ctx context.Context, e *evaluator.Evaluator, best *study.Trial, finals []study.Final) (*finalPlan, error) {
	p := &finalPlan{best: best}
	var err error
	if p.left, err = s.leftOver(best); err != nil {
		return nil, err
	}
	if p.left != nil {
		p.epochs = p.left.epochs
		return p, nil
	}
	last := 0  // epochs of the last on record that was asked for like this
	whole := 0 // most epochs of which all are on record
	for _, f := range finals {
		if f.Genome != best.Genome || f.EpochsAsked != s.askedEpochs() || f.CutOff > 0 {
			continue
		}
		last = f.Epochs
		all := &finalPlan{best: best, epochs: f.Epochs}
		if f.Epochs > whole && all.complete(finals, s.seed, s.finalSeeds) {
			whole = f.Epochs
		}
	}
	if p.epochs, err = s.decideFinal(ctx, e, best); err != nil {
		return nil, err
	}
	switch {
	case whole >= p.epochs:
		p.epochs = whole
	case last > 0 && whole != last:
		p.epochs = last
	}
	if p.epochs > 0 {
		s.noFinal = "" // there is one on record, or the rest of them
	}
	return p, nil
}

// complete reports whether all seeds from first up are on record.
func (p *finalPlan) complete(finals []study.Final, first uint64, seeds int) bool {
	for i := range seeds {
		if p.recorded(finals, first+uint64(i)) == nil {
			return false
		}
	}
	return true
}

// recorded returns the final training with a seed that is on record; nil if there is none. It would give the same bits again.
func (p *finalPlan) recorded(finals []study.Final, seed uint64) *study.Final {
	for i := range finals {
		if f := &finals[i]; f.Genome == p.best.Genome && f.Epochs == p.epochs && f.Seed == seed && f.CutOff == 0 {
			return f
		}
	}
	return nil
}

// recordedFinal returns the last final training of an architecture that is on record, with those of other seeds that go with it; nil if there is none.
func (s *session) recordedFinal(best *study.Trial) (*final, error) {
	finals, err := s.store.Finals()
	if err != nil || best == nil {
		return nil, err
	}
	groups := groupFinals(finals)
	for i := len(groups) - 1; i >= 0; i-- {
		if groups[i][0].Genome == best.Genome {
			f := summarizeFinal(groups[i])
			f.OnRecord = true
			return f, nil
		}
	}
	return nil, nil
}

// groupFinals puts final trainings together that differ in their seeds alone, in the order of the last of each group.
func groupFinals(finals []study.Final) [][]study.Final {
	var groups [][]study.Final
	for _, f := range finals {
		group := []study.Final{f}
		for i, g := range groups {
			if g[0].Genome == f.Genome && g[0].Epochs == f.Epochs && g[0].CutOff == 0 && f.CutOff == 0 {
				group = append(g, f)
				groups = append(groups[:i], groups[i+1:]...)
				break
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// leftOver looks for a final training of the best that was interrupted. What belongs to another study or architecture, or was asked for
// otherwise, is left aside, and replaced by the next one.
func (s *session) leftOver(best *study.Trial) (*leftFinal, error) {
	path := s.finalCheckpoint()
	f, err := safetensors.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		s.display.line("final training: what an earlier one left cannot be used, so it starts anew: %v", err)
		return nil, nil
	}
	owner, err := s.finalOwner()
	if err != nil {
		return nil, err
	}
	note := func(name string) string { return f.Metadata["note."+name] }
	if note(noteFinalStudy) != owner || note(noteFinalGenome) != best.Genome || note(noteFinalAsked) != strconv.Itoa(s.askedEpochs()) {
		return nil, nil
	}
	var l leftFinal
	l.seed, err = strconv.ParseUint(note(noteFinalSeed), 10, 64)
	if err != nil || l.seed-s.seed >= uint64(s.finalSeeds) {
		return nil, nil
	}
	if l.epochs, err = strconv.Atoi(note(noteFinalEpochs)); err != nil || l.epochs < 1 {
		return nil, nil
	}
	if l.seconds, err = strconv.ParseFloat(note(noteFinalSeconds), 64); err != nil {
		l.seconds = 0
	}
	return &l, nil
}

// trainFinal trains with one seed, or goes on where it was interrupted, and records what comes out. What the time cuts off, after so many epochs,
// stays in its checkpoint too.
func (s *session) trainFinal(ctx context.Context, e *evaluator.Evaluator, p *finalPlan, seed uint64) (final *study.Final, cut float64, err error) {
	genome, err := s.space.Parse(p.best.Genome)
	if err != nil {
		return nil, 0, err
	}
	owner, err := s.finalOwner()
	if err != nil {
		return nil, 0, err
	}
	start, before := time.Now(), 0.0
	took := func() float64 { return before + time.Since(start).Seconds() }
	w := &trainWatch{display: s.display, epochs: p.epochs, start: start, what: "final training"}
	o := evaluator.ValidateOptions{Genome: genome, Seed: seed, Epochs: p.epochs, All: true, Out: s.finalCheckpoint()}
	if s.time > 0 {
		o.Deadline = cutOff(s.start, s.time, s.pace)
	}
	o.Notes = map[string]string{
		noteFinalStudy: owner, noteFinalGenome: p.best.Genome, noteFinalSeed: strconv.FormatUint(seed, 10),
		noteFinalEpochs: strconv.Itoa(p.epochs), noteFinalAsked: strconv.Itoa(max(s.askedEpochs(), p.epochs)), noteFinalSeconds: "0",
	}
	o.Report = func(study.Point) error {
		o.Notes[noteFinalSeconds] = strconv.FormatFloat(took(), 'g', -1, 64)
		return nil
	}
	steps := 0
	o.Progress = func(step study.Step) {
		if steps++; steps == 1 && o.Resume != "" {
			s.display.line("final training: goes on in epoch %d of %d", step.Epoch, p.epochs)
		}
		w.step(step)
	}
	if p.left != nil && p.left.seed == seed {
		o.Resume, before = o.Out, p.left.seconds
	}
	model, err := e.Validate(ctx, o)
	late := func() bool { return errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil }
	if err != nil && o.Resume != "" && steps == 0 && ctx.Err() == nil && !late() {
		s.display.line("final training: what an earlier one left cannot be used, so it starts anew: %v", err)
		o.Resume, before = "", 0
		model, err = e.Validate(ctx, o)
	}
	s.display.clear()
	if late() {
		return nil, 0, errLate
	}
	if err != nil {
		return nil, 0, fmt.Errorf("final training: %w", err)
	}
	f := study.Final{
		Trial: p.best.Index, Genome: p.best.Genome, Seed: seed, Epochs: p.epochs, EpochsAsked: max(s.askedEpochs(), p.epochs), TrainImages: s.data.All.Len(),
		TestAccuracy: model.Test.Accuracy, TestLoss: model.Test.Loss, TestImages: model.Test.Images,
	}
	made := float64(f.Epochs)
	if f.CutOff = model.Cut; f.CutOff > 0 {
		made = f.CutOff
	}
	if f.Timing.Seconds = took(); f.Timing.Seconds > 0 {
		f.Timing.ImagesPerSecond = made * float64(f.TrainImages) / f.Timing.Seconds
	}
	if err := s.store.AppendFinal(f); err != nil {
		return nil, 0, err
	}
	if f.CutOff > 0 {
		return &f, f.CutOff, nil
	}
	// It is on record, so what is left of it is of no use any more.
	if err := os.Remove(o.Out); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("final training: %w", err)
	}
	return &f, 0, nil
}

// epochsOf says how many epochs a final training has, or of how many it has made how many.
func epochsOf(f study.Final) string {
	if f.CutOff > 0 {
		return fmt.Sprintf("%.1f of %d", f.CutOff, f.Epochs)
	}
	return fmt.Sprint(f.Epochs)
}

// printFinals prints final trainings in so many columns of a terminal; 0 is no bound.
func printFinals(out io.Writer, finals []study.Final, width int) error {
	w := newTable(tableColumn{head: "TRIAL"}, tableColumn{head: "SEED"}, tableColumn{head: "EPOCHS"}, tableColumn{head: "TEST ACCURACY"}, tableColumn{head: "95%", spare: 2},
		tableColumn{head: "TEST LOSS", spare: 3}, tableColumn{head: "TEST IMAGES", spare: 5}, tableColumn{head: "TRAINED ON", spare: 6}, tableColumn{head: "SECONDS", spare: 4})
	for _, f := range finals {
		low, high := evaluator.AccuracyInterval(f.TestAccuracy, f.TestImages)
		w.row(fmt.Sprint(f.Trial), fmt.Sprint(f.Seed), epochsOf(f), formatFixed(f.TestAccuracy, 4), fmt.Sprintf("%.4f to %.4f", low, high), formatFixed(f.TestLoss, 4),
			formatWhole(f.TestImages), formatWhole(f.TrainImages), formatFixed(f.Timing.Seconds, 1))
	}
	return w.write(out, width)
}
