package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nasbench-go/nasbench/dataset"
	"github.com/nasbench-go/nasbench/nas/evaluator"
	"github.com/nasbench-go/nasbench/nas/space"
	"github.com/nasbench-go/nasbench/nas/study"
)

// The names under which a study and a checkpoint record what a data set holds, which no flag sets.
const (
	dataSetting     = evaluator.NoteData
	contentsSetting = "data-contents" // in words
)

// dataIdentity says which data set it is, wherever it lies.
type dataIdentity struct {
	digest   string
	contents string // counts, in words
	place    string // where the files of a data set without a path were found; not recorded
}

// newDataIdentity looks at a data set.
func newDataIdentity(ctx context.Context, d *dataset.Dataset) (dataIdentity, error) {
	digest, err := d.Digest(ctx)
	i := d.Info()
	id := dataIdentity{digest: digest, contents: fmt.Sprintf("%d classes, %d images", len(i.Classes), i.Train+i.Test)}
	if filepath.IsAbs(i.Location) {
		id.place = i.Location
	}
	return id, err
}

// record adds the identity to settings.
func (d *dataIdentity) record(settings study.Settings) {
	if d.digest != "" {
		settings[dataSetting], settings[contentsSetting] = d.digest, d.contents
	}
}

// readAsThen adds to settings on record, of before data sets had digests, what the program did with pictures then and would do otherwise now: what was transparent became
// black.
func readAsThen(recorded study.Settings) {
	if recorded[dataSetting] == "" && dataKind(recorded["dataset"]) == "images" && recorded["background"] == "" {
		recorded["background"] = "black"
	}
}

// describeData names the data set of some settings, with the place where its files were found unless that is "".
func describeData(s study.Settings, place string) string {
	var parts []string
	if d := s[dataSetting]; d != "" {
		parts = append(parts, "digest "+dataset.ShortDigest(d))
	}
	if c := s[contentsSetting]; c != "" {
		parts = append(parts, c)
	}
	name := s["dataset"]
	if _, path := splitLocation("dataset", name); path == "" && place != "" {
		name += " in " + place
	}
	if len(parts) == 0 {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, strings.Join(parts, ", "))
}

// dataKind is the name of a data set without a path.
func dataKind(name string) string {
	kind, _, _ := strings.Cut(name, ":")
	return kind
}

// reconciled is what becomes of the settings on record when their work goes on.
type reconciled struct {
	changes study.Settings // to the record: where things lie now, and digests that it did not have
	words   []string       // what a person should know
}

// reconcile compares settings on record with those of now. Another data set is refused, with both named; the same one may lie elsewhere, and so may
// the files of spaces and tables. A record of before data sets had digests is taken to be of the data set given. record names it in messages.
func (d *dataIdentity) reconcile(record string, recorded, given study.Settings) (r reconciled, err error) {
	r.changes = study.Settings{}
	differs := func(name string) bool { return recorded[name] != given[name] }
	move := func(names ...string) {
		for _, name := range names {
			if differs(name) {
				r.changes[name] = given[name]
			}
		}
	}
	sameReading := dataKind(recorded["dataset"]) == dataKind(given["dataset"]) && !slices.ContainsFunc(dataFlagNames(), differs)
	switch now := given[dataSetting]; {
	case now == "" || !sameReading:
		// Nothing to compare, or the difference is in the flags, which are named below.
	case recorded[dataSetting] == now:
		move("dataset", "data-dir")
	case recorded[dataSetting] == "":
		r.words = append(r.words, fmt.Sprintf("%s has no digest of its data set, %s: it is taken to be %s", record, recorded["dataset"], describeData(given, d.place)))
		if dataKind(recorded["dataset"]) == "images" {
			r.words = append(r.words, "then, pictures were not turned as their EXIF data says: where there are such, trials from now on see other images; transparent parts stay black")
		}
		move("dataset", "data-dir", dataSetting, contentsSetting)
		if b := given["background"]; b != "" {
			r.changes["background"] = b // see readAsThen
		}
	default:
		return r, usagef("%s was made with another data set: %s, now %s", record, describeData(recorded, recorded["data-dir"]), describeData(given, d.place))
	}
	for _, file := range []struct{ name, digest string }{{"space", spaceSetting}, {"table", digestSetting}} {
		was, now := recorded[file.digest], given[file.digest]
		switch {
		case was == "" || now == "":
		case was == now:
			move(file.name)
		default:
			return r, usagef("%s was made with another %s: %s (digest %s), now %s (digest %s)", record, file.name, recorded[file.name], dataset.ShortDigest(was), given[file.name], dataset.ShortDigest(now))
		}
	}
	return r, nil
}

// compare returns the settings that differ still.
func (r *reconciled) compare(recorded, given study.Settings) []study.Difference {
	merged := maps.Clone(recorded)
	maps.Copy(merged, r.changes)
	differ := merged.Compare(given)
	// With other flags the same files are other data, and the other way round: the flags say more.
	if slices.ContainsFunc(differ, func(d study.Difference) bool { return d.Name == "dataset" || slices.Contains(dataFlagNames(), d.Name) }) {
		differ = slices.DeleteFunc(differ, func(d study.Difference) bool {
			return d.Name == dataSetting || d.Name == contentsSetting || d.Name == "data-dir"
		})
	}
	return differ
}

// amendStudy brings a study on record up to what was found now. Without a digest on record, the networks of its trials must at least be those
// that the space has for these images and classes.
func (d *dataIdentity) amendStudy(f *study.File, s space.Space, name string, recorded, given study.Settings) (words []string, err error) {
	record := fmt.Sprintf("study %s: %q", f.Path(), name)
	r, err := d.reconcile(record, recorded, given)
	if err != nil {
		return nil, err
	}
	if r.changes[dataSetting] != "" {
		trials, err := f.Trials(name)
		if err != nil {
			return nil, err
		}
		if err := fits(s, trials); err != nil {
			return nil, usagef("%s was made with another data set than %s: %w", record, describeData(given, d.place), err)
		}
	}
	if differ := r.compare(recorded, given); len(differ) > 0 {
		return nil, settingsError(fmt.Errorf("%s: %w", f.Path(), &study.SettingsError{Study: name, Differences: differ}))
	}
	if len(r.changes) == 0 {
		return nil, nil
	}
	return r.words, f.Amend(name, r.changes)
}

// fits returns an error if a network on record costs something else in a space than it did.
func fits(s space.Space, trials []study.Trial) error {
	for _, t := range trials {
		g, err := s.Parse(t.Genome)
		if err != nil || t.Metrics == nil {
			continue
		}
		c, err := s.Cost(g)
		if err != nil {
			continue
		}
		if was := t.Metrics; was.Params != c.Params || was.FLOPs != c.FLOPs {
			return fmt.Errorf("the network of trial %d had %d parameters and %d FLOPs, and has %d and %d with these images and classes",
				t.Index, was.Params, was.FLOPs, c.Params, c.FLOPs)
		}
	}
	return nil
}

// beginOrGoOn opens the record of the study. One that is begun starts from nothing, whatever lies beside its file.
func (s *session) beginOrGoOn() (err error) {
	settings := s.settings()
	if s.recorded != nil {
		s.words, err = s.dataIdentity.amendStudy(s.file, s.space, s.studyName, s.recorded, settings)
	} else {
		s.words, err = clearSideFiles(s.file, s.studyName, s.studyName)
	}
	if err != nil {
		return err
	}
	if s.store, err = s.file.Study(s.studyName, settings); err != nil {
		return settingsError(err)
	}
	info, _, err := s.file.Find(s.studyName)
	s.identity = info.Identity()
	return err
}
