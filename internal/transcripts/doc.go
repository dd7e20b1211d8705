// Package transcripts checks that the sessions shown in README.md and docs are what the program prints. It has tests only.
//
// A session is an indented code block in which lines that begin with $ are commands and the others are what they print, standard output and
// standard error together. Above it stands a marker:
//
//	<!-- transcript -->                        genomes, accuracies, losses and counts have to be the same; times, speeds and dates are masked
//	<!-- transcript: numbers masked -->        all numbers are masked: for what measures the machine
//	<!-- transcript: not checked, REASON -->   what depends on more than the program
//
// Bits depend on the level of the kernels, so a command whose numbers are compared sets NASBENCH_LEVEL, to one that every machine of the gate has,
// and as it prints trials in the order in which they end, it has --workers 1 and says how many --threads there are. It runs in a folder of
// its own that has the examples of this repository.
//
//	go test ./internal/transcripts             checks
//	go test ./internal/transcripts -update     writes what the program prints, where it differs by more than what is masked
//	  ... -update -fresh                       writes everything again: on a quiet machine, since the sessions have speeds
package transcripts
