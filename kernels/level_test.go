package kernels

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

var (
	avx2Features   = []string{"AVX", "AVX2", "FMA3"}
	avx512Features = []string{"AVX", "AVX2", "FMA3", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"}
	allAMD64       = []Level{Generic, AVX2, AVX512}
	onlyGeneric    = []Level{Generic}
)

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		name      string
		h         host
		requested string
		level     Level
		machine   Level
		err       string // part of it; "" for none
	}{
		{"old amd64", host{"amd64", nil, allAMD64}, "", Generic, Generic, ""},
		{"AVX2 without FMA", host{"amd64", []string{"AVX", "AVX2"}, allAMD64}, "", Generic, Generic, ""},
		{"AVX2", host{"amd64", avx2Features, allAMD64}, "", AVX2, AVX2, ""},
		{"AVX-512", host{"amd64", avx512Features, allAMD64}, "", AVX512, AVX512, ""},
		{"AVX-512 without VL", host{"amd64", avx512Features[:6], allAMD64}, "", AVX2, AVX2, ""},
		{"arm64", host{"arm64", []string{"ASIMD"}, []Level{Generic, NEON}}, "", NEON, NEON, ""},
		{"other", host{"riscv64", nil, onlyGeneric}, "", Generic, Generic, ""},
		{"nothing built", host{"amd64", avx512Features, onlyGeneric}, "", Generic, AVX512, ""},
		{"no AVX-512 built", host{"amd64", avx512Features, allAMD64[:2]}, "", AVX2, AVX512, ""},

		{"lowered to AVX2", host{"amd64", avx512Features, allAMD64}, "avx2", AVX2, AVX512, ""},
		{"lowered to generic", host{"amd64", avx512Features, allAMD64}, "generic", Generic, AVX512, ""},
		{"own level", host{"amd64", avx2Features, allAMD64}, "avx2", AVX2, AVX2, ""},
		{"raised", host{"amd64", avx2Features, allAMD64}, "avx512", 0, AVX2, "NASBENCH_LEVEL=avx512: this CPU has avx2 at most"},
		{"raised from generic", host{"amd64", nil, allAMD64}, "avx2", 0, Generic, "NASBENCH_LEVEL=avx2: this CPU has generic at most"},
		{"not built", host{"amd64", avx512Features, onlyGeneric}, "avx2", 0, AVX512, "NASBENCH_LEVEL=avx2: this build has no avx2 kernels"},
		{"other architecture", host{"amd64", avx2Features, allAMD64}, "neon", 0, AVX2, "NASBENCH_LEVEL=neon: neon is a level of arm64, this is amd64"},
		{"amd64 level on arm64", host{"arm64", []string{"ASIMD"}, onlyGeneric}, "avx2", 0, NEON, "avx2 is a level of amd64, this is arm64"},
		{"unknown", host{"amd64", avx2Features, allAMD64}, "sse9", 0, AVX2, `NASBENCH_LEVEL=sse9: unknown level "sse9"; the levels are generic, avx2, avx512, neon`},
		{"upper case", host{"amd64", avx2Features, allAMD64}, "AVX2", 0, AVX2, "unknown level"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := detect(c.h, c.requested)
			if d.Machine != c.machine || d.Requested != c.requested {
				t.Errorf("detection %+v, want machine %v and requested %q", d, c.machine, c.requested)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.Level != c.level || d.Reason == "" {
				t.Errorf("detection %+v, want level %v and a reason", d, c.level)
			}
		})
	}
}

func TestReasonNamesTheMissingKernels(t *testing.T) {
	d, err := detect(host{"amd64", avx512Features, onlyGeneric}, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "this CPU has avx512, but this build has no faster kernels than generic for it"; d.Reason != want {
		t.Errorf("reason %q, want %q", d.Reason, want)
	}
}

func TestLevelNames(t *testing.T) {
	for _, l := range []Level{Generic, AVX2, AVX512, NEON} {
		got, err := ParseLevel(l.String())
		if got != l || err != nil {
			t.Errorf("ParseLevel(%q) = %v, %v", l.String(), got, err)
		}
	}
	if got := Level(99).String(); got != "Level(99)" {
		t.Error(got)
	}
}

// Every level gives a table without gaps that names its level.
func TestTablesAreComplete(t *testing.T) {
	levels := Available()
	if len(levels) == 0 || levels[0] != Generic {
		t.Fatalf("Available() = %v, want generic first", levels)
	}
	forEachLevel(t, func(t *testing.T, table *Table) {
		v := reflect.ValueOf(*table)
		for i := range v.NumField() {
			field := v.Field(i)
			switch field.Kind() {
			case reflect.Func:
				if field.IsNil() {
					t.Errorf("%s is not set", v.Type().Field(i).Name)
				}
			case reflect.Array:
				for j := range field.Len() {
					if field.Index(j).IsNil() {
						t.Errorf("%s[%d] is not set", v.Type().Field(i).Name, j)
					}
				}
			}
		}
		if !strings.HasSuffix(t.Name(), "/"+table.Level.String()) {
			t.Errorf("%s: the table says it is %v", t.Name(), table.Level)
		}
	})
}

func TestForLevelRejectsWhatCannotRun(t *testing.T) {
	for _, l := range []Level{AVX2, AVX512, NEON, 99} {
		if contains(Available(), l) {
			continue
		}
		if table, err := ForLevel(l); err == nil || table != nil {
			t.Errorf("ForLevel(%v) = %v, %v", l, table, err)
		}
	}
}

// The variable is read once per process, so the test asks a process of its own.
func TestActiveFollowsTheVariable(t *testing.T) {
	const child = "NASBENCH_TEST_ACTIVE"
	if os.Getenv(child) != "" {
		table, err := Active()
		if err != nil {
			fmt.Printf("active: error %v\n", err)
			return
		}
		again, _ := Active()
		fmt.Printf("active: %v %v\n", table.Level, table == again)
		return
	}
	best := Available()[len(Available())-1].String()
	for value, want := range map[string]string{
		"":        "active: " + best + " true",
		"generic": "active: generic true",
		"fastest": "active: error kernels: NASBENCH_LEVEL=fastest: unknown level",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestActiveFollowsTheVariable$")
		cmd.Env = append(os.Environ(), child+"=1", LevelVariable+"="+value)
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("the test cannot start itself under an emulator of another architecture")
		}
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s=%q: %v, output %q, want %q", LevelVariable, value, err, out, want)
		}
	}
}
