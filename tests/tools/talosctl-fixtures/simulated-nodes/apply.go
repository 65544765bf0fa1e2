package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configdiff"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// metal is the platform all simulated nodes are.
type metal struct{ installed bool }

func (m metal) String() string        { return "metal" }
func (m metal) RequiresInstall() bool { return !m.installed }
func (m metal) InContainer() bool     { return false }

// ApplyConfiguration decides as the real handler does: what is refused, which mode `auto` becomes, what
// the details say. Decoding, validation and the diff are the real library's.
func (s *services) ApplyConfiguration(ctx context.Context, r *machine.ApplyConfigurationRequest) (*machine.ApplyConfigurationResponse, error) {
	bare := s.n.kind == maintenance

	if !bare && !callerRoles(ctx).Includes(role.Admin) {
		return nil, errNotAuthorized
	}

	wanted, err := configloader.NewFromBytes(r.GetData())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}

	if !bare && wanted.RawV1Alpha1() == nil {
		return nil, status.Error(codes.InvalidArgument,
			"the applied machine configuration doesn't contain v1alpha1 config, did you mean to patch the machine config instead?")
	}

	mode := metal{installed: !bare}

	warnings, err := wanted.Validate(mode)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}

	more, err := wanted.RuntimeValidate(ctx, s.n.resources, mode)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}

	s.n.mu.Lock()
	defer s.n.mu.Unlock()

	immediate := canApplyImmediately(s.n.active, wanted)
	if bare {
		immediate = nil
	}

	done, details, err := settleMode(r, immediate, bare)
	if err != nil {
		return nil, err
	}

	answer := &machine.ApplyConfiguration{Mode: done, Warnings: slices.Concat(warnings, more), ModeDetails: details}

	if r.DryRun {
		diff, err := configdiff.DiffConfigs(containerOf(s.n.active), wanted)
		if err != nil {
			return nil, fmt.Errorf("failed to generate diff: %w", err)
		}

		if diff == "" {
			diff = "No changes."
		}

		details, _, _ = strings.Cut(details, ": ") // the reason for a reboot is not part of a dry run
		answer = &machine.ApplyConfiguration{Mode: done, ModeDetails: fmt.Sprintf("Dry run summary:\n%s (skipped in dry-run).\nConfig diff:\n\n%s", details, diff)}
	} else {
		s.n.keep(done, wanted)
	}

	return &machine.ApplyConfigurationResponse{Messages: []*machine.ApplyConfiguration{answer}}, nil
}

// settleMode says what a request's mode comes to, and how the node words it.
func settleMode(r *machine.ApplyConfigurationRequest, immediate error, bare bool) (machine.ApplyConfigurationRequest_Mode, string, error) {
	mode := r.Mode
	if bare && mode == machine.ApplyConfigurationRequest_REBOOT {
		mode = machine.ApplyConfigurationRequest_NO_REBOOT
	}

	const (
		without = "Applied configuration without a reboot"
		with    = "Applied configuration with a reboot"
	)

	switch mode {
	case machine.ApplyConfigurationRequest_TRY, machine.ApplyConfigurationRequest_NO_REBOOT:
		if immediate != nil {
			return mode, "", status.Error(codes.InvalidArgument, immediate.Error())
		}

		if mode == machine.ApplyConfigurationRequest_NO_REBOOT || r.DryRun {
			return mode, without, nil
		}

		timeout := constants.ConfigTryTimeout
		if r.TryModeTimeout != nil {
			timeout = r.TryModeTimeout.AsDuration()
		}

		return mode, fmt.Sprintf("%s\nThe config is applied in 'try' mode and will be automatically reverted back in %s", without, timeout), nil
	case machine.ApplyConfigurationRequest_STAGED:
		return mode, "Staged configuration to be applied after the next reboot", nil
	case machine.ApplyConfigurationRequest_AUTO:
		if immediate == nil {
			return machine.ApplyConfigurationRequest_NO_REBOOT, without, nil
		}

		return machine.ApplyConfigurationRequest_REBOOT, with + ": " + immediate.Error(), nil
	default:
		return mode, with, nil
	}
}

func (n *node) keep(mode machine.ApplyConfigurationRequest_Mode, c config.Provider) {
	if mode != machine.ApplyConfigurationRequest_TRY {
		n.persisted = c
	}

	if mode != machine.ApplyConfigurationRequest_STAGED {
		n.active = c
	}
}

func containerOf(p config.Provider) config.Container {
	if p == nil {
		return nil
	}

	return p
}

// The parts of the machine section that Talos 1.13.0 takes over while it runs (v1alpha1_runtime.go).
var (
	takenWhileRunning = []string{
		"MachineCA", "MachineAcceptedCAs", "MachineTime", "MachineCertSANs", "MachineInstall", "MachineNetwork", "MachineSysfs",
		"MachineSysctls", "MachineLogging", "MachineControlPlane", "MachineKubelet", "MachineKernel", "MachineRegistries", "MachinePods",
		"MachineSeccompProfiles", "MachineNodeAnnotations", "MachineNodeLabels", "MachineNodeTaints",
	}
	featuresTakenWhileRunning = []string{
		"KubernetesTalosAPIAccessConfig", "KubePrismSupport", "HostDNSSupport", "ImageCacheSupport", "FeatureNodeAddressSortAlgorithm",
	}
)

// canApplyImmediately is nil where only such parts differ, else the error with the rest as a diff.
func canApplyImmediately(active, wanted config.Provider) error {
	if active == nil || active.RawV1Alpha1() == nil {
		return errors.New("no current config")
	}

	if wanted.RawV1Alpha1() == nil {
		return errors.New("new config is not v1alpha1")
	}

	current := active.RawV1Alpha1()
	changed := wanted.RawV1Alpha1().DeepCopy()
	changed.ConfigDebug = current.ConfigDebug
	changed.ClusterConfig = current.ClusterConfig

	if changed.MachineConfig != nil && current.MachineConfig != nil {
		copyFields(changed.MachineConfig, current.MachineConfig, takenWhileRunning)

		if changed.MachineConfig.MachineFeatures != nil && current.MachineConfig.MachineFeatures != nil {
			copyFields(changed.MachineConfig.MachineFeatures, current.MachineConfig.MachineFeatures, featuresTakenWhileRunning)
		}
	}

	if reflect.DeepEqual(current, changed) {
		return nil
	}

	diff, err := configdiff.DiffConfigs(container.NewV1Alpha1(current), container.NewV1Alpha1(changed))
	if err != nil {
		return fmt.Errorf("error calculating diff: %w", err)
	}

	return fmt.Errorf("this config change can't be applied in immediate mode\ndiff:\n%s", diff)
}

func copyFields[T v1alpha1.MachineConfig | v1alpha1.FeaturesConfig](to, from *T, names []string) {
	for _, name := range names {
		reflect.ValueOf(to).Elem().FieldByName(name).Set(reflect.ValueOf(from).Elem().FieldByName(name))
	}
}
