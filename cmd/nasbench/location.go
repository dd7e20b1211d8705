package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/nas/study"
)

// locationFlags are the flags that say where something lies. Studies and checkpoints record them as absolute paths, and may be gone on with
// elsewhere where a digest says that the same lies there.
var locationFlags = [...]string{"dataset", "data-dir", "space", "table", "warm-start"}

// splitLocation returns the path in the value of one of locationFlags, and what comes before it; "" if there is no path in it.
func splitLocation(flag, value string) (before, path string) {
	switch {
	case value == "":
		return "", ""
	case flag == "dataset":
		base, path, _ := strings.Cut(value, ":")
		if path == "" || !slices.Contains(dataNames(), base) {
			return value, ""
		}
		return base + ":", path
	case flag == "space" && !isSpaceFile(value):
		return value, ""
	}
	return "", value
}

// absolute returns a path that means the same from everywhere, with the home folder for a ~ at its beginning.
func absolute(path string) string {
	path = dataset.ExpandHome(path)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// settleLocations makes the paths absolute that the user has given, and returns the names of those flags.
func settleLocations(flags *pflag.FlagSet) (given []string, err error) {
	for _, name := range locationFlags {
		f := flags.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		given = append(given, name)
		if before, path := splitLocation(name, f.Value.String()); path != "" {
			if err := setFlag(flags, name, before+absolute(path)); err != nil {
				return nil, err
			}
		}
	}
	return given, nil
}

// findRecorded makes the paths absolute that come from a record, which earlier versions have made as they were typed: they are looked for in the
// current folder, then in that of the record. given are the flags of the user's own.
func findRecorded(flags *pflag.FlagSet, record string, given []string) error {
	for _, name := range locationFlags {
		f := flags.Lookup(name)
		if f == nil || slices.Contains(given, name) || name == "warm-start" { // a study has a copy of that
			continue
		}
		before, path := splitLocation(name, f.Value.String())
		if path == "" {
			continue
		}
		places := []string{absolute(path)}
		if !filepath.IsAbs(path) {
			places = append(places, filepath.Join(filepath.Dir(absolute(record)), path))
		}
		at := slices.IndexFunc(places, exists)
		if at < 0 && name == "data-dir" { // the data set may be found without it
			if err := setFlag(flags, name, ""); err != nil {
				return err
			}
			continue
		}
		if at < 0 {
			folders := ""
			if len(places) > 1 {
				folders = ", neither in this folder nor in that of " + filepath.Base(record)
			}
			return usagef("%s was begun with --%s %s, which is not there any more%s: say where it is now with --%s %sPATH",
				record, name, f.Value, folders, name, before)
		}
		if err := setFlag(flags, name, before+places[at]); err != nil {
			return err
		}
	}
	return nil
}

// maxSideName is the most bytes of a study's name that are taken into the name of a file beside the study.
const maxSideName = 120

// sideFile returns the path of a file of a study beside the study file. A name that is not fit for a file, which studies of earlier versions may have, is
// replaced by what is left of it and a sum of the whole. Of a link to a study file it is the file beside the study file itself, unless there is one beside the link.
func sideFile(studyFile, name, kind string) string {
	safe := strings.Map(func(r rune) rune {
		bad := `/`
		if runtime.GOOS == "windows" {
			bad = `/\:*?"<>|`
		}
		if unicode.IsControl(r) || r == unicode.ReplacementChar || strings.ContainsRune(bad, r) {
			return '_'
		}
		return r
	}, name)
	if safe != name || len(name) > maxSideName {
		sum := sha256.Sum256([]byte(name))
		for len(safe) > maxSideName/2 {
			runes := []rune(safe)
			safe = string(runes[:len(runes)-1])
		}
		safe += "-" + hex.EncodeToString(sum[:6])
	}
	beside := func(file string) string { return file + "." + safe + "." + kind }
	if info, err := os.Lstat(studyFile); err == nil && info.Mode()&os.ModeSymlink != 0 && !exists(beside(studyFile)) {
		if target, err := filepath.EvalSymlinks(studyFile); err == nil {
			return beside(target)
		}
	}
	return beside(studyFile)
}

// clearSideFiles removes what lies beside a study file under the name of a study, or of a ranking that begins with that study, if it is about to be begun: such files are of
// another one, which is not on record any more. It says what it has removed. What cannot be removed is not taken over either; see darts.Options.Study.
func clearSideFiles(f *study.File, name, side string) (words []string, err error) {
	if _, ok, err := f.Find(name); ok || err != nil {
		return nil, err
	}
	for _, kind := range []string{dartsStrategy, oneshotStrategy, oneshotStrategy + ".paths", "final"} {
		for range 2 { // beside a link, and beside the study file
			path := sideFile(f.Path(), side, kind)
			if info, err := os.Lstat(path); err != nil || info.IsDir() || os.Remove(path) != nil {
				continue
			}
			words = append(words, fmt.Sprintf("removed %s: it was left by a study that is not on record any more", path))
		}
	}
	return words, nil
}
