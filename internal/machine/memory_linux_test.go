package machine

import (
	"os"
	"path/filepath"
	"testing"
)

// The limit that counts is the smallest from the group of the process up to the root.
func TestTheSmallestLimitOfTheControlGroupsCounts(t *testing.T) {
	for _, c := range []struct {
		name, list string
		files      map[string]string
		want       int64
	}{
		{"none", "0::/\n", nil, 0},
		{"no limit", "0::/\n", map[string]string{"memory.max": "max\n"}, 0},
		{"a container sees its group as the root", "0::/\n", map[string]string{"memory.max": "1000\n"}, 1000},
		{"version 2, own group", "0::/user/session\n", map[string]string{"user/session/memory.max": "500\n", "user/memory.max": "max\n"}, 500},
		{"version 2, group above", "0::/user/session\n", map[string]string{"user/session/memory.max": "max\n", "user/memory.max": "700\n"}, 700},
		{"version 2, smallest of both", "0::/a/b\n", map[string]string{"a/b/memory.max": "900\n", "a/memory.max": "700\n"}, 700},
		{"a group that leads out of the mount", "0::/../..\n", map[string]string{"memory.max": "300\n"}, 300},
		{"version 1", "5:cpu,memory:/jobs/7\n2:pids:/jobs/7\n", map[string]string{"memory/jobs/7/memory.limit_in_bytes": "400\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"}, 400},
		{"no list", "", map[string]string{"memory.max": "800\n"}, 800},
	} {
		dir := t.TempDir()
		list := filepath.Join(dir, "list")
		if c.list != "" {
			if err := os.WriteFile(list, []byte(c.list), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range c.files {
			file := filepath.Join(dir, "mount", name)
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got := groupLimit(list, filepath.Join(dir, "mount")); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestMemoryIsKnown(t *testing.T) {
	if Memory() < 1<<24 || Plannable() >= Memory() {
		t.Errorf("%d bytes of memory, %d for plans", Memory(), Plannable())
	}
}
