package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/nasbench-go/nasbench/kernels"
)

// asProgram in the environment makes the test binary behave as the program, for what needs a
// process of its own.
const asProgram = "NASBENCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	// Tests must not see the data, nor write to the studies, of whoever runs them.
	home, err := os.MkdirTemp("", "nasbench-test-*")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		os.Setenv(name, home)
	}
	os.Unsetenv("NASBENCH_DATA")
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// onceForAllLevels leaves a slow test out where NASBENCH_LEVEL asks for the tests of another CPU level than the machine's: what it is about does not
// depend on the level.
func onceForAllLevels(t *testing.T) {
	t.Helper()
	if level := os.Getenv(kernels.LevelVariable); level != "" {
		t.Skipf("%s=%s: tested where the level is the machine's own", kernels.LevelVariable, level)
	}
}

// ran is what one run of the command left.
type ran struct {
	code           int
	stdout, stderr string
}

// env is an environment.
type env map[string]string

func (e env) get(name string) string { return e[name] }

// nasbench runs the command in-process.
func nasbench(t *testing.T, e env, args ...string) ran {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr, e.get)
	return ran{code, stdout.String(), stderr.String()}
}

// succeed runs the command and wants exit code 0.
func succeed(t *testing.T, args ...string) ran {
	t.Helper()
	r := nasbench(t, nil, args...)
	if r.code != exitOK {
		t.Fatalf("%q: exit code %d: %s", args, r.code, r.stderr)
	}
	return r
}

// interruptAt runs the command and interrupts it when text appears on the chosen output.
func interruptAt(t *testing.T, text string, onStdout bool, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	var out, errs io.Writer = &stdout, &stderr
	if onStdout {
		out = &trigger{&stdout, text, cancel}
	} else {
		errs = &trigger{&stderr, text, cancel}
	}
	code := run(ctx, args, strings.NewReader(""), out, errs, env{}.get)
	if ctx.Err() == nil {
		t.Fatalf("%q: %q never appeared: %s%s", args, text, stdout.String(), stderr.String())
	}
	return ran{code, stdout.String(), stderr.String()}
}

// trigger is a writer that calls fire once text was written.
type trigger struct {
	*bytes.Buffer
	text string
	fire func()
}

func (w *trigger) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.text) {
		w.fire()
	}
	return n, err
}

// wantOneLine checks that a run failed with this code, said so in one line that contains want,
// and printed nothing else.
func wantOneLine(t *testing.T, r ran, code int, want string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	if r.stdout != "" {
		t.Errorf("standard output: %s", r.stdout)
	}
	if !strings.HasPrefix(r.stderr, "nasbench: ") || strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, "\n") {
		t.Errorf("want one line of 'nasbench: ...', have: %s", r.stderr)
	}
	if !strings.Contains(r.stderr, want) {
		t.Errorf("want %q in: %s", want, r.stderr)
	}
}
