package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// localEtcd fails like a client whose etcd does not run on this node.
func (s *services) localEtcd(ctx context.Context, doing string) error {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()

	if !s.n.etcd.empty && !s.n.etcd.down {
		return nil
	}

	return fmt.Errorf("%s: %w", doing, status.Error(codes.Unavailable,
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection refused"`))
}

func (s *services) EtcdMemberList(ctx context.Context, r *machine.EtcdMemberListRequest) (*machine.EtcdMemberListResponse, error) {
	if err := s.needsControlPlane("member list"); err != nil {
		return nil, err
	}

	list := &machine.EtcdMembers{}
	running := 0

	for _, n := range s.n.cluster.controlPlanes() {
		if !n.etcd.down {
			running++
		}

		list.LegacyMembers = append(list.LegacyMembers, n.name)
		list.Members = append(list.Members, &machine.EtcdMember{
			Id: n.member, Hostname: n.name, IsLearner: n.etcd.learner,
			PeerUrls: []string{"https://" + n.addr + ":2380"}, ClientUrls: []string{"https://" + n.addr + ":2379"},
		})
	}

	if running*2 <= len(list.Members) { // asked with a required leader, and there is none
		return nil, status.Error(codes.Unavailable, "etcdserver: no leader")
	}

	return &machine.EtcdMemberListResponse{Messages: []*machine.EtcdMembers{list}}, nil
}

func (s *services) EtcdStatus(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdStatusResponse, error) {
	if err := s.needsControlPlane("etcd status"); err != nil {
		return nil, err
	}

	if err := s.localEtcd(ctx, "failed to query etcd status"); err != nil {
		return nil, err
	}

	member := &machine.EtcdMemberStatus{
		MemberId: s.n.member, ProtocolVersion: "3.6.11", StorageVersion: "3.6.0",
		DbSize: 35_127_296, DbSizeInUse: 17_424_384, Leader: s.n.cluster.controlPlanes()[0].member,
		RaftIndex: 184_467, RaftAppliedIndex: 184_467, RaftTerm: 5, IsLearner: s.n.etcd.learner,
	}

	if s.n.etcd.alarm {
		member.Errors = []string{fmt.Sprintf("memberID:%d alarm:NOSPACE ", s.n.member)}
	}

	return &machine.EtcdStatusResponse{Messages: []*machine.EtcdStatus{{MemberStatus: member}}}, nil
}

func (s *services) EtcdAlarmList(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdAlarmListResponse, error) {
	if err := s.needsControlPlane("etcd alarm list"); err != nil {
		return nil, err
	}

	if err := s.localEtcd(ctx, "failed to list etcd alarms"); err != nil {
		return nil, err
	}

	alarms := &machine.EtcdAlarm{}
	if s.n.etcd.alarm {
		alarms.MemberAlarms = []*machine.EtcdMemberAlarm{{MemberId: s.n.member, Alarm: machine.EtcdMemberAlarm_NOSPACE}}
	}

	return &machine.EtcdAlarmListResponse{Messages: []*machine.EtcdAlarm{alarms}}, nil
}

func (s *services) EtcdSnapshot(_ *machine.EtcdSnapshotRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	if err := s.needsControlPlane("etcd snapshot"); err != nil {
		return err
	}

	if err := s.localEtcd(stream.Context(), "failed reading etcd snapshot"); err != nil {
		return err
	}

	image, err := databaseImage()
	if err != nil {
		return err
	}

	sum := sha256.Sum256(image)

	const piece = 32 << 10

	for data := append(image, sum[:]...); len(data) > 0; {
		n := min(piece, len(data))
		if err := stream.Send(&common.Data{Bytes: data[:n]}); err != nil {
			return err
		}

		data = data[n:]
	}

	return nil
}

func (s *services) EtcdRemoveMemberByID(_ context.Context, r *machine.EtcdRemoveMemberByIDRequest) (*machine.EtcdRemoveMemberByIDResponse, error) {
	if err := s.needsControlPlane("etcd remove member"); err != nil {
		return nil, err
	}

	for _, n := range s.n.cluster.controlPlanes() {
		if n.member == r.MemberId {
			return &machine.EtcdRemoveMemberByIDResponse{Messages: []*machine.EtcdRemoveMemberByID{{}}}, nil
		}
	}

	return nil, status.Error(codes.NotFound, "etcdserver: member not found")
}

// databaseImage is a small but real etcd database: the buckets etcd expects and two keys.
func databaseImage() ([]byte, error) {
	dir, err := os.MkdirTemp("", "etcd-image")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck

	path := filepath.Join(dir, "db")

	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}

	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range strings.Fields("alarm auth authRoles authUsers cluster key lease members members_removed meta") {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}

		meta := tx.Bucket([]byte("meta"))
		index := binary.BigEndian.AppendUint64(nil, 184_467)

		for key, value := range map[string][]byte{"storageVersion": []byte("3.6.0"), "consistent_index": index} {
			if err := meta.Put([]byte(key), value); err != nil {
				return err
			}
		}

		for i, key := range []string{"/registry/health", "/registry/namespaces/default"} {
			revision := int64(i + 2)
			kv := &mvccpb.KeyValue{Key: []byte(key), Value: []byte("test"), CreateRevision: revision, ModRevision: revision, Version: 1}

			value, err := kv.Marshal()
			if err != nil {
				return err
			}

			if err := tx.Bucket([]byte("key")).Put(append(binary.BigEndian.AppendUint64(nil, uint64(revision)), append([]byte{'_'}, make([]byte, 8)...)...), value); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	if err := db.Close(); err != nil {
		return nil, err
	}

	return os.ReadFile(path)
}
