package main

import (
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/internal/machine"
)

// memoryFlag is how much memory trainings may plan together.
type memoryFlag struct{ most int64 }

func (m *memoryFlag) add(flags *pflag.FlagSet) {
	flags.Var(memoryValue{&m.most}, "memory", "bytes that trainings at the same time may plan, such as 500M or 2G, all that they keep and prepare included; the images of the data set, and some 100 MB for the program, come on top. What needs more computes cheap values twice or is refused (default four fifths of the machine's memory)")
}

// heapSlack is what the process may have beside what it has planned, images, and what there is before it plans: garbage, and stacks.
const heapSlack = 64 << 20

// keep tells the garbage collector to keep the process within the bound, if the user gave one. Without it the heap may grow to twice of what is in use. It is called when
// the images to train on are in memory; images is their size, which that of test images, read at the end, hardly exceeds. What it returns undoes it.
func (m *memoryFlag) keep(images int64) (undo func()) {
	if m.most == 0 {
		return func() {}
	}
	debug.FreeOSMemory() // what reading the images has left
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	before := debug.SetMemoryLimit(int64(s.HeapAlloc) + m.most + max(heapSlack, images))
	return func() { debug.SetMemoryLimit(before) }
}

// share returns how many bytes each of a number of trainings that run at the same time may plan.
func (m *memoryFlag) share(trainings int) int64 {
	if m.most == 0 {
		return trainingMemory(trainings)
	}
	return max(1, m.most/int64(max(trainings, 1)))
}

// trainingMemory is the share that is used where none is given. 0 means that it is not known.
func trainingMemory(trainings int) int64 { return machine.Plannable() / int64(max(trainings, 1)) }

// memoryValue is a number of bytes, written like a sizeValue.
type memoryValue struct{ p *int64 }

func (memoryValue) Type() string { return "SIZE" }
func (v memoryValue) String() string {
	if v.p == nil || *v.p == 0 {
		return ""
	}
	return sizeValue(v).String()
}

func (v memoryValue) Set(s string) error {
	var n int64
	if err := (sizeValue{&n}).Set(s); err != nil || n == 0 {
		return errors.New("want a number of bytes such as 500M or 2G")
	}
	*v.p = n
	return nil
}

// imageBytes returns the size of the images of a split.
func imageBytes(s *dataset.Split) int64 { return int64(s.Len()) * int64(s.Height*s.Width*s.Channels) }
