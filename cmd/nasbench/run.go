package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// Exit codes of the command.
const (
	exitOK          = 0
	exitFailure     = 1   // something went wrong while running
	exitUsage       = 2   // the command line, an environment variable or the configuration is wrong
	exitInterrupted = 130 // stopped by Ctrl-C or SIGTERM, after saving and printing what there is
)

// errInterrupted ends a command that was interrupted and has already said so.
var errInterrupted = errors.New("interrupted")

// usageError is an error in what the user asked for, as opposed to a failure while doing it.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usagef returns a usageError.
func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// app holds the surroundings of one run of the command.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	ending         ending
}

// run executes the command line args and returns the exit code. It is the whole
// program apart from signals, so tests call it in-process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	return newApp(stdin, stdout, stderr, getenv).run(ctx, args)
}

// newApp returns the program in its surroundings. Whatever it prints can be seen; see visibleWriter.
func newApp(stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) *app {
	a := &app{stdin: stdin, stdout: newVisibleWriter(stdout, false), getenv: getenv}
	a.stderr = newVisibleWriter(stderr, a.terminal(stderr))
	return a
}

// run executes the command line args and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	out, stderr := &checkedWriter{w: a.stdout}, a.stderr
	a.stdout = out
	root := a.newRoot()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	root.InitDefaultHelpCmd()
	ran, err := unknownCommand(root, args)
	if err == nil {
		ran, err = root.ExecuteContextC(ctx)
	}
	if flushErr := flush(out.w); out.err == nil {
		out.err = flushErr
	}
	_ = flush(stderr) // there is nowhere to say that nothing can be said
	if err == nil && out.err != nil {
		err = fmt.Errorf("standard output: %w", out.err)
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "nasbench: interrupted")
		return exitInterrupted
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "nasbench: %s (run '%s --help')\n", oneLine(err), ran.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(stderr, "nasbench: %s\n", oneLine(err))
	return exitFailure
}

// newRoot returns the root command with all subcommands.
func (a *app) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "nasbench",
		Short: "Search, train and measure neural architectures on CPUs",
		Long: `nasbench searches neural network architectures by training real candidates on real
images on ordinary CPUs. Results go to standard output, everything else to standard error.

With no flags, 'nasbench search' runs the default search and ends by itself in about three minutes.`,
		Args:              cobra.ArbitraryArgs, // unknownCommand checks them
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.settle(cmd) },
		SilenceErrors:     true,
		SilenceUsage:      true,
	}
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelp())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.newBench(),
		a.newCompare(),
		a.newData(),
		a.newInfo(),
		a.newProfile(),
		a.newRank(),
		a.newSearch(),
		a.newStudy(),
		a.newTrain(),
		a.newVersion(),
		newConfigTopic(),
	)
	return root
}

// newHelp returns the help command; unlike cobra's own, it fails for an unknown topic.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about a command or topic",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, err := unknownCommand(cmd.Root(), args)
			if err != nil {
				return err
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// unknownCommand returns the command that args name, and an error when they go on with a
// subcommand that does not exist. It looks before any flag is parsed, so that the flags of
// a misspelt command are not what the message is about.
func unknownCommand(root *cobra.Command, args []string) (*cobra.Command, error) {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return cmd, &usageError{err}
	}
	if !cmd.HasSubCommands() || len(rest) == 0 || rest[0] == "" || rest[0][0] == '-' {
		return cmd, nil
	}
	// These two are added by cobra only when it executes.
	if cmd == root && (rest[0] == "completion" || strings.HasPrefix(rest[0], cobra.ShellCompRequestCmd)) {
		return cmd, nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return cmd, usagef("unknown command %q for %q%s", rest[0], cmd.CommandPath(), didYouMean(rest[0], names))
}

// flagError turns what pflag says into one line in the user's words.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &missing):
		name := missing.GetSpecifiedName()
		if missing.GetSpecifiedShortnames() != "" {
			return usagef("unknown flag -%s", name)
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return usagef("unknown flag --%s%s", name, didYouMean("--"+name, names))
	case errors.As(err, &invalid):
		return usagef("--%s %q: %w", invalid.GetFlag().Name, invalid.GetValue(), valueError(invalid.Unwrap()))
	}
	return &usageError{err}
}

// noArgs refuses positional arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

// oneLine returns the message of err without line breaks.
func oneLine(err error) string {
	return escaped(strings.Join(strings.Fields(err.Error()), " "))
}

// terminal reports whether w is a terminal on which a line may be redrawn.
func (a *app) terminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd())) && a.getenv("TERM") != "dumb"
}

// checkedWriter remembers the first error of the writer under it, so that output
// lost to a full disk is not taken for success.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}
