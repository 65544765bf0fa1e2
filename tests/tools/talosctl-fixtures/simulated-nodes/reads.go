package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
)

// What one looks at when something is wrong. The numbers mean nothing, the forms are the real ones.

// A day that does not move: file times and log lines are the same in each recording.
var recordedDay = time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)

func (s *services) List(r *machine.ListRequest, stream grpc.ServerStreamingServer[machine.FileInfo]) error {
	if r.Root != "/var/log" {
		return fmt.Errorf("lstat %s: no such file or directory", r.Root)
	}

	for _, f := range []*machine.FileInfo{
		{Name: "/var/log", RelativeName: ".", Size: 121, Mode: 0o20000000755, IsDir: true},
		{Name: "/var/log/audit", RelativeName: "audit", Size: 6, Mode: 0o20000000700, IsDir: true},
		{Name: "/var/log/kubelet.log", RelativeName: "kubelet.log", Size: 48_213, Mode: 0o600},
		{Name: "/var/log/latest", RelativeName: "latest", Size: 11, Mode: 0o1000000777, Link: "kubelet.log"},
	} {
		f.Modified = recordedDay.Unix()

		if err := stream.Send(f); err != nil {
			return err
		}
	}

	return nil
}

func (s *services) DiskUsage(r *machine.DiskUsageRequest, stream grpc.ServerStreamingServer[machine.DiskUsageInfo]) error {
	for _, path := range r.Paths {
		if err := stream.Send(&machine.DiskUsageInfo{Name: path, RelativeName: strings.TrimPrefix(path, "/"), Size: 73_400_320}); err != nil {
			return err
		}
	}

	return nil
}

func (s *services) Memory(context.Context, *emptypb.Empty) (*machine.MemoryResponse, error) {
	return &machine.MemoryResponse{Messages: []*machine.Memory{{Meminfo: &machine.MemInfo{
		Memtotal: 16_302_140, Memfree: 9_120_444, Memavailable: 12_800_112, Buffers: 20_480, Cached: 3_882_204,
	}}}}, nil
}

func (s *services) Mounts(context.Context, *emptypb.Empty) (*machine.MountsResponse, error) {
	return &machine.MountsResponse{Messages: []*machine.Mounts{{Stats: []*machine.MountStat{
		{Filesystem: "devtmpfs", Size: 8_151_068_672, Available: 8_151_068_672, MountedOn: "/dev"},
		{Filesystem: "/dev/nvme0n1p5", Size: 92_827_648, Available: 86_024_192, MountedOn: "/system/state"},
		{Filesystem: "/dev/nvme0n1p6", Size: 251_485_224_960, Available: 240_000_000_000, MountedOn: "/var"},
	}}}}, nil
}

func (s *services) Containers(_ context.Context, r *machine.ContainersRequest) (*machine.ContainersResponse, error) {
	list := []*machine.ContainerInfo{
		{Namespace: "system", Id: "apid", Name: "apid", Image: "", Pid: 1901, Status: "RUNNING"},
		{Namespace: "system", Id: "kubelet", Name: "kubelet", Image: "ghcr.io/siderolabs/kubelet:v1.36.0", Pid: 2214, Status: "RUNNING"},
	}

	if r.Namespace == "k8s.io" {
		const pod = "kube-system/coredns-7859998f6-8d2xk"

		list = []*machine.ContainerInfo{
			{Namespace: "k8s.io", Id: pod, PodId: pod, Name: pod, Image: "registry.k8s.io/pause:3.10", Pid: 3011, Status: "SANDBOX_READY"},
			{
				Namespace: "k8s.io", Id: pod + ":coredns:4f1f9d1f8b1c", PodId: pod, Name: "coredns",
				Image: "registry.k8s.io/coredns/coredns:v1.14.2", Pid: 3090, Status: "CONTAINER_RUNNING",
			},
		}
	}

	return &machine.ContainersResponse{Messages: []*machine.Container{{Containers: list}}}, nil
}

func (s *services) Processes(context.Context, *emptypb.Empty) (*machine.ProcessesResponse, error) {
	return &machine.ProcessesResponse{Messages: []*machine.Process{{Processes: []*machine.ProcessInfo{
		{
			Pid: 1, Ppid: 0, State: "S", Threads: 14, CpuTime: 12.5, VirtualMemory: 5_368_709_120, ResidentMemory: 104_857_600,
			Command: "init", Executable: "/sbin/init", Args: "/sbin/init",
		},
		{
			Pid: 2214, Ppid: 2100, State: "S", Threads: 18, CpuTime: 96.25, VirtualMemory: 2_147_483_648, ResidentMemory: 125_829_120,
			Command: "kubelet", Executable: "/usr/local/bin/kubelet", Args: "/usr/local/bin/kubelet --config=/etc/kubernetes/kubelet.yaml",
		},
	}}}}, nil
}

func (s *services) Logs(r *machine.LogsRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	if r.Id != "kubelet" && r.Id != "etcd" && r.Id != "machined" {
		return fmt.Errorf("log %q was not registered", r.Id)
	}

	const lines = 3

	first := 0
	if r.TailLines >= 0 {
		first = max(0, lines-int(r.TailLines))
	}

	for i := first; i < lines; i++ {
		line := fmt.Sprintf("%s I0101 %s started step %d\n", r.Id, recordedDay.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i+1)
		if err := stream.Send(&common.Data{Bytes: []byte(line)}); err != nil {
			return err
		}
	}

	return nil
}

func (s *services) Dmesg(_ *machine.DmesgRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	for i, text := range []string{"Linux version 6.18.24-talos", "[talos] boot sequence: done: 21.4s"} {
		line := fmt.Sprintf("user: %7s: [%s]: %s\n", "warning", recordedDay.Add(time.Duration(i)*time.Second).Format(time.RFC3339Nano), text)
		if err := stream.Send(&common.Data{Bytes: []byte(line)}); err != nil {
			return err
		}
	}

	return nil
}

// clock answers the time service.
type clock struct {
	timeapi.UnimplementedTimeServiceServer
}

func (clock) Time(context.Context, *emptypb.Empty) (*timeapi.TimeResponse, error) {
	at := timestamppb.New(recordedDay)

	return &timeapi.TimeResponse{Messages: []*timeapi.Time{{Server: "time.cloudflare.com", Localtime: at, Remotetime: at}}}, nil
}

// images answers the image service.
type images struct {
	machine.UnimplementedImageServiceServer
}

func (images) List(_ *machine.ImageServiceListRequest, stream grpc.ServerStreamingServer[machine.ImageServiceListResponse]) error {
	for _, name := range []string{"ghcr.io/siderolabs/kubelet:v1.36.0", "registry.k8s.io/etcd:v3.6.11"} {
		if err := stream.Send(&machine.ImageServiceListResponse{
			Name: name, Digest: "sha256:" + strings.Repeat("ab", 32), Size: 73_400_320, CreatedAt: timestamppb.New(recordedDay),
		}); err != nil {
			return err
		}
	}

	return nil
}

func (images) Remove(_ context.Context, r *machine.ImageServiceRemoveRequest) (*emptypb.Empty, error) {
	return nil, status.Errorf(codes.NotFound, "image %q: not found", r.GetImageRef())
}
