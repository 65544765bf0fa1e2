// Command talconfig-table prints the types of a talconfig.yaml, as the pinned
// talhelper has them, for the native reader in runner/render.
package main

import (
	"fmt"
	"os"
	"reflect"

	"github.com/budimanjojo/talhelper/v3/pkg/config"

	"example.invalid/ops/patch-oracle/table"
)

func main() {
	types := table.New()
	types.AddDocument("talconfig", reflect.TypeFor[config.TalhelperConfig]())

	if err := types.Print(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
