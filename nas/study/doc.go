// Package study runs a search: it asks a strategy for architectures, has them
// evaluated by several workers, records every finished trial and tells the strategy
// what came out.
//
//	Run        the loop: rounds, workers, budgets, interruption, resumption
//	Evaluator  measures one architecture; reports epoch by epoch, may be told to stop
//	Trial      what is known of one evaluated architecture; one JSON object
//	Pruner     decides from learning curves alone whether a trial is worth going on
//	Store      append-only record of trials; Memory and a Record, a study inside a File (SQLite)
//	Final      what a final training of the best came to; a Record keeps those too
//	Event      what an observer sees while the search runs
//
// # Same results for any number of workers
//
// Trials are numbered in the order in which the strategy proposes them. The seed of a
// trial derives from the seed of the study and that number, never from the worker or
// the time. The strategy is told of trials strictly in their order. A strategy that
// learns names a round size: it is asked for a whole round, and again only when it
// has been told of every trial of that round. A strategy whose proposals do not depend
// on results has no rounds and is asked whenever a worker is free, so that no worker
// waits. A pruner sees the curves of completed rounds only.
//
// Whether a trial was cut off by the time budget does depend on time. Such a trial is
// not recorded; it runs again, from its start, when the study is resumed. Which trials are begun before
// the time ends is decided by how long others took (timetable.go).
//
// # Resumption by replay
//
// A study holds settings and trials, nothing of a strategy's insides. To resume it,
// Run asks the strategy again from the start; a trial that is on record is not
// evaluated but told from the record, after a check that the strategy proposes what it
// proposed then. Trials that are missing are evaluated. A study that was interrupted at
// any moment therefore ends with the record of one that never was.
//
// # The file
//
// A File holds any number of studies, with their trials, final trainings and measurements. One process at a time opens it to write, under a lock.
// [OpenReadOnly] takes a snapshot of the database and its write-ahead log into memory instead, so that reading needs no lock, writes
// nothing and is never in the way.
//
// Every row carries a checksum over its table, the study, its keys and its content, and every study counts its rows. Both are verified
// whenever they are read: a bit that changed gives an error that names study and trial, never other values. A log that was damaged is
// refused too, where SQLite would take the damage for its end. Files of the first version have no checksums; their values are checked as far as
// they can be, and they are brought to the present form, in one transaction, when they are gone on with.
//
// # Repetitions
//
// Architectures with the same canonical key are the same network and are trained
// once. A repeated proposal is a trial of its own that copies the earlier result and
// says so in ReusedFrom.
package study
