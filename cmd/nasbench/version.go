package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// build is what the binary knows about how it was built. Fields that the Go
// toolchain did not record are empty.
type build struct {
	Module   string `json:"module"`
	Version  string `json:"version"` // of the module; (devel) when built from a checkout
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Tags     string `json:"tags,omitempty"`
	CGO      bool   `json:"cgo"`
}

// buildOf reads the build information of the running binary; info may be nil.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: "(unknown)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info == nil {
		return b
	}
	b.Module = info.Main.Path
	b.Version = info.Main.Version
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "-tags":
			b.Tags = s.Value
		case "CGO_ENABLED":
			b.CGO = s.Value == "1"
		}
	}
	return b
}

func currentBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info)
}

// String is the one line that the version command prints.
func (b build) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "nasbench %s %s %s/%s", b.Version, b.Go, b.OS, b.Arch)
	if b.Commit != "" {
		fmt.Fprintf(&s, " commit %.12s", b.Commit)
		if b.Modified {
			s.WriteString(" (modified)")
		}
	}
	if b.Tags != "" {
		fmt.Fprintf(&s, " tags %s", b.Tags)
	}
	return s.String()
}

func (a *app) newVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return writeJSON(a.stdout, currentBuild())
			}
			_, err := fmt.Fprintln(a.stdout, currentBuild())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// writeJSON writes v as one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
