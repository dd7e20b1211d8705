// Package asmgen writes the assembly routines of package kernels: for each file of
// [Files] a .s file and a .go file with the declarations, each documented as the Go
// loop that it equals.
//
// A routine is a [Function]: parameters, and a body that emits instructions through a
// [Machine]. The machine is a small abstract vector processor: general registers
// [Reg], vector registers [Vec] of [Machine.Lanes] floats, addresses [Mem], and a tail
// that limits loads and stores of the last vector to the lanes that exist. The back
// ends are AVX2 with FMA and AVX-512; bodies ask the machine how many lanes and
// registers it has and emit the same description for each. A back end for another
// architecture implements [Machine].
//
// Conventions for bodies: no stack frame; registers hold nothing on entry; [Machine.Return]
// ends every path. Vector registers are not preserved over calls in Go, so none are saved.
//
// The command in gen writes the files (go generate in package kernels); a test
// generates them again and compares.
package asmgen
