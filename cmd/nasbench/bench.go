package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/nasbench-go/nasbench/bench"
)

// newBench returns the bench command, of which every kind of measurement is a subcommand.
func (a *app) newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure kernels and networks on this machine",
		Args:  cobra.ArbitraryArgs, // unknownCommand checks them
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, k := range bench.Kinds() {
		cmd.AddCommand(a.newBenchKernel(k))
	}
	cmd.AddCommand(a.newBenchModel())
	return cmd
}

func modelNames() []string {
	var names []string
	for _, m := range bench.Models() {
		names = append(names, m.Name)
	}
	return names
}

// splitComma divides a list; an empty text has no parts.
func splitComma(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
