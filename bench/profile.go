package bench

import (
	"cmp"
	"slices"
	"time"

	"github.com/nasbench-go/nasbench/autograd"
)

// ProfileRow is what nodes of a program cost in one run.
type ProfileRow struct {
	Layer    string // path of the layer, empty before the first
	Op       string
	Shape    string // of the output; empty in a group
	Backward bool
	Calls    int           // nodes in this row
	Time     time.Duration // median over the runs, added up over the nodes
	Work     autograd.Work
	Live     int64 // bytes of the arena that are in use while the node runs; the largest of a group
}

// Rate returns n per second of the row's time; 0 if no time passed.
func (r ProfileRow) Rate(n int64) float64 {
	if r.Time <= 0 {
		return 0
	}
	return float64(n) / r.Time.Seconds()
}

// Intensity returns the FLOPs per byte moved.
func (r ProfileRow) Intensity() float64 {
	return float64(r.Work.FLOPs) / float64(max(r.Work.Bytes, 1))
}

// Profile says where the time and the memory of a program go. Rows are in the order in which they run.
type Profile struct {
	Rows  []ProfileRow
	Run   time.Duration // median time of a whole run
	Runs  int           // how many runs were timed
	Arena int64         // planned bytes
}

// Work returns the work of one run.
func (p *Profile) Work() autograd.Work {
	var sum autograd.Work
	for _, r := range p.Rows {
		sum = addWork(sum, r.Work)
	}
	return sum
}

// PeakLive returns the largest number of bytes in use at any time, which is what Arena would be without losses to packing.
func (p *Profile) PeakLive() int64 {
	peak := int64(0)
	for _, r := range p.Rows {
		peak = max(peak, r.Live)
	}
	return peak
}

func addWork(a, b autograd.Work) autograd.Work {
	return autograd.Work{FLOPs: a.FLOPs + b.FLOPs, MACs: a.MACs + b.MACs, Bytes: a.Bytes + b.Bytes}
}

// ProfileOptions say how a program is profiled.
type ProfileOptions struct {
	Length time.Duration // of the measurement without the breaks
	// Break, unless it is nil, is called before the first run, twice between runs, and after the last, for measurements of the machine.
	Break func()
	// Stop, unless it is nil, is asked after every run and may end the measurement.
	Stop func() bool
}

// breaks is how often a profile is interrupted for a break.
const breaks = 2

// ProfileProgram times the steps of a program that is ready to run. It makes at least three runs and at most ten thousand, fewer of a program of very many steps, each third of them
// after one that does not count.
func ProfileProgram(p *autograd.Program, o ProfileOptions) *Profile {
	steps := p.Steps()
	const least, samples = 3, 1 << 24 // each has a place in memory
	most := max(least, min(10000, samples/max(len(steps), 1)))
	var runs [][]time.Duration
	stopped, spent := false, time.Duration(0)
	for part := range breaks + 1 {
		if stopped {
			break
		}
		if o.Break != nil {
			o.Break()
		}
		p.Run(0)
		enough := func() bool {
			return len(runs) >= (part+1)*least/(breaks+1) && spent*(breaks+1) >= o.Length*time.Duration(part+1) || len(runs) >= (part+1)*most/(breaks+1)
		}
		for start, before := time.Now(), spent; !stopped && !enough(); spent = before + time.Since(start) {
			times := make([]time.Duration, len(steps))
			p.RunTimed(0, times)
			runs = append(runs, times)
			stopped = o.Stop != nil && o.Stop()
		}
	}
	if o.Break != nil {
		o.Break()
	}
	out := &Profile{Runs: len(runs), Arena: p.ArenaBytes()}
	whole := make([]time.Duration, len(runs))
	for i, times := range runs {
		for _, t := range times {
			whole[i] += t
		}
	}
	out.Run = median(whole)
	of := map[*autograd.Node]time.Duration{}
	for i, n := range steps {
		var each []time.Duration
		for _, times := range runs {
			each = append(each, times[i])
		}
		of[n] += median(each)
	}
	live := p.LiveBytes()
	for i, n := range p.Nodes() {
		if n.Op() == nil {
			continue
		}
		if _, runs := of[n]; !runs {
			continue // a view
		}
		out.Rows = append(out.Rows, ProfileRow{
			Layer: n.Path(), Op: n.Name(), Shape: n.Shape().String(), Backward: n.Backward(),
			Calls: 1, Time: of[n], Work: p.NodeWork(n), Live: live[i],
		})
	}
	return out
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// Groups returns the rows with the same key added up, the most expensive first.
func (p *Profile) Groups(key func(ProfileRow) ProfileRow) []ProfileRow {
	at := map[ProfileRow]int{}
	var groups []ProfileRow
	for _, r := range p.Rows {
		k := key(r)
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, k)
		}
		g := &groups[i]
		g.Calls += r.Calls
		g.Time += r.Time
		g.Work = addWork(g.Work, r.Work)
		g.Live = max(g.Live, r.Live)
	}
	return ByTime(groups)
}

// ByLayer is a key of [Profile.Groups]: one row per layer.
func ByLayer(r ProfileRow) ProfileRow { return ProfileRow{Layer: r.Layer} }

// ByOp is a key of [Profile.Groups]: one row per operation.
func ByOp(r ProfileRow) ProfileRow { return ProfileRow{Op: r.Op} }

// ByTime returns rows sorted by their time, the longest first.
func ByTime(rows []ProfileRow) []ProfileRow {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b ProfileRow) int { return cmp.Compare(b.Time, a.Time) })
	return rows
}
