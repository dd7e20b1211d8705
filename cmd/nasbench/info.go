package main

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/internal/machine"
	"github.com/nasbench-go/nasbench/kernels"
)

// machineInfo is what the info command reports. Sizes are in bytes; what could not be
// found out is zero or empty.
type machineInfo struct {
	CPU      string   `json:"cpu"`
	Vendor   string   `json:"vendor,omitempty"`
	Features []string `json:"features"` // those that decide about the level

	Level          string   `json:"level"`
	LevelReason    string   `json:"level_reason"`
	LevelSupported string   `json:"level_supported"` // the highest that CPU and system support
	LevelRequested string   `json:"level_requested,omitempty"`
	Levels         []string `json:"levels"` // that this build can use here

	Cores      int `json:"cores"`       // physical
	Threads    int `json:"threads"`     // logical
	UsableCPUs int `json:"usable_cpus"` // for this process: affinity and container limits

	CacheLine int   `json:"cache_line"`
	L1Data    int   `json:"l1_data"`
	L2        int   `json:"l2"`
	L3        int   `json:"l3"`
	Memory    int64 `json:"memory"`

	Build build `json:"build"`
}

// thisMachine inspects the machine. It fails if NASBENCH_LEVEL cannot be met.
func thisMachine() (machineInfo, error) {
	d, err := kernels.Detect()
	if err != nil {
		return machineInfo{}, &usageError{err}
	}
	c := cpuid.CPU
	m := machineInfo{
		CPU:            c.BrandName,
		Features:       d.Features,
		Level:          d.Level.String(),
		LevelReason:    d.Reason,
		LevelSupported: d.Machine.String(),
		LevelRequested: d.Requested,
		Cores:          c.PhysicalCores,
		Threads:        c.LogicalCores,
		UsableCPUs:     runtime.GOMAXPROCS(0),
		CacheLine:      c.CacheLine,
		L1Data:         max(c.Cache.L1D, 0),
		L2:             max(c.Cache.L2, 0),
		L3:             max(c.Cache.L3, 0),
		Memory:         machine.Memory(),
		Build:          currentBuild(),
	}
	if c.VendorID != cpuid.VendorUnknown {
		m.Vendor = c.VendorID.String()
	}
	for _, l := range kernels.Available() {
		m.Levels = append(m.Levels, l.String())
	}
	return m, nil
}

func (a *app) newInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Describe this machine and the kernels chosen for it",
		Long: `Describe the CPU, the level of kernels that is used on it and why, caches, memory and this build.

NASBENCH_LEVEL=generic|avx2|avx512|neon lowers the level.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			m, err := thisMachine()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, m)
			}
			return a.printMachine(m)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (a *app) printMachine(m machineInfo) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("CPU", "%s", orUnknown(m.CPU))
	row("features", "%s", orUnknown(strings.Join(m.Features, " ")))
	row("level", "%s (%s)", m.Level, m.LevelReason)
	row("levels", "%s", strings.Join(m.Levels, " "))
	row("cores", "%s physical, %s logical, %d usable by this process", countOrUnknown(m.Cores), countOrUnknown(m.Threads), m.UsableCPUs)
	row("caches", "L1 data %s, L2 %s, L3 %s, line %s", formatBytes(int64(m.L1Data)), formatBytes(int64(m.L2)),
		formatBytes(int64(m.L3)), formatBytes(int64(m.CacheLine)))
	row("memory", "%s", formatBytes(m.Memory))
	row("Go", "%s %s/%s, cgo %s", m.Build.Go, m.Build.OS, m.Build.Arch, map[bool]string{true: "on", false: "off"}[m.Build.CGO])
	row("nasbench", "%s", m.Build.Version)
	row("build tags", "%s", orNone(m.Build.Tags))
	return w.Flush()
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func countOrUnknown(n int) string {
	if n <= 0 {
		return "unknown"
	}
	return fmt.Sprint(n)
}

// formatBytes prints a size in powers of 1024; zero is unknown.
func formatBytes(n int64) string {
	switch {
	case n <= 0:
		return "unknown"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.4g KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
}
