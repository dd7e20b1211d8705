package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	yaml "go.yaml.in/yaml/v3"

	"github.com/nasbench-go/nasbench/internal/userfile"
)

// envName returns the environment variable that sets a flag: data-dir is NASBENCH_DATA_DIR.
func envName(flag string) string {
	return "NASBENCH_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settle gives every flag that the command line leaves out its value from the
// environment or, failing that, from the configuration file.
func (a *app) settle(cmd *cobra.Command) error {
	if err := a.fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	f := cmd.Flags().Lookup("config")
	if f == nil || !f.Changed {
		return nil
	}
	return fromFile(cmd, f.Value.String())
}

func (a *app) fromEnvironment(flags *pflag.FlagSet) error {
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || failed != nil {
			return
		}
		if v := a.getenv(envName(f.Name)); v != "" {
			if err := setFlag(flags, f.Name, v); err != nil {
				failed = usagef("%s %q: %w", envName(f.Name), v, err)
			}
		}
	})
	return failed
}

// fromFile reads the YAML file at path: one mapping from flag names to values. Keys of
// other commands are passed over, so that one file serves them all.
func fromFile(cmd *cobra.Command, path string) error {
	text, err := userfile.Read(cmd.Context(), path, userfile.MaxConfig)
	if err != nil {
		return usagef("--config: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil // an empty file sets nothing
	} else if err != nil {
		return usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return usagef("%s: want one YAML document, have more", path)
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		if top.Tag == "!!null" {
			return nil
		}
		return usagef("%s:%d: want a mapping of names to values, like 'trials: 20'", path, top.Line)
	}
	known := flagNames(cmd.Root())
	given := map[string]bool{} // on the command line or in the environment, before the file speaks
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	seen := map[string]int{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		where := fmt.Sprintf("%s:%d", path, key.Line)
		if _, ok := known[key.Value]; !ok {
			var names []string
			for n := range known {
				names = append(names, n)
			}
			return usagef("%s: unknown key %q%s", where, key.Value, didYouMean(key.Value, names))
		}
		if line, ok := seen[key.Value]; ok {
			return usagef("%s: key %q is already set in line %d", where, key.Value, line)
		}
		seen[key.Value] = key.Line
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
			return usagef("%s: key %q: want one value", where, key.Value)
		}
		if cmd.Flags().Lookup(key.Value) == nil || given[key.Value] {
			// Of another command, or already decided.
			continue
		}
		if err := setFlag(cmd.Flags(), key.Value, value.Value); err != nil {
			return usagef("%s: %s %q: %w", where, key.Value, value.Value, err)
		}
	}
	return nil
}

// flagNames returns the names of the flags of all commands under cmd that a
// configuration file may set.
func flagNames(cmd *cobra.Command) map[string]bool {
	names := map[string]bool{}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "config" {
			names[f.Name] = true
		}
	})
	for _, c := range cmd.Commands() {
		for n := range flagNames(c) {
			names[n] = true
		}
	}
	return names
}

func setFlag(flags *pflag.FlagSet, name, value string) error {
	err := flags.Set(name, value)
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return valueError(invalid.Unwrap())
	}
	return err
}

// newConfigTopic returns the help topic on configuration; it has nothing to run.
func newConfigTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Environment variables and the configuration file",
		Long: `Every flag can also be set by an environment variable and by a YAML file. When several
set the same flag, the order is: command line, environment, file, default.

Environment: the name of the flag in upper case after NASBENCH_, dashes as underscores.

    NASBENCH_TRIALS=20 NASBENCH_DATA_DIR=/srv/data nasbench search

File: named by --config FILE or NASBENCH_CONFIG; one 'flag: value' a line. A key that is no
flag of any command is an error; flags that the running command does not have are passed over,
so one file can serve search, train and data.

    # nasbench.yaml
    dataset: fashion-mnist
    data-dir: /srv/data
    trials: 40
    epochs: 3
    batch: 64
    max-params: 200000
    seed: 7
    study: fashion.db

Further environment variables:

    NASBENCH_DATA    a folder where data sets are looked for, after --data-dir
    NASBENCH_LEVEL   the highest CPU level to use: generic, avx2, avx512 or neon. It may lower
                     the level that the machine offers, never raise it ('nasbench info' says which)
    NASBENCH_TRACE   when set, a fault of the program itself is printed with its trace, for a report
    GOMEMLIMIT       as in every Go program: bytes above which garbage is collected at once (default nine
                     tenths of the memory of the machine, or of the container)
    NO_COLOR         when set, no colours

Exit codes: 0 done; 1 a failure while running; 2 a mistake in the command line, the environment
or the file; 130 interrupted by Ctrl-C or SIGTERM, after what was found is saved and printed. A
second Ctrl-C stops at once.`,
	}
}

// addConfig adds the flag that names the configuration file.
func addConfig(flags *pflag.FlagSet) {
	flags.String("config", "", "read flags that are not given from the YAML `FILE` (see 'nasbench help config')")
}
