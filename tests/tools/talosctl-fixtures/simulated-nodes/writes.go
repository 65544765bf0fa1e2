package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/cosi-project/runtime/pkg/safe"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// The rarer changes: what a guard has to recognise, answered as far as an answer has a form.

func (s *services) ServiceStart(_ context.Context, r *machine.ServiceStartRequest) (*machine.ServiceStartResponse, error) {
	if err := s.refuseService(r.Id, "start"); err != nil {
		return nil, err
	}

	return &machine.ServiceStartResponse{Messages: []*machine.ServiceStart{{Resp: fmt.Sprintf("Service %q started", r.Id)}}}, nil
}

func (s *services) ServiceStop(_ context.Context, r *machine.ServiceStopRequest) (*machine.ServiceStopResponse, error) {
	if err := s.refuseService(r.Id, "stop"); err != nil {
		return nil, err
	}

	return &machine.ServiceStopResponse{Messages: []*machine.ServiceStop{{Resp: fmt.Sprintf("Service %q stopped", r.Id)}}}, nil
}

// refuseService: of the built-in services only kubelet may be restarted, and none started or stopped.
func (s *services) refuseService(id, verb string) error {
	for _, info := range s.serviceInfos() {
		if info.Id == id {
			return fmt.Errorf("service %q doesn't support %s operation via API", id, verb)
		}
	}

	return fmt.Errorf("service %q not defined", id)
}

func (s *services) Rollback(context.Context, *machine.RollbackRequest) (*machine.RollbackResponse, error) {
	s.n.perform(rebootSequence())

	return &machine.RollbackResponse{Messages: []*machine.Rollback{{}}}, nil
}

// Upgrade is the older of the two ways to upgrade; the newer one pulls an image first, which is not simulated.
func (s *services) Upgrade(_ context.Context, r *machine.UpgradeRequest) (*machine.UpgradeResponse, error) {
	if r.GetImage() != "" && filepath.Base(r.GetImage()) == "missing:v0" {
		return nil, fmt.Errorf("error validating installer image %q: failed to pull image", r.GetImage())
	}

	return &machine.UpgradeResponse{Messages: []*machine.Upgrade{{Ack: "Upgrade request received", ActorId: s.n.perform(rebootSequence())}}}, nil
}

func (s *services) MetaWrite(_ context.Context, r *machine.MetaWriteRequest) (*machine.MetaWriteResponse, error) {
	if r.Key > 255 {
		return nil, status.Error(codes.InvalidArgument, "key must be a uint8")
	}

	return &machine.MetaWriteResponse{Messages: []*machine.MetaWrite{{}}}, nil
}

func (s *services) MetaDelete(_ context.Context, r *machine.MetaDeleteRequest) (*machine.MetaDeleteResponse, error) {
	return nil, status.Error(codes.NotFound, "meta key not found")
}

func (s *services) EtcdLeaveCluster(context.Context, *machine.EtcdLeaveClusterRequest) (*machine.EtcdLeaveClusterResponse, error) {
	if err := s.needsControlPlane("etcd leave"); err != nil {
		return nil, err
	}

	return &machine.EtcdLeaveClusterResponse{Messages: []*machine.EtcdLeaveCluster{{}}}, nil
}

func (s *services) EtcdForfeitLeadership(context.Context, *machine.EtcdForfeitLeadershipRequest) (*machine.EtcdForfeitLeadershipResponse, error) {
	if err := s.needsControlPlane("etcd forfeit leadership"); err != nil {
		return nil, err
	}

	member := "" // nothing happens where the node does not lead
	if s.n == s.n.cluster.controlPlanes()[0] {
		member = s.n.cluster.controlPlanes()[1].name
	}

	return &machine.EtcdForfeitLeadershipResponse{Messages: []*machine.EtcdForfeitLeadership{{Member: member}}}, nil
}

func (s *services) EtcdDefragment(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdDefragmentResponse, error) {
	if err := s.needsControlPlane("etcd defragment"); err != nil {
		return nil, err
	}

	return &machine.EtcdDefragmentResponse{Messages: []*machine.EtcdDefragment{{}}}, nil
}

func (s *services) EtcdAlarmDisarm(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdAlarmDisarmResponse, error) {
	if err := s.needsControlPlane("etcd alarm disarm"); err != nil {
		return nil, err
	}

	cleared := &machine.EtcdAlarmDisarm{}
	if s.n.etcd.alarm {
		cleared.MemberAlarms = []*machine.EtcdMemberAlarm{{MemberId: s.n.member, Alarm: machine.EtcdMemberAlarm_NOSPACE}}
	}

	return &machine.EtcdAlarmDisarmResponse{Messages: []*machine.EtcdAlarmDisarm{cleared}}, nil
}

func (s *services) BlockDeviceWipe(ctx context.Context, r *storage.BlockDeviceWipeRequest) (*storage.BlockDeviceWipeResponse, error) {
	if s.n.kind != maintenance && !callerRoles(ctx).Includes(role.Admin) {
		return nil, errNotAuthorized
	}

	for _, device := range r.GetDevices() {
		if err := s.mayWipe(ctx, device); err != nil {
			return nil, err
		}
	}

	return &storage.BlockDeviceWipeResponse{Messages: []*storage.BlockDeviceWipe{{}}}, nil
}

func (s *services) mayWipe(ctx context.Context, device *storage.BlockDeviceWipeDescriptor) error {
	found, err := safe.ReaderGetByID[*block.DiscoveredVolume](ctx, s.n.resources, device.Device)
	if err != nil {
		return status.Errorf(codes.NotFound, "blockdevice %q not found", device.Device)
	}

	if device.SkipVolumeCheck {
		return nil
	}

	volumes, err := safe.ReaderListAll[*block.VolumeStatus](ctx, s.n.resources)
	if err != nil {
		return err
	}

	for volume := range volumes.All() {
		for _, name := range []string{device.Device, found.TypedSpec().Parent} {
			if name != "" && filepath.Base(volume.TypedSpec().Location) == name {
				return status.Errorf(codes.FailedPrecondition, "blockdevice %q is in use by volume %q", name, volume.Metadata().ID())
			}
		}

		if filepath.Base(volume.TypedSpec().ParentLocation) == device.Device {
			return status.Errorf(codes.FailedPrecondition, "blockdevice %q is in use by volume %q", device.Device, volume.Metadata().ID())
		}
	}

	return nil
}
