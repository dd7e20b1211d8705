//go:build purego || !(amd64 || arm64)

package kernels

// builtLevels returns the levels that this build has routines for, Generic first.
func builtLevels() []Level { return []Level{Generic} }

// override does nothing: this build has generic routines only.
func override(Level, *Table) {}
