package asmgen

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// weaver is a machine on which long chains of instructions, each of which waits for the one before, gain from being emitted in turns: the
// CPU looks ahead by a limited number of instructions that wait, and then finds some of each chain among them.
type weaver interface {
	// weave emits straight pieces of code, which use the vector registers below used, instruction by instruction in turns. Those of
	// piece i are i*apart higher.
	weave(pieces []func(), used, apart int)
}

var vectorRegister = regexp.MustCompile(`\b([XY])(\d+)\b`)

func (a *avx2) weave(pieces []func(), used, apart int) {
	before := a.out.String()
	var lines [][]string
	longest := 0
	for i, piece := range pieces {
		a.out.Reset()
		piece()
		text := vectorRegister.ReplaceAllStringFunc(a.out.String(), func(name string) string {
			n, err := strconv.Atoi(name[1:])
			if err != nil || n >= used {
				return name
			}
			return fmt.Sprintf("%c%d", name[0], n+i*apart)
		})
		lines = append(lines, strings.SplitAfter(text, "\n"))
		longest = max(longest, len(lines[i]))
	}
	a.out.Reset()
	a.out.WriteString(before)
	for n := range longest {
		for _, l := range lines {
			if n < len(l) {
				a.out.WriteString(l[n])
			}
		}
	}
}
