package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	clusterapi "github.com/siderolabs/talos/pkg/machinery/api/cluster"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// services are what a node answers behind its front.
type services struct {
	machine.UnimplementedMachineServiceServer
	clusterapi.UnimplementedClusterServiceServer
	storage.UnimplementedStorageServiceServer

	n *node
}

func (n *node) startServices(requests *journal) error {
	var err error

	if n.resources, err = n.buildState(); err != nil {
		return err
	}

	s := &services{n: n}
	srv := grpc.NewServer(append(n.gatekeepers(requests), grpc.MaxRecvMsgSize(constants.GRPCMaxMessageSize))...)
	machine.RegisterMachineServiceServer(srv, s)
	clusterapi.RegisterClusterServiceServer(srv, s)
	storage.RegisterStorageServiceServer(srv, s)
	machine.RegisterImageServiceServer(srv, images{})
	timeapi.RegisterTimeServiceServer(srv, clock{})
	v1alpha1.RegisterStateServer(srv, server.NewState(state.WrapCore(state.Filter(n.resources, readable(n.resources)))))

	pipe := bufconn.Listen(1 << 20)
	go srv.Serve(pipe) //nolint:errcheck // ends with the process

	n.local, err = grpc.NewClient("passthrough:///"+n.name,
		grpc.WithTransportCredentials(insecure.NewCredentials()), rawFrames,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }))

	return err
}

func (s *services) needsControlPlane(api string) error {
	switch s.n.role {
	case machinetype.TypeControlPlane, machinetype.TypeInit:
		return nil
	case machinetype.TypeUnknown:
		return status.Errorf(codes.Unimplemented, "machine type is not set, cannot use %s API", api)
	default:
		return status.Errorf(codes.Unimplemented, "%s is only available on control plane nodes", api)
	}
}

func (s *services) Version(context.Context, *emptypb.Empty) (*machine.VersionResponse, error) {
	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version:  &machine.VersionInfo{Tag: s.n.talos(), Sha: "5a14e4d6", GoVersion: "go1.26.2", Os: "linux", Arch: "amd64"},
		Platform: &machine.PlatformInfo{Name: "metal", Mode: "metal"},
		Features: &machine.FeaturesInfo{Rbac: s.n.kind != maintenance},
	}}}, nil
}

func (s *services) Hostname(context.Context, *emptypb.Empty) (*machine.HostnameResponse, error) {
	return &machine.HostnameResponse{Messages: []*machine.Hostname{{Hostname: s.n.name}}}, nil
}

// The moment everything in this cluster last changed: talosctl prints "… ago", which the recorder masks.
var longAgo = time.Now().Add(-97 * time.Minute)

func (s *services) serviceInfos() []*machine.ServiceInfo {
	healthy := func(id, last string) *machine.ServiceInfo {
		at := timestamppb.New(longAgo)

		return &machine.ServiceInfo{
			Id: id, State: "Running",
			Health: &machine.ServiceHealth{Healthy: true, LastChange: at},
			Events: &machine.ServiceEvents{Events: []*machine.ServiceEvent{
				{Msg: "Starting service", State: "Preparing", Ts: at},
				{Msg: "Started task " + id + " (PID 2214) for container " + id, State: "Running", Ts: at},
				{Msg: last, State: "Running", Ts: at},
			}},
		}
	}

	unwatched := func(id string) *machine.ServiceInfo { // no health check of its own
		info := healthy(id, "Service started as goroutine")
		info.Health = &machine.ServiceHealth{Unknown: true}

		return info
	}

	const ok = "Health check successful"

	list := []*machine.ServiceInfo{healthy("apid", ok), unwatched("auditd"), healthy("containerd", ok)}

	if s.n.kind != maintenance {
		list = append(list, healthy("cri", ok))
	}

	if s.n.role == machinetype.TypeControlPlane {
		list = append(list, s.etcdService(healthy("etcd", ok)))
	}

	if s.n.kind != maintenance {
		list = append(list, healthy("kubelet", ok))
	}

	list = append(list, healthy("machined", ok), healthy("syslogd", ok))

	if s.n.role == machinetype.TypeControlPlane {
		list = append(list, healthy("trustd", ok))
	}

	return append(list, healthy("udevd", ok))
}

func (s *services) etcdService(info *machine.ServiceInfo) *machine.ServiceInfo {
	at := timestamppb.New(longAgo)

	switch {
	case s.n.etcd.empty:
		info.State = "Preparing"
		info.Health = &machine.ServiceHealth{Unknown: true}
		info.Events = &machine.ServiceEvents{Events: []*machine.ServiceEvent{{Msg: "Running pre state", State: "Preparing", Ts: at}}}
	case s.n.etcd.down:
		info.State = "Failed"
		info.Health = &machine.ServiceHealth{Healthy: false, LastMessage: "context deadline exceeded", LastChange: at}
		info.Events.Events = append(info.Events.Events, &machine.ServiceEvent{
			Msg: `Failed to run pre stage: failed to build initial etcd cluster: failed to build cluster arguments: context deadline exceeded`, State: "Failed", Ts: at,
		})
	}

	return info
}

func (s *services) ServiceList(context.Context, *emptypb.Empty) (*machine.ServiceListResponse, error) {
	return &machine.ServiceListResponse{Messages: []*machine.ServiceList{{Services: s.serviceInfos()}}}, nil
}

func (s *services) ServiceRestart(_ context.Context, r *machine.ServiceRestartRequest) (*machine.ServiceRestartResponse, error) {
	for _, info := range s.serviceInfos() {
		if info.Id != r.Id {
			continue
		}

		if r.Id != "kubelet" { // the only built-in one that Talos lets go
			return nil, status.Errorf(codes.Unknown, "service %q doesn't support restart operation via API", r.Id)
		}

		return &machine.ServiceRestartResponse{Messages: []*machine.ServiceRestart{{Resp: fmt.Sprintf("Service %q restarted", r.Id)}}}, nil
	}

	return nil, status.Errorf(codes.Unknown, "service %q not defined", r.Id)
}

func (s *services) Bootstrap(_ context.Context, _ *machine.BootstrapRequest) (*machine.BootstrapResponse, error) {
	if s.n.role == machinetype.TypeUnknown { // no configuration, no CRI yet
		return nil, status.Error(codes.FailedPrecondition, "bootstrap is not available yet")
	}

	if err := s.needsControlPlane("bootstrap"); err != nil {
		return nil, err
	}

	s.n.mu.Lock()
	defer s.n.mu.Unlock()

	if !s.n.etcd.empty {
		return nil, status.Error(codes.AlreadyExists, "etcd data directory is not empty")
	}

	s.n.etcd.empty = false

	return &machine.BootstrapResponse{Messages: []*machine.Bootstrap{{}}}, nil
}

func (s *services) Reset(ctx context.Context, r *machine.ResetRequest) (*machine.ResetResponse, error) {
	if err := s.checkUserDisks(ctx, r); err != nil {
		return nil, err
	}

	if labels := r.GetSystemPartitionsToWipe(); len(labels) > 0 {
		if r.Mode == machine.ResetRequest_USER_DISKS {
			return nil, fmt.Errorf("reset failed: invalid input, wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter")
		}

		for _, l := range labels {
			volume, err := safe.ReaderGetByID[*block.VolumeStatus](ctx, s.n.resources, l.Label)
			if err != nil {
				return nil, fmt.Errorf("failed to get volume status with label %q: %w", l.Label, err)
			}

			if volume.TypedSpec().Location == "" {
				return nil, fmt.Errorf("failed to reset: volume %q is not located", l.Label)
			}
		}
	}

	return &machine.ResetResponse{Messages: []*machine.Reset{{ActorId: s.n.perform(resetSequence(r, s.n.role))}}}, nil
}

func (s *services) checkUserDisks(ctx context.Context, r *machine.ResetRequest) error {
	if len(r.GetUserDisksToWipe()) == 0 {
		return nil
	}

	if r.Mode == machine.ResetRequest_SYSTEM_DISK {
		return fmt.Errorf("reset failed: invalid input, wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter")
	}

	for _, device := range r.GetUserDisksToWipe() {
		switch device {
		case systemDisk:
			return fmt.Errorf("reset user disk failed: device %s is the system disk", device)
		case dataDisk:
		default:
			return fmt.Errorf("reset user disk failed: device %s wasn't found", device)
		}
	}

	return nil
}

func (s *services) Reboot(context.Context, *machine.RebootRequest) (*machine.RebootResponse, error) {
	return &machine.RebootResponse{Messages: []*machine.Reboot{{ActorId: s.n.perform(rebootSequence())}}}, nil
}

func (s *services) Shutdown(_ context.Context, r *machine.ShutdownRequest) (*machine.ShutdownResponse, error) {
	return &machine.ShutdownResponse{Messages: []*machine.Shutdown{{ActorId: s.n.perform(shutdownSequence(r.GetForce()))}}}, nil
}

func (s *services) GenerateClientConfiguration(_ context.Context, r *machine.GenerateClientConfigurationRequest) (*machine.GenerateClientConfigurationResponse, error) {
	if err := s.needsControlPlane("generate client configuration"); err != nil {
		return nil, err
	}

	roles, _ := role.Parse(r.GetRoles())

	ttl := r.GetCrtTtl().AsDuration()
	if ttl <= 0 {
		return nil, status.Error(codes.InvalidArgument, "crt_ttl should be positive")
	}

	pair, err := s.n.cluster.bundle.GenerateTalosAPIClientCertificateWithTTL(roles, ttl)
	if err != nil {
		return nil, err
	}

	ca := s.n.cluster.bundle.Certs.OS.Crt
	talosconfig, err := clientConfig(s.n.addr, ca, pair.Crt, pair.Key)
	if err != nil {
		return nil, err
	}

	return &machine.GenerateClientConfigurationResponse{Messages: []*machine.GenerateClientConfiguration{{Ca: ca, Crt: pair.Crt, Key: pair.Key, Talosconfig: talosconfig}}}, nil
}
