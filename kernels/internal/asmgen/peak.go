package asmgen

import (
	"fmt"
	"strings"
)

// peakAccumulators is the number of independent sums of the peak loop: at least the latency of an FMA times the number that
// start in a cycle (4 and 2 on the CPUs of today).
const peakAccumulators = 12

// peakUnroll is the number of FMAs on every sum in a round, so that the loop itself costs nothing.
const peakUnroll = 4

// peakFile has the loop that measures the most that a level can do.
func peakFile(l Level) File {
	name := fmt.Sprintf("peak%v", l)
	return File{
		Name: "peak_" + strings.ToLower(l.String()), Level: l,
		Functions: []Function{{
			Name: name,
			Doc: fmt.Sprintf("%s computes, on vectors in registers and with rounds at least 1,\n\n\tfor range rounds {\n\t\tfor range %d {\n\t\t\tfor i := range %d {\n\t\t\t\tsum[i] += a * b\n\t\t\t}\n\t\t}\n\t}",
				name, peakUnroll, peakAccumulators),
			Params: []Param{{"rounds", "int"}},
			Body: func(m Machine) {
				const rounds = Reg(0)
				const a, b = Vec(peakAccumulators), Vec(peakAccumulators + 1)
				for i := range peakAccumulators + 2 {
					m.Zero(Vec(i))
				}
				m.Param(rounds, "rounds")
				m.Align()
				m.Label("loop")
				for range peakUnroll {
					for i := range peakAccumulators {
						m.FMA(Vec(i), a, b)
					}
				}
				m.SubJumpNotZero(rounds, 1, "loop")
				m.Return()
			},
		}},
	}
}
