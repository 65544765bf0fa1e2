package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/registry"
	"go.yaml.in/yaml/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	timeres "github.com/siderolabs/talos/pkg/machinery/resources/time"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// The disks every node has.
const (
	systemDisk        = "/dev/nvme0n1"
	dataDisk          = "/dev/sda"
	diskSize   uint64 = 256_060_514_304
)

// readable is the rule of who may see which resource, and that nobody writes.
func readable(st state.State) state.FilteringRule {
	return func(ctx context.Context, access state.Access) error {
		if !access.Verb.Readonly() {
			return status.Error(codes.PermissionDenied, "write access is not allowed")
		}

		rd, err := safe.StateGet[*meta.ResourceDefinition](ctx, st,
			resource.NewMetadata(meta.NamespaceName, meta.ResourceDefinitionType, strings.ToLower(access.ResourceType), resource.VersionUndefined))
		if state.IsNotFoundError(err) {
			return status.Errorf(codes.PermissionDenied, "resource type %q is not supported", access.ResourceType)
		} else if err != nil {
			return err
		}

		if rd.TypedSpec().Sensitivity == meta.Sensitive && !callerRoles(ctx).Includes(role.Admin) {
			return errNotAuthorized
		}

		_, err = safe.StateGet[*meta.Namespace](ctx, st, resource.NewMetadata(meta.NamespaceName, meta.NamespaceType, access.ResourceNamespace, resource.VersionUndefined))
		if state.IsNotFoundError(err) {
			return status.Errorf(codes.PermissionDenied, "namespace %q is not supported", access.ResourceNamespace)
		}

		return err
	}
}

func (n *node) buildState() (state.State, error) {
	ctx := context.Background()
	st := state.WrapCore(namespaced.NewState(func(ns resource.Namespace) state.CoreState { return inmem.NewState(ns) }))
	known, types := registry.NewNamespaceRegistry(st), registry.NewResourceRegistry(st)

	if err := known.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	if err := types.RegisterDefault(ctx); err != nil {
		return nil, err
	}

	for _, name := range namespaces {
		if err := known.Register(ctx, name, name); err != nil {
			return nil, err
		}
	}

	for _, r := range resourceTypes {
		if err := types.Register(ctx, r); err != nil {
			return nil, err
		}
	}

	b := &builder{ctx: ctx, st: st, n: n}
	b.hardware()
	b.volumes()
	b.network()
	b.machine()

	if n.kind != maintenance {
		b.clusterMembership()
	}

	return st, b.err
}

// builder fills a state; specs are written as the YAML that `get -o yaml` shows.
type builder struct {
	ctx context.Context
	st  state.State
	n   *node
	err error
}

func (b *builder) add(r resource.Resource, spec any, text string, args ...any) {
	if b.err != nil {
		return
	}

	if text != "" {
		if err := yaml.Unmarshal(fmt.Appendf(nil, text, args...), spec); err != nil {
			b.err = fmt.Errorf("%s: %w", r.Metadata().ID(), err)

			return
		}
	}

	b.err = b.st.Create(b.ctx, r, state.WithCreateOwner(owners[r.Metadata().Type()]))
}

// The controllers that own these resources on a real node; `get -o json` shows them.
var owners = map[resource.Type]string{
	block.DiscoveredVolumeType:     "block.DiscoveryController",
	block.DiskType:                 "block.DisksController",
	block.SystemDiskType:           "block.SystemDiskController",
	block.VolumeStatusType:         "block.VolumeManagerController",
	cluster.IdentityType:           "cluster.NodeIdentityController",
	cluster.MemberType:             "cluster.MemberController",
	config.MachineTypeType:         "config.MachineTypeController",
	etcd.MemberType:                "etcd.MemberController",
	hardware.SystemInformationType: "hardware.SystemInfoController",
	k8s.NodenameType:               "k8s.NodenameController",
	network.AddressStatusType:      "network.AddressStatusController",
	network.HostnameStatusType:     "network.HostnameSpecController",
	network.LinkStatusType:         "network.LinkStatusController",
	network.NodeAddressType:        "network.NodeAddressController",
	runtime.MachineStatusType:      "runtime.MachineStatusController",
}

// serial is what tells this node's hardware from the others': the last part of its address.
func (b *builder) serial() string {
	return "S5GXNX0T1004" + b.n.addr[strings.LastIndex(b.n.addr, ".")+1:]
}

func (b *builder) hardware() {
	last := b.n.addr[strings.LastIndex(b.n.addr, ".")+1:]

	info := hardware.NewSystemInformation(hardware.SystemInformationID)
	b.add(info, info.TypedSpec(), `
manufacturer: SIMULATED
productName: Test Node
version: "1.0"
serialnumber: SIM-%[2]s
uuid: 03000200-0400-0500-0006-0000000000%[1]s
wakeUpType: Power Switch
skuNumber: Default string
`, last, b.n.name)

	disk := block.NewDisk(block.NamespaceName, "nvme0n1")
	b.add(disk, disk.TypedSpec(), `
dev_path: %s
size: %d
pretty_size: 256 GB
io_size: 512
sector_size: 512
readonly: false
cdrom: false
model: SIMULATED NVME 256GB
serial: %s
wwid: eui.0025385b11b0%s
bus_path: /pci0000:00/0000:00:1d.0/0000:03:00.0/nvme
sub_system: /sys/class/block
transport: nvme
symlinks: [/dev/disk/by-id/nvme-SIMULATED_NVME_256GB_%[3]s]
`, systemDisk, diskSize, b.serial(), last)

	disk = block.NewDisk(block.NamespaceName, "sda")
	b.add(disk, disk.TypedSpec(), `
dev_path: %s
size: 1000204886016
pretty_size: 1.0 TB
io_size: 512
sector_size: 512
readonly: false
cdrom: false
model: SIMULATED HDD
serial: WD-%s
modalias: scsi:t-0x00
wwid: naa.50014ee2b6f0%s
bus_path: /pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0
sub_system: /sys/class/block
transport: sata
rotational: true
`, dataDisk, last, last)

	loop := block.NewDisk(block.NamespaceName, "loop0")
	b.add(loop, loop.TypedSpec(), "{dev_path: /dev/loop0, size: 73400320, pretty_size: 73 MB, io_size: 512, sector_size: 512, readonly: true, cdrom: false, sub_system: /sys/class/block}")
}

// partition is one of the system disk, as Talos lays it out.
type partition struct {
	label, fs, size string
	index           int
	bytes           uint64
	offset          uint64
}

var systemPartitions = []partition{
	{"EFI", "vfat", "2.2 GB", 1, 2_252_341_248, 1_048_576},
	{"BIOS", "", "1.0 MB", 2, 1_048_576, 2_253_389_824},
	{"BOOT", "xfs", "2.1 GB", 3, 2_096_103_424, 2_254_438_400},
	{"META", "talosmeta", "1.0 MB", 4, 1_048_576, 4_350_541_824},
	{"STATE", "xfs", "105 MB", 5, 104_857_600, 4_351_590_400},
	{"EPHEMERAL", "xfs", "252 GB", 6, 251_603_714_048, 4_456_448_000},
}

func (b *builder) volumes() {
	whole := block.NewDiscoveredVolume(block.NamespaceName, "nvme0n1")
	name := "gpt"

	if b.n.kind == maintenance {
		name = "" // a blank disk
	}

	b.add(whole, whole.TypedSpec(), `
dev_path: %s
type: disk
device_path: /pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1
offset: 0
size: %d
pretty_size: 256 GB
sector_size: 512
io_size: 512
name: %q
`, systemDisk, diskSize, name)

	data := block.NewDiscoveredVolume(block.NamespaceName, "sda")
	b.add(data, data.TypedSpec(), `
dev_path: %s
type: disk
device_path: /pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda
offset: 0
size: 1000204886016
pretty_size: 1.0 TB
sector_size: 512
io_size: 4096
name: ''
`, dataDisk)

	if b.n.kind == maintenance {
		for _, id := range []string{"EPHEMERAL", "META", "STATE"} {
			v := block.NewVolumeStatus(block.NamespaceName, id)
			b.add(v, v.TypedSpec(), "{phase: missing, type: partition}")
		}

		return
	}

	disk := block.NewSystemDisk(block.NamespaceName, block.SystemDiskID)
	b.add(disk, disk.TypedSpec(), "{diskID: nvme0n1, devPath: %s}", systemDisk)

	for _, p := range systemPartitions {
		id := fmt.Sprintf("nvme0n1p%d", p.index)
		uuid := fmt.Sprintf("8a0c5f0e-0000-4000-8000-0000000000%02d", p.index)

		label := p.label // of the filesystem, where there is one
		if p.fs != "xfs" && p.fs != "vfat" {
			label = ""
		}

		d := block.NewDiscoveredVolume(block.NamespaceName, id)
		b.add(d, d.TypedSpec(), `
dev_path: /dev/%s
type: partition
device_path: /pci0000:00/nvme0n1/%[1]s
parent: nvme0n1
parent_dev_path: %s
offset: %d
size: %d
pretty_size: %s
sector_size: 512
io_size: 512
name: %q
label: %q
partition_uuid: %s
partition_type: 0fc63daf-8483-4772-8e79-3d69d8477de4
partition_label: %[10]s
partition_index: %[9]d
`,
			id, systemDisk, p.offset, p.bytes, p.size, p.fs, label, uuid, p.index, p.label)

		switch p.label {
		case "META", "STATE", "EPHEMERAL": // the others are not volumes, only partitions
		default:
			continue
		}

		v := block.NewVolumeStatus(block.NamespaceName, p.label)
		b.add(v, v.TypedSpec(), `
phase: ready
type: partition
location: /dev/%[1]s
mountLocation: /dev/%[1]s
partitionIndex: %d
parentLocation: %s
uuid: 5c0d1be1-0000-4000-8000-0000000000%02[2]d
partitionUUID: %[4]s
size: %d
prettySize: %s
filesystem: %s
mountSpec: {targetPath: "%s", selinuxLabel: "%s", fileMode: 0}
`, id, p.index, systemDisk, uuid, p.bytes, p.size, strings.Replace(p.fs, "talosmeta", "none", 1),
			map[string]string{"STATE": "/system/state", "EPHEMERAL": "/var"}[p.label],
			map[string]string{"STATE": "system_u:object_r:system_state_t:s0", "EPHEMERAL": "system_u:object_r:ephemeral_t:s0"}[p.label])
	}

	for _, path := range []string{"/var/lib", "/var/lib/containerd", "/var/lib/kubelet", "/var/log"} {
		v := block.NewVolumeStatus(block.NamespaceName, path)
		b.add(v, v.TypedSpec(), "{phase: ready, type: directory, parentID: EPHEMERAL, mountSpec: {targetPath: %s, selinuxLabel: ''}}", strings.TrimPrefix(path, "/var/"))
	}
}

func (b *builder) network() {
	last := b.n.addr[strings.LastIndex(b.n.addr, ".")+1:]

	host := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
	name := b.n.name

	if b.n.kind == maintenance {
		name = "talos-7vk-b1x" // no configuration has named it yet
	}

	b.add(host, host.TypedSpec(), "{hostname: %s, domainname: ''}", name)

	lo := network.NewLinkStatus(network.NamespaceName, "lo")
	b.add(lo, lo.TypedSpec(), `
index: 1
type: loopback
linkIndex: 0
flags: 'UP,LOOPBACK,RUNNING,LOWER_UP'
hardwareAddr: '00:00:00:00:00:00'
permanentAddr: ''
broadcastAddr: '00:00:00:00:00:00'
mtu: 65536
queueDisc: noqueue
operationalState: unknown
kind: ''
slaveKind: ''
linkState: true
speedMbit: 0
port: Other
duplex: Unknown
`)

	eth := network.NewLinkStatus(network.NamespaceName, "enp3s0")
	b.add(eth, eth.TypedSpec(), `
altNames: [enxaabbcc0000%[1]s]
index: 2
type: ether
linkIndex: 0
flags: 'UP,BROADCAST,RUNNING,MULTICAST,LOWER_UP'
hardwareAddr: 'aa:bb:cc:00:00:%[1]s'
permanentAddr: 'aa:bb:cc:00:00:%[1]s'
broadcastAddr: 'ff:ff:ff:ff:ff:ff'
mtu: 1500
queueDisc: mq
operationalState: up
kind: ''
slaveKind: ''
busPath: '0000:03:00.0'
pciID: '8086:15F3'
driver: igc
driverVersion: 6.18.24-talos
firmwareVersion: '1073:8754'
productID: '0x15f3'
vendorID: '0x8086'
linkState: true
speedMbit: 2500
port: TwistedPair
duplex: Full
`, last)

	for _, a := range [][3]string{{"lo", "127.0.0.1/8", "host"}, {"lo", "::1/128", "host"}, {"enp3s0", b.n.addr + "/24", "global"}, {"enp3s0", "fe80::a8bb:ccff:fe00:" + last + "/64", "link"}} {
		family := map[bool]string{true: "inet6", false: "inet4"}[strings.Contains(a[1], ":")]
		addr := network.NewAddressStatus(network.NamespaceName, a[0]+"/"+a[1])
		b.add(addr, addr.TypedSpec(), `
address: %q
linkIndex: %d
linkName: %s
family: %s
scope: %s
flags: permanent
priority: 0
`, a[1], map[string]int{"lo": 1, "enp3s0": 2}[a[0]], a[0], family, a[2])
	}

	for _, id := range []string{network.NodeAddressCurrentID, network.NodeAddressDefaultID, network.NodeAddressRoutedID} {
		r := network.NewNodeAddress(network.NamespaceName, id)
		b.add(r, r.TypedSpec(), "{addresses: [%s/24], sortAlgorithm: v1}", b.n.addr)
	}

	route := network.NewRouteStatus(network.NamespaceName, "inet4/127.5.0.1//1024")
	b.add(route, route.TypedSpec(), `
family: inet4
dst: ''
src: ''
gateway: 127.5.0.1
outLinkIndex: 2
outLinkName: enp3s0
table: main
priority: 1024
scope: global
type: unicast
flags: ''
protocol: static
`)

	st := network.NewStatus(network.NamespaceName, network.StatusID)
	b.add(st, st.TypedSpec(), "{addressReady: true, connectivityReady: true, hostnameReady: true, etcFilesReady: true}")
}

func (b *builder) machine() {
	stage, ready, unmet := "running", true, "[]"

	switch {
	case b.n.kind == maintenance:
		stage = "maintenance"
	case b.n.etcd.empty:
		stage, ready = "booting", false
		unmet = `[
  {name: services, reason: etcd not healthy},
  {name: staticPods, reason: "resource StaticPodServerStatuses.kubernetes.talos.dev(k8s/static-pod-server-status@undefined) doesn't exist"},
  {name: nodeReady, reason: 'node "` + b.n.name + `" status is not available yet'}]`
	case b.n.etcd.down:
		ready, unmet = false, "[{name: services, reason: etcd not running}]"
	}

	ms := runtime.NewMachineStatus()
	b.add(ms, ms.TypedSpec(), "{stage: %s, status: {ready: %t, unmetConditions: %s}}", stage, ready, unmet)

	version := runtime.NewVersion()
	b.add(version, version.TypedSpec(), "{name: Talos, version: v1.13.0}")

	platform := runtime.NewPlatformMetadataSpec(runtime.NamespaceName, runtime.PlatformMetadataID)
	b.add(platform, platform.TypedSpec(), "{platform: metal}")

	clock := timeres.NewStatus()
	b.add(clock, clock.TypedSpec(), "{synced: true, epoch: 1, syncDisabled: false}")

	if b.n.kind == maintenance {
		return
	}

	for i, e := range [][2]string{{"iscsi-tools", "v0.2.0"}, {"schematic", "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"}} {
		ext := runtime.NewExtensionStatus(runtime.NamespaceName, fmt.Sprint(i))
		b.add(ext, ext.TypedSpec(), "{image: %d.sqsh, metadata: {name: %s, version: %s, author: Sidero Labs, description: %[2]s, compatibility: {talos: {version: '>= v1.12.0'}}}}", i, e[0], e[1])
	}

	mt := config.NewMachineType()
	mt.SetMachineType(b.n.role)
	b.add(mt, nil, "")

	if b.n.active != nil {
		b.add(config.NewMachineConfig(b.n.active), nil, "")
		b.add(config.NewMachineConfigWithID(b.n.persisted, config.PersistentID), nil, "")
	}
}

func (b *builder) clusterMembership() {
	name := k8s.NewNodename(k8s.NamespaceName, k8s.NodenameID)
	b.add(name, name.TypedSpec(), "{nodename: %s, hostnameVersion: '2', skipNodeRegistration: false}", b.n.name)

	identity := cluster.NewIdentity(cluster.NamespaceName, cluster.LocalIdentity)
	b.add(identity, identity.TypedSpec(), "{nodeId: %s}", nodeID(b.n))

	if b.n.active != nil {
		info := cluster.NewInfo()
		b.add(info, info.TypedSpec(), "{clusterId: %q, clusterName: %q}", b.n.active.Cluster().ID(), b.n.active.Cluster().Name())
	}

	if b.n.etcd.empty {
		return
	}

	for _, other := range append(b.n.cluster.controlPlanes(), b.n.cluster.workers()...) {
		kind, controlPlane := "worker", ""
		if other.role == machinetype.TypeControlPlane {
			kind, controlPlane = "controlplane", ", controlPlane: {port: 6443}"
		}

		m := cluster.NewMember(cluster.NamespaceName, other.name)
		b.add(m, m.TypedSpec(), "{nodeId: %s, addresses: [%s], hostname: %s, machineType: %s, operatingSystem: Talos (v1.13.0)%s}", nodeID(other), other.addr, other.name, kind, controlPlane)
	}

	if b.n.role == machinetype.TypeControlPlane {
		member := etcd.NewMember(etcd.NamespaceName, etcd.LocalMemberID)
		b.add(member, member.TypedSpec(), "{memberID: %q}", etcd.FormatMemberID(b.n.member))
	}

	st := k8s.NewNodeStatus(k8s.NamespaceName, b.n.name)
	b.add(st, st.TypedSpec(), "{nodename: %s, nodeReady: true, unschedulable: false, labels: {kubernetes.io/hostname: %[1]s}, annotations: {}, podCIDRs: []}", b.n.name)
}

// nodeID has the form of the real ones, a base62 number of 32 bytes.
func nodeID(n *node) string {
	return strings.ReplaceAll(n.name, "-", "") + "0000000000000000000000000000000000000000"
}
