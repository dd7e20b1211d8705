package study

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// created is how the moment is written in which a study was made. It has all nine digits of the nanoseconds: they make the study's identity.
const created = "2006-01-02T15:04:05.000000000Z07:00"

// Identity tells a study from every other, also from one of the same name in a file of the same path that is not there
// any more. What lies beside a study file, such as the checkpoint of a supernet, can so be known as its own. It is the moment of creation to
// the nanosecond, and "" for studies whose file has it to the second alone.
func (i Info) Identity() string {
	if i.Created.Nanosecond() == 0 {
		return ""
	}
	return i.Created.UTC().Format(time.RFC3339Nano)
}

// Find describes the study of a name; ok is false if the file has none.
func (f *File) Find(name string) (info Info, ok bool, err error) {
	infos, err := f.Studies()
	if err != nil {
		return Info{}, false, err
	}
	for _, i := range infos {
		if i.Name == name {
			return i, true, nil
		}
	}
	return Info{}, false, nil
}

// Amend changes settings on record of a study, adds those that it does not have, and removes those that are now "". It is meant for settings that do not
// change the results: where the same data lies now, or a digest that was not recorded when the study was begun.
func (f *File) Amend(name string, changes Settings) error {
	err := f.change(func(tx *sql.Tx) error {
		row, err := f.want(tx, name)
		if err != nil {
			return err
		}
		info, err := f.info(row)
		if err != nil {
			return err
		}
		settings := info.Settings
		if settings == nil {
			settings = Settings{}
		}
		maps.Copy(settings, changes)
		maps.DeleteFunc(settings, func(name, value string) bool { _, changed := changes[name]; return changed && value == "" })
		text, err := json.Marshal(settings)
		if err != nil {
			return err
		}
		row.settings = string(text)
		return row.update(tx)
	})
	if err != nil {
		return f.unwritable(fmt.Sprintf("settings of study %q", name), err)
	}
	return nil
}
