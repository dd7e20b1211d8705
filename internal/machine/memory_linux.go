package machine

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func find() int64 {
	return least(least(physical(), groupLimit("/proc/self/cgroup", "/sys/fs/cgroup")), addressSpace())
}

// physical returns the memory of the machine in bytes, or 0 if it is not known.
func physical() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(uint64(info.Totalram) * uint64(info.Unit))
}

// addressSpace returns what the limit of address space (ulimit -v) leaves free; 0 if there is no limit. The Go runtime reserves much more than it uses, so what is
// reserved already does not count as free.
func addressSpace() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil || limit.Cur > math.MaxInt64 {
		return 0
	}
	free := int64(limit.Cur)
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 0 {
			if pages, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
				free -= pages * int64(os.Getpagesize())
			}
		}
	}
	return max(free, 1)
}

// groupLimit returns the smallest memory limit of the control groups of this process, of either version of them, that are listed in a file and
// mounted in a folder; 0 if there is none. In a container the folder shows the container's own group alone, as its root.
func groupLimit(list, mount string) int64 {
	limit := int64(0)
	look := func(file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			return
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			limit = least(limit, n)
		}
	}
	groups, _ := os.ReadFile(list) // without it there are the roots
	lines := append(strings.Split(string(groups), "\n"), "0::/", "0:memory:/")
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, ":")
		kind, group, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			if kind == "" {
				look(path.Join(mount, group, "memory.max"))
			} else if strings.Contains(","+kind+",", ",memory,") {
				look(path.Join(mount, "memory", group, "memory.limit_in_bytes"))
			}
			if group == "/" {
				break
			}
		}
	}
	return limit
}
