package main

import (
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/nas/study"
)

// A fault of the program is one line that says so, and where it happened to whoever asks.
func TestFaultsOfTheProgramAreOneLine(t *testing.T) {
	inner := &study.Panic{Value: "index out of range", Stack: []byte("goroutine 7 [running]:\n")}
	for _, c := range []struct {
		value any
		trace string
	}{{"index\nout of range", "goroutine "}, {inner, "goroutine 7 [running]"}} {
		for _, trace := range []string{"", "1"} {
			var b strings.Builder
			code := guarded(&b, env{traceVariable: trace}.get, func() int { panic(c.value) })
			line, rest, _ := strings.Cut(b.String(), "\n")
			wantOneLine(t, ran{code, "", line + "\n"}, exitFailure, "index out of range; please report it")
			if strings.Contains(rest, c.trace) != (trace != "") || trace == "" && rest != "" {
				t.Errorf("%s=%s: %s", traceVariable, trace, rest)
			}
		}
	}
	if code := guarded(nil, env{}.get, func() int { return 7 }); code != 7 {
		t.Errorf("exit code %d", code)
	}
}
