//! Talconfigs out of numbers: settings of every key that the schema has, for
//! nodes, groups and whole files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Talos versions on both sides of every border in the renderer.
const VERSIONS: &[&str] =
    &["v1.13.0", "v1.12.0", "v1.11.0", "v1.9.0", "v1.14.0", "v1.13.4", "v1.12.1"];

/// Settings of a node or of a group, not indented; one key each.
pub(super) const SETTINGS: &[&str] = &[
    "nodeLabels: {zone: a, \"n\": \"1\"}\n",
    "nodeLabels:\n  image: '{{ .MachineConfig.MachineInstall.InstallImage | contains \"factory\" }}'\n  kind: '{{ .MachineConfig.MachineType }}'\n  plain: x\n",
    "nodeAnnotations: {a.b/c: d}\n",
    "nodeAnnotations:\n  image: '{{ .MachineConfig.MachineInstall.InstallImage }}'\n  nets: '{{ range $$i, $$s := .MachineConfig.MachineCertSANs }}{{ $$i }}{{ $$s }} {{ else }}none{{ end }}'\n",
    "nodeTaints: {dedicated: gpu:NoSchedule}\n",
    "machineDisks:\n  - device: /dev/sdc\n    partitions:\n      - {mountpoint: /var/mnt/a, size: 10GB}\n      - {mountpoint: /var/mnt/b, size: 1073741824}\n",
    "kernelModules:\n  - name: br_netfilter\n    parameters: [a=1]\n",
    "nameservers: [1.1.1.1, 'fd00::1']\n",
    "nameservers: []\n",
    "disableSearchDomain: true\n",
    "certSANs: [a.example, 10.9.9.9]\n",
    "machineFiles:\n  - path: /var/etc/x\n    permissions: 0o600\n    op: create\n    content: |\n      a\n      b: ${NAME}\n",
    "machineFiles:\n  - path: /var/etc/y\n    permissions: 0644\n    op: overwrite\n    content: '@./file.txt'\n    skipEnvsubst: true\n  - path: /var/etc/z\n    permissions: 420\n    op: append\n    content: '@line.txt'\n",
    "ingressFirewall:\n  defaultAction: block\n  rules:\n    - name: kubelet\n      portSelector: {ports: [10250, 80-90], protocol: tcp}\n      ingress: [{subnet: 10.0.0.0/24, except: 10.0.0.1/32}]\n",
    "ingressFirewall:\n  defaultAction: accept\n  rules:\n    - {name: a, portSelector: {ports: [53], protocol: udp}, ingress: [{subnet: 'fd00::/64'}]}\n",
    "extensionServices:\n  - name: nut\n    configFiles: [{content: x, mountPath: /etc/x}]\n    environment: [A=1]\n",
    "volumes:\n  - name: EPHEMERAL\n    provisioning: {diskSelector: {match: system_disk}, grow: false, minSize: 10GiB, maxSize: 50GiB}\n    encryption:\n      provider: luks2\n      cipher: aes-xts-plain64\n      keySize: 256\n      blockSize: 4096\n      options: [no_read_workqueue]\n      keys:\n        - {slot: 0, tpm: {checkSecurebootStatusOnEnroll: true, options: {pcrs: [7]}}}\n        - {slot: 1, nodeID: {}, lockToState: true}\n",
    "userVolumes:\n  - name: data\n    provisioning: {diskSelector: {match: 'disk.transport == \"nvme\"'}, grow: true, minSize: 1GB, maxSize: 50%}\n    filesystem: {type: xfs, projectQuotaSupport: true}\n",
    "userVolumes:\n  - name: scratch\n    provisioning: {diskSelector: {match: '!system_disk'}, minSize: 2GiB, maxSize: 3GiB}\n    filesystem: {type: ext4}\n    encryption:\n      provider: luks2\n      allowDiscards: true\n      cipher: aes-xts-plain64\n      keySize: 512\n      blockSize: 512\n      options: [no_write_workqueue]\n      keys:\n        - {slot: 0, static: {passphrase: secret}, lockToState: false}\n        - {slot: 1, kms: {endpoint: 'https://10.1.1.1:4050'}}\n        - {slot: 2, nodeID: {}}\n        - {slot: 3, tpm: {options: {pcrs: [1]}, checkSecurebootStatusOnEnroll: false}}\n",
    "userVolumes:\n  - {name: folder, volumeType: directory}\n",
    "volumes:\n  - name: EPHEMERAL\n    encryption:\n      provider: luks2\n      allowDiscards: true\n      keys:\n        - {slot: 0, static: {passphrase: other}}\n        - {slot: 1, kms: {endpoint: 'https://10.1.1.1:4050'}}\n",
    "schematic:\n  customization:\n    extraKernelArgs: [net.ifnames=0]\n",
    "schematic:\n  owner: me\n  overlay: {name: rpi_generic, image: siderolabs/sbc-raspberrypi, options: {configTxt: 'a=1', n: 1, list: [a, b]}}\n  customization:\n    embeddedMachineConfiguration: 'x: 1'\n    meta: [{key: 10, value: 'a: b'}]\n    bootloader: sd-boot\n    secureboot: {enrollKeys: force, includeWellKnownCertificates: true}\n    diskImage: {sectorSize: 512}\n",
    "schematic:\n  customization:\n    systemExtensions: {officialExtensions: [siderolabs/tailscale]}\n",
    "imageSchematic:\n  owner: you\n  overlay: {name: x, image: siderolabs/sbc-x, options: {a: b}}\n  customization:\n    embeddedMachineConfiguration: 'x: 1'\n    extraKernelArgs: [console=ttyS0]\n    meta: [{key: 10, value: a}]\n    systemExtensions: {officialExtensions: [siderolabs/util-linux-tools]}\n    bootloader: grub\n    secureboot: {enrollKeys: 'off', includeWellKnownCertificates: false}\n    diskImage: {sectorSize: 4096}\n",
    "talosImageURL: example.org/installer/abc\n",
    "noSchematicValidate: true\n",
    "machineSpec: {secureboot: true, mode: nocloud}\n",
    "machineSpec: {useUKI: true, arch: arm64, bootMethod: disk-image, imageSuffix: raw.xz}\n",
    "filenameTmpl: '{{ .Role }}/{{ .Hostname }}-{{ .IPAddress }}-{{ .ClusterName }}.yaml'\n",
    "extraManifests: [manifest.yaml]\n",
    "patches:\n  - |-\n    machine:\n      sysctls: {vm.swappiness: \"1\", x: ${NAME}}\n",
    "patches:\n  - '@./patch.yaml'\n  - |-\n    apiVersion: v1alpha1\n    kind: WatchdogTimerConfig\n    device: /dev/watchdog0\n",
    "patches: ['@template.yaml', 'machine: {env: {TYPE: \"{{ .MachineConfig.MachineType | upper }}\"}}']\n",
    "patches:\n  - |-\n    - op: add\n      path: /machine/env\n      value: {J: '1'}\n",
    "patches:\n  - |-\n    machine:\n      files:\n        - path: /var/etc/p\n          op: create\n          content: |\n            no line break behind this\n",
    "patches:\n  - patch-raw.yaml\n  - '{\"machine\":{\"env\":{\"K\":\"1\"}}}'\n",
    "machineFiles:\n  - {path: /var/etc/m, permissions: 0o644, op: create, content: '@lines.txt'}\n  - {path: /var/etc/n, permissions: 0o644, op: create, content: '@manifests.yaml'}\n",
    // Words that YAML reads as something else.
    "nodeLabels: {a: 1.10, b: 0755, c: 1e3, d: yes, f: ~, g: 0x1F, h: 1_000, i: true, j: 'off', k: 1.0}\n",
    "nodeAnnotations: {a: 2024-01-01, b: 2024-01-01T10:00:00+02:00, c: .5, d: -0, e: 1e40, f: \"\", g: .inf, 1: 2}\n",
    "nodeAnnotations:\n  a: $NAME-${NAME}$$NAME\n  b: ${NOT_SET:-x y}\n  c: ${NAME:+set}${NOT_SET:+unset}\n  d: \"${NAME} # kept\" # ${NOT_SET}\n  e: |\n    # ${NAME} kept\n  f: >-\n    two\n    lines $$ 5\n  h: '${NAME}: x'\n",
    "certSANs: ${SANS}\nnameservers:\n  - ${DNS:-9.9.9.9}\n",
    "networkInterfaces:\npatches:\nmachineFiles: ~\nnodeTaints: {}\nnodeLabels: {}\n",
    // Interfaces of every kind.
    "networkInterfaces:\n  - interface: eth0\n    addresses: [10.0.0.5/24, 10.0.0.6, 'fd00::5']\n    mtu: 9000\n    routes:\n      - {network: 0.0.0.0/0, gateway: 10.0.0.1}\n      - {network: 10.9.0.0/16, gateway: 10.0.0.2, source: 10.0.0.5, metric: 100, mtu: 1400}\n    vlans: [{vlanId: 5, dhcp: true}]\n",
    "networkInterfaces:\n  - deviceSelector: {hardwareAddr: 'aa:*', driver: virtio*, physical: true}\n    dhcp: true\n    dhcpOptions: {routeMetric: 5, ipv4: true, ipv6: true, duidv6: '00010001'}\n    vip: {ip: 10.0.0.10}\n  - deviceSelector: {permanentAddr: 'bb:*', busPath: '0*', pciID: '8086:*', physical: false}\n    addresses: [10.2.0.5/24]\n",
    "networkInterfaces:\n  - interface: bond0\n    bond:\n      interfaces: [eth0, eth1]\n      mode: 802.3ad\n      lacpRate: fast\n      xmitHashPolicy: layer3+4\n      miimon: 100\n      updelay: 200\n      downdelay: 200\n      adSelect: bandwidth\n      adActorSysPrio: 7\n      adUserPortKey: 3\n      minLinks: 1\n      resendIgmp: 2\n      numPeerNotif: 3\n      peerNotifyDelay: 100\n      allSlavesActive: 1\n      useCarrier: true\n      lpInterval: 2\n    addresses: [10.0.0.7/24]\n    vlans:\n      - vlanId: 10\n        addresses: [10.10.0.7/24]\n        mtu: 1400\n        routes: [{network: 10.11.0.0/16, gateway: 10.10.0.1, source: 10.10.0.7, metric: 3, mtu: 1300}]\n        vip: {ip: 10.10.0.9}\n        dhcp: true\n        dhcpOptions: {routeMetric: 9, ipv4: false, ipv6: true}\n",
    "networkInterfaces:\n  - interface: bond1\n    bond:\n      deviceSelectors:\n        - {hardwareAddr: 'cc:*'}\n        - {driver: e1000, physical: true}\n        - {busPath: '1*', permanentAddr: 'dd:*', pciID: '1:2'}\n      mode: active-backup\n      primary: eth0\n      primaryReselect: better\n      failOverMac: active\n      arpInterval: 50\n      arpValidate: active\n      arpAllTargets: all\n    dhcp: true\n",
    "networkInterfaces:\n  - interface: br0\n    bridge: {interfaces: [eth2, eth3], stp: {enabled: true}, vlan: {vlanFiltering: true}}\n    addresses: [10.3.0.5/24]\n  - interface: eth4\n    bridgePort: {master: br0}\n",
    "networkInterfaces:\n  - interface: wg0\n    wireguard:\n      privateKey: 6NtibgkNWGSLp7ud6NgZr9k3kNhlQiaJCVW6vN+j9UY=\n      listenPort: 51820\n      firewallMark: 7\n      peers:\n        - publicKey: 6NtibgkNWGSLp7ud6NgZr9k3kNhlQiaJCVW6vN+j9UY=\n          endpoint: 10.4.0.1:51820\n          persistentKeepaliveInterval: 25s\n          allowedIPs: [10.5.0.0/24, 'fd01::/64']\n    addresses: [10.4.0.2/24]\n",
    "networkInterfaces:\n  - {interface: dummy0, dummy: true, addresses: [10.6.0.1/32]}\n  - {interface: eth9, ignore: true}\n",
    "networkInterfaces:\n  - interface: eth0\n    vip: {ip: 10.0.0.10, equinixMetal: {apiToken: t}}\n    dhcp: true\n  - interface: eth1\n    vip: {ip: 10.0.0.12, hcloud: {apiToken: t}}\n    dhcp: false\n",
    "networkInterfaces:\n  - interface: eth0\n    vlans:\n      - {vlanId: 7, cidr: 10.7.0.1/24, routes: []}\n      - vlanId: 8\n        dhcp: true\n        dhcpOptions: {duidv6: '00010001'}\n        vip: {ip: 10.0.0.13, equinixMetal: {apiToken: t}, hcloud: {apiToken: t}}\n",
    "networkInterfaces:\n  - interface: bond4\n    bond: {interfaces: [eth5], mode: balance-rr, packetsPerSlave: 2}\n    dhcp: true\n  - interface: bond5\n    bond: {interfaces: [eth6], mode: balance-alb, tlbDynamicLb: 1}\n    dhcp: true\n",
];

/// Settings that are read but never accepted.
const REFUSED: &[&str] = &[
    "networkInterfaces:\n  - {interface: eth0, cidr: 10.0.0.5/24}\n",
    "networkInterfaces:\n  - interface: bond2\n    bond: {interfaces: [eth5], mode: 802.3ad, adActorSystem: '00:00:00:00:00:01', deviceSelectors: []}\n",
    "networkInterfaces:\n  - interface: bond3\n    bond: {interfaces: [eth5], mode: active-backup, arpInterval: 50, arpIPTarget: [10.0.0.1]}\n",
];

/// Settings of whole files.
pub(super) const CLUSTER: &[&str] = &[
    "allowSchedulingOnMasters: false\nallowSchedulingOnControlPlanes: yes\ncontrolPlane:\nworker: {}\npatches:\nimageFactory:\n",
    "patches:\n  - >-\n    {\"machine\":\n    {\"env\": {\"FOLDED\": \"1\"}}}\n  - \"machine:\\n  env:\\n    QUOTED: '${NAME}'\\n\"\n",
    "patches:\n  - &one |-\n    machine:\n      env: {TWICE: '1'}\n  - *one\n",
    "patches:\n  - |-\n    machine:\n      sysctls: {vm.swappiness: \"2\", y: z}\n",
    "patches: ['@./patch.yaml', '@./empty.yaml']\n",
    "patches: ['@template.yaml']\n",
    "# ${NOT_SET} in a comment\n",
    "domain: other.local\nclusterPodNets: [10.200.0.0/16]\nclusterSvcNets: [10.201.0.0/16]\n",
    "clusterPodNets: [10.200.0.0/16, 'fd02::/64']\nclusterSvcNets: [10.201.0.0/16, 'fd03::/112']\n",
    "additionalApiServerCertSans: [api.example]\nadditionalMachineCertSans: [m.example]\nallowSchedulingOnControlPlanes: true\n",
    "allowSchedulingOnMasters: true\n",
    "cniConfig: {name: none}\n",
    "cniConfig: {name: custom, urls: ['https://example.org/cni.yaml']}\n",
    "cniConfig: {name: flannel, flannel: {extraArgs: [--iface=eth0], kubeNetworkPoliciesEnabled: true}}\n",
    "inlineManifests:\n  - name: ns\n    contents: |\n      # kept\n      kind: Namespace\n",
    "inlineManifests:\n  - {name: a, contents: '@./manifest-raw.yaml', skipEnvsubst: true}\n",
    "inlineManifests:\n  - {name: a, contents: '@./manifests.yaml'}\n  - {name: b, contents: '@anchors.yaml', skipEnvsubst: true}\n",
    "imageFactory: {registryURL: factory.example.org, schematicEndpoint: /s, protocol: http, ISOURLTmpl: '{{ .ID }}'}\n",
    "imageFactory:\n  installerURLTmpl: '{{ .RegistryURL }}/{{ .Mode }}{{ if .Secureboot }}-sb{{ end }}/{{ .ID | trunc 8 }}:{{ .Version | trimPrefix \"v\" }}'\n",
];

/// Whole files, by what stands behind their versions: what spans several parts
/// of a file.
const WHOLE: &[&str] = &[
    // Merge keys bring a node what its neighbours have; its own keys win.
    "x-base: &base {installDisk: /dev/sda, nodeLabels: {a: b}}\nx-control: &control {<<: *base, controlPlane: true}\nendpoint: https://10.0.0.10:6443\nnodes:\n  - {<<: *control, hostname: a, ipAddress: 10.0.0.1}\n  - <<: [{controlPlane: false}, *base]\n    hostname: b\n    ipAddress: 10.0.0.2\n    installDisk: /dev/sdb\n",
    // Networks of their own where the endpoint is an IPv6 address.
    "endpoint: https://[fd00::10]:6443\nnodes:\n  - hostname: a\n    ipAddress: fd00::11, 10.0.0.11\n    controlPlane: true\n    installDisk: /dev/sda\n    networkInterfaces:\n      - interface: eth0\n        addresses: [fd00::11/64]\n        routes: [{network: '::/0', gateway: 'fd00::1'}]\n        vip: {ip: 'fd00::10'}\n",
    // Several extensions in a group, others in a node, none in a third.
    "endpoint: https://10.0.0.10:6443\nworker:\n  schematic:\n    customization:\n      systemExtensions:\n        officialExtensions:\n          - siderolabs/qemu-guest-agent\n          - siderolabs/iscsi-tools\n      extraKernelArgs: [-selinux, net.ifnames=0]\nnodes:\n  - {hostname: a, ipAddress: 10.0.0.1, controlPlane: true, installDisk: /dev/sda}\n  - {hostname: b, ipAddress: 10.0.0.2, controlPlane: false, installDisk: /dev/sda}\n  - hostname: c\n    ipAddress: 10.0.0.3\n    controlPlane: false\n    installDiskSelector: {size: '<= 1TB', type: nvme}\n    schematic: {customization: {systemExtensions: {officialExtensions: [siderolabs/util-linux-tools]}}}\n",
    // What a patch takes away again, the dollar sign written twice.
    "endpoint: https://10.0.0.10:6443\ncontrolPlane:\n  patches:\n    - |-\n      cluster:\n        apiServer:\n          admissionControl:\n            $$patch: delete\nnodes:\n  - {hostname: a, ipAddress: 10.0.0.1, controlPlane: true, installDisk: /dev/sda}\n",
    // One name for many values, in lists and in texts.
    "endpoint: https://${VIP:-10.0.0.10}:6443\nadditionalApiServerCertSans: &sans [&vip '10.0.0.10', api.example]\nadditionalMachineCertSans: *sans\nnodes:\n  - hostname: a\n    ipAddress: 10.0.0.1\n    controlPlane: true\n    installDisk: &disk /dev/sda\n    networkInterfaces:\n      - {deviceSelector: &nic {hardwareAddr: 'aa:bb:*'}, dhcp: false, addresses: [10.0.0.1/24], vip: {ip: *vip}, mtu: 1500}\n  - hostname: b\n    ipAddress: 10.0.0.2\n    controlPlane: true\n    installDisk: *disk\n    networkInterfaces: [{deviceSelector: *nic, dhcp: true, vip: {ip: *vip}}]\n",
];

/// Which disk, and what a node alone may say.
pub(super) const DISKS: &[&str] = &[
    "installDisk: /dev/sda\n",
    "installDiskSelector: {size: '>= 100GB', model: WDC*}\n",
    "installDisk: /dev/sdb\noverridePatches: true\noverrideMachineCertSANs: true\noverrideExtraManifests: true\n",
    "installDiskSelector: {serial: a, wwid: b, uuid: c, modalias: d, type: ssd}\nignoreHostname: true\n",
    "installDiskSelector: {busPath: /pci*}\n",
    "installDisk: ${DISK:-/dev/vda}\nignoreHostname: ${NOT_SET:-false}\n",
];

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect::<Vec<_>>().concat()
}

/// Settings picked by a tape of numbers, each key once.
fn settings(tape: &mut dyn Iterator<Item = u16>) -> String {
    let mut picked = BTreeMap::new();
    for _ in 0..tape.next().unwrap_or(0) % 6 {
        let setting = SETTINGS[usize::from(tape.next().unwrap_or(0)) % SETTINGS.len()];
        picked.insert(setting.split(':').next().unwrap(), setting);
    }
    picked.into_values().collect::<Vec<_>>().concat()
}

fn head(version: &str) -> String {
    format!(
        "clusterName: demo\ntalosVersion: {version}\nkubernetesVersion: v1.31.0\nendpoint: https://10.0.0.10:6443\n"
    )
}

/// A talconfig of two nodes.
pub(super) fn talconfig(tape: &[u16]) -> String {
    let mut tape = tape.iter().copied();
    let version = VERSIONS[usize::from(tape.next().unwrap_or(0)) % VERSIONS.len()];
    // The image templates of Talos 1.14 need a newer Kubernetes.
    let mut out = head(version);
    if version.starts_with("v1.14") {
        out = out.replace("v1.31.0", "v1.35.0");
    }
    let mut cluster = BTreeMap::new();
    for _ in 0..tape.next().unwrap_or(0) % 4 {
        let part = CLUSTER[usize::from(tape.next().unwrap_or(0)) % CLUSTER.len()];
        cluster.insert(part.split(':').next().unwrap(), part);
    }
    out += &cluster.into_values().collect::<Vec<_>>().concat();
    for group in ["controlPlane", "worker"] {
        let group_settings = settings(&mut tape);
        if !group_settings.is_empty() {
            write!(out, "{group}:\n{}", indented(&group_settings, 2)).unwrap();
        }
    }
    out += "nodes:\n";
    for (name, address, control) in [("cp-1", "10.0.0.11", true), ("w-1", "10.0.0.12", false)] {
        writeln!(out, "  - hostname: {name}\n    ipAddress: {address}").unwrap();
        writeln!(out, "    controlPlane: {control}").unwrap();
        let disk = DISKS[usize::from(tape.next().unwrap_or(0)) % DISKS.len()];
        out += &indented(disk, 4);
        out += &indented(&settings(&mut tape), 4);
    }
    out
}

/// One talconfig for each setting, in a node and in both groups.
pub(super) fn each_alone() -> Vec<String> {
    let node = "nodes:\n  - hostname: cp-1\n    ipAddress: 10.0.0.11\n    controlPlane: true\n";
    let mut out = Vec::new();
    for setting in SETTINGS.iter().chain(REFUSED) {
        let groups = format!(
            "controlPlane:\n{0}worker:\n{0}{node}    installDisk: /dev/sda\n",
            indented(setting, 2)
        );
        out.push(format!("{}{groups}{}", head("v1.13.0"), indented(setting, 4)));
        out.push(format!("{}{groups}", head("v1.11.0")));
    }
    for part in CLUSTER {
        for version in ["v1.13.0", "v1.11.0"] {
            let text = format!("{}{part}{node}    installDisk: /dev/sda\n", head(version));
            out.push(text.replace('\n', "\r\n"));
            out.push(format!("---\n{text}"));
        }
    }
    for text in WHOLE {
        for version in ["v1.13.0", "v1.11.0"] {
            let (head, _) = head(version)
                .split_once("endpoint")
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap();
            out.push(format!("{head}{text}"));
        }
    }
    for disk in DISKS.iter().chain(&["installDiskSelector: {name: sda}\n"]) {
        out.push(format!("{}{node}{}", head("v1.13.0"), indented(disk, 4)));
    }
    out
}
