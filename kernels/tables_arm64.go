//go:build !purego

package kernels

// builtLevels returns the levels that this build has routines for, Generic first.
func builtLevels() []Level { return []Level{Generic} }

// override puts the routines of a built level above Generic into a table that holds
// the generic ones.
func override(Level, *Table) {}
