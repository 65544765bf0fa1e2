// Command patch-oracle answers questions about machine configurations with
// the machinery module that talosctl itself is built from, so that the native
// engine in runner/render can be compared with the original.
//
//	patch-oracle patch CONFIG PATCH...   apply patches, print the result
//	patch-oracle batch                   the same for JSON lines on stdin
//	patch-oracle gen FLAGS               print a generated base configuration
//	patch-oracle reflect MODULE          print the table of documents and types
//
// It knows nothing of ops: it is built from the module alone.
package main

import (
	"errors"
	"fmt"
	"os"

	"example.invalid/ops/patch-oracle/table"
)

var errUsage = errors.New("usage: patch-oracle patch CONFIG PATCH... | batch | gen [flags] | reflect MODULE")

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)

		if errors.Is(err, errUsage) {
			os.Exit(2)
		}

		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}

	verb, rest := args[0], args[1:]

	switch verb {
	case "patch":
		return patchFiles(rest)
	case "batch":
		return batch(os.Stdin, os.Stdout)
	case "gen":
		return generateBase(rest)
	case "reflect":
		if len(rest) != 1 {
			return errUsage
		}

		types := table.New()
		if err := types.Describe(rest[0]); err != nil {
			return err
		}

		return types.Print(os.Stdout)
	default:
		return errUsage
	}
}
