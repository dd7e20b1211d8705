package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/nas/study"
)

// openStudyFile opens the study file at path. With no path it makes a new one in the user's data
// folder, named by the time.
func openStudyFile(path string, now time.Time) (*study.File, error) {
	if path != "" {
		return study.OpenFile(path, study.FileOptions{})
	}
	const advice = "name a study file with --study"
	folder, err := studyFolder()
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, advice)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("the study cannot be kept: %w; %s", err, advice)
	}
	base := filepath.Join(folder, "search-"+now.Format("20060102-150405"))
	for try := 1; ; try++ {
		path := base + ".db"
		if try > 1 {
			path = fmt.Sprintf("%s-%d.db", base, try)
		}
		// Claimed by making it, so that searches that start in the same second never share one.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if errors.Is(err, fs.ErrExist) && try < 1000 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the study cannot be kept: %w; %s", err, advice)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("the study cannot be kept: %w; %s", err, advice)
		}
		return study.OpenFile(path, study.FileOptions{})
	}
}

// defaultStudyName is the name of a study that is given none.
const defaultStudyName = "search"

// addedToName is room for what is added to the name of a study for the names of those that go with it.
const addedToName = 20

// checkStudyName refuses a name that no new study may have. Those on record go on under whatever name they have.
func checkStudyName(name string) error {
	if err := study.CheckName(name); err != nil {
		return usagef("--name: %w", err)
	}
	if most := study.MaxName - addedToName; len(name) > most {
		return usagef("--name: the name of a study must have at most %d bytes; this one has %d", most, len(name))
	}
	return nil
}

// studyFolder is where studies are recorded that are given no file.
func studyFolder() (string, error) {
	user := dataset.UserDir()
	if user == "" {
		return "", errors.New("the environment names no home folder to keep studies in")
	}
	return filepath.Join(user, "studies"), nil
}

// adopt gives every flag in names that was not set its value from settings. A study is so
// gone on with as it was begun, without repeating its flags.
func adopt(flags *pflag.FlagSet, names []string, settings map[string]string) error {
	for _, name := range names {
		value, ok := settings[name]
		if f := flags.Lookup(name); !ok || f == nil || f.Changed || f.Value.String() == value {
			continue
		}
		if err := setFlag(flags, name, value); err != nil {
			return fmt.Errorf("recorded setting %s %q: %w", name, value, err)
		}
	}
	return nil
}

// laterFlags came after studies had been recorded. They are settings only where they differ from their default, so
// that those studies can be gone on with.
var laterFlags = [...]string{"max-macs", "channels", "cells", "reductions", "schedule", "optimizer", "ema", "max-latency", "latency-batch", "label-column", "data-dir", "header", "pixel-scale", "fit", "background", "skip-bad", "warm-start", "warm-start-name", "prune", "oneshot-widths"}

// settingsOf returns the values of the flags in names, without laterFlags that have their default.
func settingsOf(flags *pflag.FlagSet, names []string) map[string]string {
	settings := make(map[string]string, len(names))
	for _, name := range names {
		f := flags.Lookup(name)
		value := f.Value.String()
		if value == f.DefValue && slices.Contains(laterFlags[:], name) {
			continue
		}
		settings[name] = value
	}
	return settings
}
