package kernels

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/cpuid/v2"
)

// Level is a set of CPU instructions that a [Table] is written for.
type Level int

// The levels. Within an architecture a higher level includes the lower ones.
const (
	Generic Level = iota // plain Go
	AVX2                 // amd64: AVX2 and FMA
	AVX512               // amd64: AVX-512 F, BW, DQ and VL
	NEON                 // arm64: Advanced SIMD
)

// LevelVariable names the environment variable that lowers the level.
const LevelVariable = "NASBENCH_LEVEL"

var levelNames = [...]string{Generic: "generic", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}

// String returns the name that [ParseLevel] reads.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levelNames[l]
}

// ParseLevel returns the level of a name: generic, avx2, avx512 or neon.
func ParseLevel(name string) (Level, error) {
	for l, n := range levelNames {
		if n == name {
			return Level(l), nil
		}
	}
	return Generic, fmt.Errorf("unknown level %q; the levels are %s", name, strings.Join(levelNames[:], ", "))
}

// Detection says which level was chosen and why.
type Detection struct {
	Level     Level    // chosen
	Machine   Level    // highest that the CPU and the operating system support
	Requested string   // value of NASBENCH_LEVEL, "" if unset
	Reason    string   // why Level, in words
	Features  []string // those of the CPU that decide about levels
}

// Detect returns what the CPU supports and which level is used on it. It fails if
// NASBENCH_LEVEL names a level that does not exist, that the machine does not
// support, or that this build has no routines for.
func Detect() (Detection, error) {
	d, err := detect(machine(), os.Getenv(LevelVariable))
	if err != nil {
		return d, fmt.Errorf("kernels: %w", err)
	}
	return d, nil
}

// host is what detect needs to know about the machine and the build.
type host struct {
	arch     string   // as runtime.GOARCH
	features []string // names of available features, as cpuid spells them
	built    []Level  // levels that this build has tables for, Generic first
}

// machine asks the CPU. The features that cpuid reports account for the register
// state that the operating system saves.
func machine() host {
	h := host{arch: runtime.GOARCH, built: builtLevels()}
	for _, f := range levelFeatures {
		if cpuid.CPU.Has(f) {
			h.features = append(h.features, f.String())
		}
	}
	return h
}

// levelFeatures are the features that decide about levels.
var levelFeatures = [...]cpuid.FeatureID{
	cpuid.AVX, cpuid.AVX2, cpuid.FMA3,
	cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL, cpuid.ASIMD,
}

// supported returns the levels of the host in ascending order.
func (h host) supported() []Level {
	has := func(ids ...cpuid.FeatureID) bool {
		for _, id := range ids {
			found := false
			for _, f := range h.features {
				found = found || f == id.String()
			}
			if !found {
				return false
			}
		}
		return true
	}
	levels := []Level{Generic}
	switch h.arch {
	case "amd64":
		if has(cpuid.AVX, cpuid.AVX2, cpuid.FMA3) {
			levels = append(levels, AVX2)
			if has(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL) {
				levels = append(levels, AVX512)
			}
		}
	case "arm64":
		if has(cpuid.ASIMD) {
			levels = append(levels, NEON)
		}
	}
	return levels
}

func contains(levels []Level, l Level) bool {
	for _, have := range levels {
		if have == l {
			return true
		}
	}
	return false
}

// available returns the levels that are both supported and built, in ascending order.
func (h host) available() []Level {
	var levels []Level
	for _, l := range h.supported() {
		if contains(h.built, l) {
			levels = append(levels, l)
		}
	}
	return levels
}

// check returns why a level cannot be used on the host, or nil.
func (h host) check(l Level) error {
	supported := h.supported()
	top := supported[len(supported)-1]
	switch {
	case (l == AVX2 || l == AVX512) && h.arch != "amd64":
		return fmt.Errorf("%v is a level of amd64, this is %s", l, h.arch)
	case l == NEON && h.arch != "arm64":
		return fmt.Errorf("%v is a level of arm64, this is %s", l, h.arch)
	case !contains(supported, l):
		return fmt.Errorf("this CPU has %v at most", top)
	case !contains(h.built, l):
		return fmt.Errorf("this build has no %v kernels", l)
	}
	return nil
}

// detect chooses the highest available level, or the requested one.
func detect(h host, requested string) (Detection, error) {
	supported, available := h.supported(), h.available()
	d := Detection{
		Level:     available[len(available)-1],
		Machine:   supported[len(supported)-1],
		Requested: requested,
		Features:  h.features,
	}
	switch {
	case requested != "":
		l, err := ParseLevel(requested)
		if err == nil {
			err = h.check(l)
		}
		if err != nil {
			return d, fmt.Errorf("%s=%s: %w", LevelVariable, requested, err)
		}
		d.Level = l
		d.Reason = fmt.Sprintf("%s asks for it", LevelVariable)
	case d.Level != d.Machine:
		d.Reason = fmt.Sprintf("this CPU has %v, but this build has no faster kernels than %v for it", d.Machine, d.Level)
	default:
		d.Reason = "the highest level that this CPU supports"
	}
	return d, nil
}

// Available returns the levels that this machine supports and this build has tables
// for, in ascending order; the first is Generic.
func Available() []Level { return machine().available() }

// ForLevel returns a new table of the given level. It fails if the machine does not
// support the level or this build has no routines for it.
func ForLevel(l Level) (*Table, error) {
	if err := machine().check(l); err != nil {
		return nil, fmt.Errorf("kernels: level %v: %w", l, err)
	}
	t := genericTable()
	if l != Generic {
		t.Level = l
		override(l, t)
	}
	return t, nil
}

// Active returns the table of the level that [Detect] chooses. The choice is made
// once; later calls return the same table or error.
func Active() (*Table, error) { return active() }

var active = sync.OnceValues(func() (*Table, error) {
	d, err := Detect()
	if err != nil {
		return nil, err
	}
	return ForLevel(d.Level)
})
