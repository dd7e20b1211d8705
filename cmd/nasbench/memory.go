package main

import (
	"errors"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/internal/machine"
)

// memoryFlag is how much memory trainings may plan together.
type memoryFlag struct{ most int64 }

func (m *memoryFlag) add(flags *pflag.FlagSet) {
	flags.Var(memoryValue{&m.most}, "memory", "bytes that trainings at the same time may plan, such as 500M or 2G; what needs more computes cheap values twice or is refused (default four fifths of the machine's memory)")
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
