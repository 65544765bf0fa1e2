// Command talconfig-table prints what the native reader of talconfig.yaml in
// runner/render has to know of the pinned talhelper: the types of the file, or
// with the argument `extensions` which official extensions and overlays each
// release of Talos has.
package main

import (
	"fmt"
	"os"
	"reflect"

	"github.com/budimanjojo/talhelper/v3/pkg/config"

	"example.invalid/ops/patch-oracle/table"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 1 && arguments[0] == "extensions" {
		return printExtensions(os.Stdout)
	}

	types := table.New()
	types.AddDocument("talconfig", reflect.TypeFor[config.TalhelperConfig]())

	return types.Print(os.Stdout)
}
