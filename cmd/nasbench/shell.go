package main

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// join lists names as "a, b, c".
func join(names []string) string { return strings.Join(names, ", ") }

// program returns how this program is called, for commands that it prints: its name, or the go
// run command if it was not installed.
func program(executable string, b build) string {
	switch {
	case !strings.Contains(executable, "go-build"): // go run's temporary folder
		return "nasbench"
	case b.Version == "(devel)" || b.Commit != "" || b.Module == "":
		return "go run ./cmd/nasbench"
	}
	return "go run " + b.Module + "/cmd/nasbench@" + b.Version
}

// quoteArg quotes an argument for the shell where that is needed.
func quoteArg(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:=+,@%", r))
	}) < 0
	switch {
	case plain:
		return s
	case escaped(s) != s && runtime.GOOS != "windows":
		return quoteBytes(s)
	case runtime.GOOS == "windows":
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// quoteBytes quotes an argument that holds what is not to be seen, as POSIX (Shell and Utilities 2.2.4, issue 8) and most shells before it have it.
func quoteBytes(s string) string {
	var b strings.Builder
	b.WriteString("$'")
	for s != "" {
		_, size := utf8.DecodeRuneInString(s)
		switch c := s[:size]; {
		case c == `'`, c == `\`:
			b.WriteString(`\` + c)
		case escaped(c) == c:
			b.WriteString(c)
		default:
			for _, octet := range []byte(c) {
				fmt.Fprintf(&b, `\%03o`, octet)
			}
		}
		s = s[size:]
	}
	return b.String() + "'"
}

// command returns a command line of the program.
func command(args ...string) string {
	var b strings.Builder
	for i, arg := range args {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quoteArg(arg))
	}
	return b.String()
}

// flagsNotDefault returns, as arguments, the flags in names whose values are not their defaults.
func flagsNotDefault(flags *pflag.FlagSet, names ...string) []string {
	var args []string
	for _, name := range names {
		f := flags.Lookup(name)
		switch {
		case f == nil || f.Value.String() == f.DefValue:
		case f.Value.String() == "true":
			args = append(args, "--"+name)
		case f.Value.Type() == "bool":
			args = append(args, "--"+name+"="+f.Value.String())
		default:
			args = append(args, "--"+name, f.Value.String())
		}
	}
	return args
}
