package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
)

// applyPatches does what `talosctl machineconfig patch` does with its files read.
func applyPatches(config []byte, patches []string) ([]byte, error) {
	loaded, err := configpatcher.LoadPatches(patches)
	if err != nil {
		return nil, err
	}

	// The command line decodes and encodes once even when no patch is given.
	patched, err := configpatcher.Apply(configpatcher.WithBytes(config), loaded)
	if err != nil {
		return nil, err
	}

	return patched.Bytes()
}

func patchFiles(args []string) error {
	if len(args) < 2 {
		return errUsage
	}

	config, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}

	out, err := applyPatches(config, args[1:])
	if err != nil {
		return err
	}

	_, err = os.Stdout.Write(out)

	return err
}

type question struct {
	Config  string   `json:"config"`
	Patches []string `json:"patches"`
}

type answer struct {
	Output string `json:"output"`
	Error  string `json:"error,omitempty"`
	// Panicked tells an error of the original from a crash of it.
	Panicked bool `json:"panicked,omitempty"`
}

// batch answers one JSON line per question, so that thousands of comparisons
// need one process.
func batch(in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)

	for {
		var q question

		if err := decoder.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}

		if err := encoder.Encode(ask(q)); err != nil {
			return err
		}
	}
}

func ask(q question) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Error: fmt.Sprint(p), Panicked: true}
		}
	}()

	out, err := applyPatches([]byte(q.Config), q.Patches)
	if err != nil {
		return answer{Error: err.Error()}
	}

	return answer{Output: string(out)}
}
