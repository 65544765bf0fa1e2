package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// generateBase prints what `talosctl gen config` would write for one role,
// comments left out.
func generateBase(args []string) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	role := flags.String("role", "controlplane", "controlplane or worker")
	name := flags.String("name", "demo", "cluster name")
	endpoint := flags.String("endpoint", "https://10.0.0.10:6443", "control plane endpoint")
	talos := flags.String("talos", "v1.13.0", "Talos version contract")
	kubernetes := flags.String("kubernetes", "1.36.0", "Kubernetes version")
	bundlePath := flags.String("secrets", "", "secrets bundle; a fresh one when empty")

	if err := flags.Parse(args); err != nil {
		return err
	}

	machineType, err := machine.ParseType(*role)
	if err != nil {
		return err
	}

	contract, err := config.ParseContractFromVersion(*talos)
	if err != nil {
		return err
	}

	bundle, err := loadBundle(*bundlePath, contract)
	if err != nil {
		return err
	}

	input, err := generate.NewInput(*name, *endpoint, *kubernetes,
		generate.WithVersionContract(contract), generate.WithSecretsBundle(bundle))
	if err != nil {
		return err
	}

	provider, err := input.Config(machineType)
	if err != nil {
		return err
	}

	out, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return err
	}

	_, err = os.Stdout.Write(out)

	return err
}

func loadBundle(path string, contract *config.VersionContract) (*secrets.Bundle, error) {
	if path == "" {
		return secrets.NewBundle(secrets.NewFixedClock(time.Now()), contract)
	}

	bundle, err := secrets.LoadBundle(path)
	if err != nil {
		return nil, fmt.Errorf("secrets bundle: %w", err)
	}

	bundle.Clock = secrets.NewFixedClock(time.Now())

	return bundle, nil
}
