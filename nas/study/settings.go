package study

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are the settings that determine the results of a study, by name: space,
// strategy, data set, seed, epochs and the like. What does not change a result (threads,
// workers, limits of time and trials) does not belong here. A study keeps the
// settings that it was created with, and can only be resumed with the same.
type Settings map[string]string

// Difference is one setting that differs; "" stands for a setting that is absent.
type Difference struct {
	Name, Recorded, Given string
}

// SettingsError says that a study was made with other settings than those given.
type SettingsError struct {
	Study       string // its name
	Differences []Difference
}

func (e *SettingsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "study %q was made with other settings: ", e.Study)
	for i, d := range e.Differences {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s was %s, now %s", d.Name, orUnset(d.Recorded), orUnset(d.Given))
	}
	return b.String()
}

func orUnset(v string) string {
	if v == "" {
		return "not set"
	}
	return v
}

// Compare returns the settings that differ, sorted by name.
func (s Settings) Compare(given Settings) []Difference {
	names := slices.Sorted(maps.Keys(s))
	for name := range given {
		if _, ok := s[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var differences []Difference
	for _, name := range names {
		if s[name] != given[name] {
			differences = append(differences, Difference{name, s[name], given[name]})
		}
	}
	return differences
}
