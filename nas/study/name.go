package study

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the most bytes that the name of a study may have: it becomes part of the names of files beside the study file.
const MaxName = 120

// namePunctuation is what a name may have besides letters and digits: nothing that separates folders or that a file system keeps for itself.
const namePunctuation = " -_.,+=@#%~()[]"

// CheckName returns an error that says what a name of a new study must be like. Studies of earlier versions may have other names; they open all the same.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a study must not be empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name of a study must have at most %d bytes; this one has %d", MaxName, len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("the name of a study must be UTF-8, not %q", name)
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(namePunctuation, r) {
			return fmt.Errorf("the name of a study may have letters, digits, spaces and %s, but not %q", strings.TrimSpace(namePunctuation), r)
		}
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || strings.TrimSpace(name) != name {
		return fmt.Errorf("the name of a study must not begin with a dot or a hyphen, nor begin or end with a space: %q", name)
	}
	return nil
}
