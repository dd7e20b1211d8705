// Nasbench searches neural network architectures by training real candidates on real images, on
// ordinary CPUs.
//
//	nasbench search              search a space of architectures; the default takes less than three minutes
//	nasbench compare             compare strategies by many searches in a table of known results
//	nasbench study list          which searches are recorded, with study show and study export
//	nasbench train --arch TEXT   train one architecture
//	nasbench data list           which data sets there are, and where
//	nasbench data info NAME      describe one
//	nasbench data fetch NAME     download one
//	nasbench info                the machine, and the kernels chosen for it
//	nasbench version
//
// Every flag can also be set by an environment variable, NASBENCH_TRIALS for --trials, and by a YAML file
// named by --config; "nasbench help config" has the details. Results go to standard output,
// everything else to standard error.
//
// Exit codes: 0 done; 1 a failure while running; 2 a mistake in the command line, the environment or
// the configuration; 130 interrupted.
//
// # The code
//
// The command is thin: it turns flags into the options of the packages that do the work, and results
// into text or JSON. main hands everything from outside to run, so that tests call the whole program
// in-process. One file for each subcommand (search.go, compare.go, study.go, train.go, data.go, info.go, version.go); beside them
//
//	run.go        the root command, exit codes, errors as one line
//	config.go     flags from the environment and the file
//	flags.go      kinds of flag values, which refuse what makes no sense
//	task.go       flags that search and train share, with recipe.go and profile.go
//	studyfile.go  where a search is recorded, and settings taken over from a record
//	goon.go       the command that a search goes on with
//	final.go      the final training; finalrecord.go keeps it and goes on with it
//	outfile.go    files that flags name to be written, as a whole or not at all
//	progress.go   the progress display; watch.go feeds it from a search
//	report.go     what a search prints at its end, with board.go; trainreport.go for a training
//	tableflags.go tables of known results, for compare and for tablesearch.go
//
// # Interruption
//
// The first Ctrl-C or SIGTERM cancels the context. A search then stops its running trials, which are not
// recorded, prints the leaderboard so far and the command to go on; a training saves its checkpoint.
// Profiles are written too. A second signal ends the process at once; finished trials are on record.
package main
