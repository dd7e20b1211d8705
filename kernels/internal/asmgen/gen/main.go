// Command gen writes the assembly files of package kernels into the current folder,
// or with -check compares those that are there.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/nasbench-go/nasbench/kernels/internal/asmgen"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if a file differs")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	files, err := asmgen.Outputs()
	if err != nil {
		return err
	}
	for name, want := range files {
		if !check {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				return err
			}
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("%s is not what the generator writes; run go generate", name)
		}
	}
	return nil
}
