package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func inUTF16(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func TestAByteOrderMarkIsNoPartOfAFile(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	arch := writeFile(t, "arch.txt", []byte(mark+"conv3x3(16), pool3x3(max), skip\r\n"))
	space := writeFile(t, "space.yaml", []byte(mark+"space: mine\nkind: chain\noperations:\n  skip: {type: skip}\n  conv: {type: conv, channels: 16}\ndepth: 2\nconnections: [sequential]\n"))
	config := writeFile(t, "config.yaml", []byte(mark+"epochs: 1\ntrain-samples: 100\nvalidation: 0\n"))
	table := writeFile(t, "table.csv", []byte(mark+"arch,acc\n00000000,1\n"))
	succeed(t, "train", "--arch", "@"+arch, "--config", config, "--quiet")
	succeed(t, "profile", "--arch", "conv, skip", "--space", space, "--batch", "1")
	succeed(t, "compare", "--table", table, "--space", "macro", "--metric", "acc", "--strategies", "grid", "--trials", "1", "--runs", "1")
}

func TestTextOfAnotherEncodingIsNamed(t *testing.T) {
	arch := writeFile(t, "arch.txt", inUTF16("skip, skip, skip"))
	wantOneLine(t, nasbench(t, nil, "train", "--arch", "@"+arch), exitUsage, "arch.txt: the text is UTF-16; save it as UTF-8")
	table := writeFile(t, "table.csv", inUTF16("arch,acc\n22212202,1\n"))
	wantOneLine(t, nasbench(t, nil, "compare", "--table", table, "--space", "macro", "--metric", "acc"), exitFailure, "table.csv: the text is UTF-16; save it as UTF-8")
	arch = writeFile(t, "arch.bin", []byte("skip, skip, skip\xff"))
	wantOneLine(t, nasbench(t, nil, "profile", "--arch", "@"+arch), exitUsage, "arch.bin: byte 0xff at offset 16 is not UTF-8 text")
}

func TestFilesThatAreReadWholeHaveALimit(t *testing.T) {
	large := writeFile(t, "large.yaml", bytes.Repeat([]byte("# nothing\n"), 200_000))
	const want = "large.yaml: more than 1048576 bytes"
	for _, args := range [][]string{
		{"train", "--arch", "@" + large},
		{"profile", "--arch", "@" + large},
		{"search", "--space", large},
		{"compare", "--space", large, "--table", large, "--metric", "acc"},
		{"data", "list", "--config", large},
	} {
		wantOneLine(t, nasbench(t, nil, args...), exitUsage, want)
	}
	wantOneLine(t, nasbench(t, nil, "train", "--arch", "@"), exitUsage, "--arch: no file is named behind the @")
}

// interruptWaiting runs the command, which waits for somebody who never writes, and interrupts it.
func interruptWaiting(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	ended := make(chan int)
	go func() { ended <- run(ctx, args, stdin, &stdout, &stderr, env{}.get) }()
	cancel()
	select {
	case code := <-ended:
		wantOneLine(t, ran{code, stdout.String(), stderr.String()}, exitInterrupted, "interrupted")
	case <-time.After(time.Minute):
		t.Fatalf("%q still waits", args)
	}
}

func TestAnInterruptEndsWaitingForStandardInput(t *testing.T) {
	never, writer := io.Pipe()
	defer writer.Close()
	interruptWaiting(t, never, "train", "--arch", "@-")
	interruptWaiting(t, never, "profile", "--arch", "@-")
}

func TestTheHintOfAColumnIsForNamesThatNoneHas(t *testing.T) {
	table := writeFile(t, "table.csv", []byte("arch,acc,acc2\n22212202,1,1\n22212201,NaN,2\n"))
	for _, flag := range []string{"--metric", "--report", "--cost"} {
		args := []string{"compare", "--table", table, "--space", "macro", "--metric", "acc2", flag, "acc"}
		r := nasbench(t, nil, args...)
		wantOneLine(t, r, exitUsage, flag+`: table table.csv: line 3, column 10: column acc: "NaN" is not a finite number`)
		if strings.Contains(r.stderr, "did you mean") {
			t.Errorf("%s: a hint at another column: %s", flag, r.stderr)
		}
	}
}
