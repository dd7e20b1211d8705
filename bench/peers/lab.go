package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// record is what was measured.
type record struct {
	Best     map[string]float64 // least nanoseconds, or for limits the highest rate
	Versions map[string]string  // of the peers that are there
	Missing  []string           // what is not there, and how to get it
}

// lab keeps the subjects.
type lab struct {
	options
	scratch  string
	record   record
	peer     string // the program of oneDNN, if it could be built
	python   string // with PyTorch, if there is one
	subjects map[string]*subject
}

// subject is a process that answers requests.
type subject struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// prepare builds the peers. What cannot be built is recorded as missing.
func (l *lab) prepare() {
	l.record.Missing = nil
	missing := func(what string, err error, output []byte) {
		reason, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		if reason == "" {
			reason = err.Error()
		}
		text := fmt.Sprintf("%s (on Debian 12: apt-get install %s)", what, map[string]string{oneDNN: "gcc libdnnl-dev", torch: "python3-torch"}[what])
		fmt.Fprintf(os.Stderr, "peers: without %s: %s\n", text, reason)
		l.record.Missing = append(l.record.Missing, text)
	}
	program := filepath.Join(l.scratch, "onednn")
	if text, err := exec.Command("gcc", "-O2", filepath.Join(l.peers, "onednn", "peer.c"), "-o", program, "-ldnnl").CombinedOutput(); err != nil {
		missing(oneDNN, err, text)
	} else {
		l.peer = program
	}
	python, text, err := pythonWith("torch")
	if err != nil {
		missing(torch, err, text)
	}
	l.python = python
	for _, who := range []string{oneDNN, torch} {
		if !l.there(who) {
			continue
		}
		if s, err := l.subject(who, levels()[0], 1, false); err == nil {
			if text, err := s.ask("version"); err == nil {
				l.record.Versions[who] = text
			}
		}
	}
}

// pythonWith returns a Python that has a module. Debian's packages are of the system's, which need not be the first of the path.
func pythonWith(module string) (python string, text []byte, err error) {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if text, err = exec.Command(python, "-c", "import "+module).CombinedOutput(); err == nil {
			return python, nil, nil
		}
	}
	return "", text, err
}

func (l *lab) there(who string) bool {
	return who == ours || who == limit || who == oneDNN && l.peer != "" || who == torch && l.python != ""
}

// subject starts the process for a level, a number of threads and an allocator, once.
func (l *lab) subject(who, level string, threads int, keeps bool) (*subject, error) {
	if who == limit {
		who = ours
	}
	name := fmt.Sprint(who, threads)
	if keeps {
		name += " keeps"
	}
	if who == oneDNN {
		name += level
	}
	if s := l.subjects[name]; s != nil {
		return s, nil
	}
	var args []string
	switch who {
	case oneDNN:
		args = []string{l.peer}
	case torch:
		args = []string{l.python, filepath.Join(l.peers, "torch", "peer.py"), strconv.Itoa(threads)}
	default:
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		args = []string{self, "-serve"}
	}
	var env []string
	if who == oneDNN && level == "avx2" {
		env = []string{"ONEDNN_MAX_CPU_ISA=AVX2"}
	}
	if keeps {
		env = append(env, keepMemory...)
	}
	s, err := start(args, threads, l.cpu, env...)
	if err != nil {
		return nil, err
	}
	l.subjects[name] = s
	return s, nil
}

// start starts a process that answers requests. On one thread it is bound to a CPU.
func start(args []string, threads, cpu int, env ...string) (*subject, error) {
	if taskset, err := exec.LookPath("taskset"); err == nil && threads == 1 {
		args = append([]string{taskset, "-c", strconv.Itoa(cpu)}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	// What is set here for other programs' OpenBLAS is not for the peers.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "OPENBLAS_") || strings.HasPrefix(v, "MALLOC_") })
	cmd.Env = append(cmd.Env, "OMP_NUM_THREADS="+strconv.Itoa(threads))
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &subject{cmd, in, bufio.NewReader(out)}, nil
}

// ask sends a request and returns the answer. The error says what a subject has against the request.
func (s *subject) ask(request string) (string, error) {
	if _, err := fmt.Fprintln(s.in, request); err != nil {
		return "", err
	}
	text, err := s.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s ended: %w", s.cmd.Path, err)
	}
	if reason, bad := strings.CutPrefix(strings.TrimSpace(text), "!"); bad {
		return "", errors.New(reason)
	}
	return strings.TrimSpace(text), nil
}

// close ends the subjects, which stop when nobody asks any more.
func (l *lab) close() {
	for _, s := range l.subjects {
		s.close()
	}
}

func (s *subject) close() {
	s.in.Close()
	_ = s.cmd.Wait() // its measurements are in
}

func key(q question, who, level string, threads int) string {
	return fmt.Sprintf("%s %s %s %s %s %s %d", q.section, q.kind, q.shape, q.direction, who, level, threads)
}

// have reports whether all that can be asked was answered before.
func (l *lab) have(q question) bool {
	for _, who := range q.who {
		for _, level := range q.levels {
			for _, n := range q.threads {
				if l.record.Best[key(q, who, level, n)] == 0 && l.there(who) && !(who == torch && level != q.levels[0]) {
					return false
				}
			}
		}
	}
	return true
}

// measure asks everyone in turns. That a peer does not have a case is no error; that a result of ours is wrong is one.
func (l *lab) measure(q question) error {
	refused := map[string]bool{}
	for range l.rounds {
		for _, level := range q.levels {
			for _, n := range q.threads {
				for _, who := range q.who {
					k := key(q, who, level, n)
					// PyTorch has no level to choose, and two allocators.
					if !l.there(who) || refused[k] || who == torch && level != q.levels[0] {
						continue
					}
					for _, keeps := range []bool{false, true}[:1+map[bool]int{true: 1}[who == torch]] {
						refusal, err := l.ask(q, who, level, n, keeps)
						if err != nil {
							return err
						}
						if refusal != nil {
							fmt.Fprintln(os.Stderr, "peers:", refusal)
							refused[k] = true
							break
						}
					}
				}
			}
		}
	}
	return nil
}

// ask asks once and keeps the best answer. A peer may refuse a case.
func (l *lab) ask(q question, who, level string, threads int, keeps bool) (refusal, err error) {
	s, err := l.subject(who, level, threads, keeps)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("%s %s %s %g", q.kind, q.shape, q.direction, l.time.Seconds()*1e3)
	switch who {
	case ours:
		request += fmt.Sprintf(" %s %d", level, threads)
	case limit:
		request = fmt.Sprintf("peak - - 0 %s %d", level, threads)
		if q.kind == "elementwise" {
			request = fmt.Sprintf("copy - - 0 %s %d", level, threads)
		}
	}
	text, err := s.ask(request)
	if err != nil {
		err = fmt.Errorf("%s %s %s, %s: %w", q.kind, q.shape, q.direction, who, err)
		if who == ours || who == limit {
			return nil, err
		}
		return err, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x > 0) {
		return nil, fmt.Errorf("%s answers %q to %q", who, text, request)
	}
	k := key(q, who, level, threads)
	if best := l.record.Best[k]; best == 0 || (x < best) != (who == limit) {
		l.record.Best[k] = x
	}
	return nil, nil
}
