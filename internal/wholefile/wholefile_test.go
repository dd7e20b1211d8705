package wholefile

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// asWriter in the environment makes the test binary begin a file and wait.
const asWriter = "WHOLEFILE_TEST_AS_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(asWriter); path != "" {
		w, err := Create(path)
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(w, "half of it")
		fmt.Println(w.Name())
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNothingIsSeenBeforeCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for i, keep := range []bool{true, false, true} {
		before := ""
		if i > 0 {
			before = content(t, path)
		}
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, i)
		if i > 0 && content(t, path) != before {
			t.Errorf("%q is seen of %d before its end", content(t, path), i)
		}
		if !keep {
			err = w.Discard()
		} else {
			err, before = w.Commit(), fmt.Sprint(i)
		}
		if err != nil || content(t, path) != before {
			t.Errorf("%d: %v; the file has %q, want %q", i, err, content(t, path), before)
		}
		if left := names(t, dir); len(left) != 1 {
			t.Errorf("%d leaves %q", i, left)
		}
	}
	if _, err := Create(dir); err == nil {
		t.Error("a folder can be written")
	}
}

func TestLeftoversGoAndWhatIsBeingWrittenStays(t *testing.T) {
	if !renamesOpen {
		t.Skip("no locks here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	start := func() (*exec.Cmd, string) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asWriter+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := bufio.NewScanner(out)
		if !line.Scan() {
			t.Fatal("the writer does not begin")
		}
		return cmd, line.Text()
	}
	killed, left := start()
	killed.Process.Kill()
	killed.Wait()
	writing, busy := start()
	defer func() { writing.Process.Kill(); writing.Wait() }()
	mine, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	others := []string{"b.safetensors.tmp-12", "a.safetensors.tmp-", "a.safetensors.tmp-1x", "a.safetensors.tmp-.5", "a.safetensors"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(path+".tmp-77", 0o700); err != nil {
		t.Fatal(err)
	}
	RemoveLeftovers(path)
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s of a killed process is still there", left)
	}
	for _, name := range append(others, filepath.Base(busy), filepath.Base(mine.Name()), "a.safetensors.tmp-77") {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s is gone", name)
		}
	}
	fmt.Fprint(mine, "mine")
	if err := mine.Commit(); err != nil || content(t, path) != "mine" {
		t.Errorf("%v, %q", err, content(t, path))
	}
	writing.Process.Kill()
	writing.Wait()
	RemoveLeftovers(path)
	if _, err := os.Stat(busy); err == nil {
		t.Errorf("%s is still there after its process was killed", busy)
	}
	RemoveLeftovers("")
	RemoveLeftovers(filepath.Join(dir, "none", "x"))
}

// Whoever writes while others clean up loses nothing.
func TestCleaningNeverTakesAFileFromAWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	var writers sync.WaitGroup
	stop := make(chan struct{})
	cleaned := make(chan struct{})
	go func() {
		defer close(cleaned)
		for {
			select {
			case <-stop:
				return
			default:
				RemoveLeftovers(path)
				runtime.Gosched()
			}
		}
	}()
	for n := range 4 {
		writers.Go(func() {
			for range 50 {
				w, err := Create(path)
				if err == nil {
					fmt.Fprint(w, n)
					err = w.Commit()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	<-cleaned
	if left := names(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}
