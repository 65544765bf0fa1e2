//! `$patch: delete`, where it may stand and where not.

use super::Case;

const CONFIG: &str = "version: v1alpha1
machine:
  type: worker
  token: t
  certSANs: [a, b, a]
  kubelet:
    image: k
    extraArgs: {a: \"1\", b: \"2\"}
    extraConfig: {x: {y: 1, z: [1, {k: v, l: w}]}, keep: true}
    nodeIP: {validSubnets: [10.0.0.0/8]}
  network:
    hostname: h
    interfaces:
      - interface: eth0
        dhcp: true
        vlans: [{vlanId: 1, addresses: [10.1.0.1/24]}, {vlanId: 2}]
      - interface: eth0
        mtu: 9000
      - deviceSelector: {driver: virtio}
        mtu: 1500
      - deviceSelector: {driver: e1000}
        interface: eth7
  files: [{path: /a, content: x, op: create}, {path: /b, content: y, op: create}]
  install: {disk: /dev/sda, wipe: true, extraKernelArgs: [q]}
  sysctls: {net.a: \"1\", net.b: \"2\"}
  nodeLabels: {\"a.b/c\": d}
cluster:
  network: {podSubnets: [10.244.0.0/16], serviceSubnets: [10.96.0.0/12]}
  apiServer:
    certSANs: [x]
    admissionControl:
      - name: PodSecurity
        configuration: {apiVersion: v1, kind: P}
  inlineManifests: [{name: m, contents: c}, {name: n, contents: d}]
---
apiVersion: v1alpha1
kind: HostnameConfig
hostname: cp
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: ext
configFiles: [{content: a, mountPath: /a}, {content: b, mountPath: /b}]
environment: [A=b]
---
apiVersion: v1alpha1
kind: UserVolumeConfig
name: u
provisioning: {diskSelector: {match: system_disk}, minSize: 1GB, maxSize: 2GB}
---
apiVersion: v1alpha1
kind: NetworkRuleConfig
name: r
portSelector: {ports: [80, 90-91], protocol: tcp}
ingress: [{subnet: 10.0.0.0/8}, {subnet: 192.168.0.0/16, except: 192.168.1.0/24}]
";

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    ("delete/a-key", CONFIG, &["machine: {token: {$patch: delete}}"]),
    ("delete/a-map", CONFIG, &["machine: {sysctls: {$patch: delete}}"]),
    ("delete/a-map-entry", CONFIG, &["machine: {sysctls: {net.a: {$patch: delete}}}"]),
    ("delete/a-map-entry-with-slash", CONFIG, &["machine: {nodeLabels: {a.b/c: {$patch: delete}}}"]),
    ("delete/every-map-entry", CONFIG, &["machine: {sysctls: {net.a: {$patch: delete}, net.b: {$patch: delete}}}"]),
    ("delete/a-map-entry-and-set-another", CONFIG, &["machine: {sysctls: {net.a: {$patch: delete}, net.c: 3, net.b: null}}"]),
    ("delete/set-and-delete-the-same", CONFIG, &["machine: {sysctls: {$patch: delete, net.z: 1}}"]),
    ("delete/a-list", CONFIG, &["machine: {certSANs: {$patch: delete}}"]),
    ("delete/a-list-of-maps", CONFIG, &["machine: {network: {interfaces: {$patch: delete}}}"]),
    ("delete/a-pointer-bool", CONFIG, &["machine: {install: {wipe: {$patch: delete}}}"]),
    ("delete/machine", CONFIG, &["machine: {$patch: delete}"]),
    ("delete/cluster-and-set-machine", CONFIG, &["cluster: {$patch: delete}\nmachine: {type: init}"]),
    ("delete/version", CONFIG, &["version: {$patch: delete}\nmachine: {}"]),
    ("delete/debug-that-is-unset", CONFIG, &["debug: {$patch: delete}"]),
    ("delete/argument", CONFIG, &["machine: {kubelet: {extraArgs: {a: {$patch: delete}}}}"]),
    ("delete/arguments", CONFIG, &["machine: {kubelet: {extraArgs: {$patch: delete}}}"]),
    ("delete/free-form", CONFIG, &["machine: {kubelet: {extraConfig: {$patch: delete}}}"]),
    ("delete/inside-free-form", CONFIG, &["machine: {kubelet: {extraConfig: {keep: {$patch: delete}}}}"]),
    ("delete/deep-inside-free-form", CONFIG, &["machine: {kubelet: {extraConfig: {x: {y: {$patch: delete}}}}}"]),
    ("delete/item-inside-free-form", CONFIG, &["machine: {kubelet: {extraConfig: {x: {z: [{k: v, $patch: delete}]}}}}"]),
    ("delete/absent-inside-free-form", CONFIG, &["machine: {kubelet: {extraConfig: {nope: {$patch: delete}}}}"]),
    ("delete/interface-by-name", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, $patch: delete}]}}"]),
    ("delete/interface-twice", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, $patch: delete}, {interface: eth0, $patch: delete}]}}" ]),
    ("delete/interface-thrice", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, $patch: delete}, {interface: eth0, $patch: delete}, {interface: eth0, $patch: delete}]}}" ]),
    ("delete/interface-directive-first", CONFIG, &["machine: {network: {interfaces: [{$patch: delete, interface: eth0}]}}"]),
    ("delete/interface-by-second-key", CONFIG, &["machine: {network: {interfaces: [{mtu: 9000, $patch: delete}]}}"]),
    ("delete/interface-by-mtu-of-another", CONFIG, &["machine: {network: {interfaces: [{mtu: 1500, interface: eth0, $patch: delete}]}}"]),
    ("delete/interface-by-bool", CONFIG, &["machine: {network: {interfaces: [{dhcp: true, $patch: delete}]}}"]),
    ("delete/interface-by-zero-bool", CONFIG, &["machine: {network: {interfaces: [{dhcp: false, $patch: delete}]}}"]),
    ("delete/interface-by-selector", CONFIG, &["machine: {network: {interfaces: [{deviceSelector: {driver: virtio}, $patch: delete}]}}"]),
    ("delete/interface-by-unset-name", CONFIG, &["machine: {network: {interfaces: [{interface: \"\", $patch: delete}]}}"]),
    ("delete/interface-by-unknown-key", CONFIG, &["machine: {network: {interfaces: [{nope: eth0, $patch: delete}]}}"]),
    ("delete/interface-of-no-name", CONFIG, &["machine: {network: {interfaces: [{interface: eth9, $patch: delete}]}}"]),
    ("delete/item-without-key", CONFIG, &["machine: {network: {interfaces: [{$patch: delete}]}}"]),
    ("delete/item-and-merge-item", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, $patch: delete}, {interface: eth0, dhcp: false}]}}" ]),
    ("delete/item-and-append", CONFIG, &["machine: {network: {interfaces: [{interface: eth7, $patch: delete}, {interface: eth8}]}}" ]),
    ("delete/vlan-inside-interface", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 1, $patch: delete}]}]}}" ]),
    ("delete/key-inside-interface", CONFIG, &["machine: {network: {interfaces: [{interface: eth0, dhcp: {$patch: delete}}]}}"]),
    ("delete/text-item", CONFIG, &["machine: {certSANs: [a, {$patch: delete}]}"]),
    ("delete/text-item-by-key", CONFIG, &["machine: {certSANs: [{a: b, $patch: delete}]}"]),
    ("delete/file-by-path", CONFIG, &["machine: {files: [{path: /a, $patch: delete}]}"]),
    ("delete/file-by-content", CONFIG, &["machine: {files: [{content: y, path: /a, $patch: delete}]}"]),
    ("delete/manifest-by-name", CONFIG, &["cluster: {inlineManifests: [{name: n, $patch: delete}]}"]),
    ("delete/all-manifests-one-by-one", CONFIG, &["cluster: {inlineManifests: [{name: n, $patch: delete}, {name: m, $patch: delete}]}"]),
    ("delete/admission-plugin", CONFIG, &["cluster: {apiServer: {admissionControl: [{name: PodSecurity, $patch: delete}]}}"]),
    ("delete/replaced-list", CONFIG, &["cluster: {network: {podSubnets: {$patch: delete}}}"]),
    ("delete/replaced-list-and-set", CONFIG, &["cluster: {network: {podSubnets: {$patch: delete}}}", "cluster: {network: {podSubnets: [fd00::/8]}}" ]),
    ("delete/unknown-key", CONFIG, &["machine: {nope: {$patch: delete}}"]),
    ("delete/through-text", CONFIG, &["machine: {token: {x: {$patch: delete}}}"]),
    ("delete/absent", CONFIG, &["machine: {logging: {$patch: delete}}"]),
    ("delete/absent-below-absent", CONFIG, &["machine: {logging: {destinations: {$patch: delete}}}"]),
    ("delete/value-in-capitals", CONFIG, &["machine: {sysctls: {$patch: Delete}}"]),
    ("delete/value-quoted", CONFIG, &["machine: {sysctls: {\"$patch\": 'delete'}}"]),
    ("delete/value-tagged", CONFIG, &["machine: {sysctls: {$patch: !!str delete}}"]),
    ("delete/value-a-list", CONFIG, &["machine: {sysctls: {$patch: [delete]}}"]),
    ("delete/value-empty", CONFIG, &["machine: {sysctls: {$patch: }}"]),
    ("delete/value-by-alias", CONFIG, &["machine: {token: &d delete, sysctls: {$patch: *d}}"]),
    ("delete/merge-key-brings-it", CONFIG, &["machine: {token: {$patch: delete}, sysctls: {<<: {$patch: delete}}}"]),
    ("delete/anchored-directive", CONFIG, &["machine: {token: &x {$patch: delete}, ca: *x}"]),
    ("delete/replace", CONFIG, &["machine: {sysctls: {$patch: replace, a: b}}"]),
    ("delete/in-flow-json", CONFIG, &["{\"machine\":{\"sysctls\":{\"$patch\":\"delete\"}}}"]),
    ("delete/key-is-number", CONFIG, &["machine: {sysctls: {1: {$patch: delete}}}"]),
    ("delete/directive-beside-unknown", CONFIG, &["machine: {sysctls: {$patch: delete, nope: {a: b}}}"]),
    ("delete/in-null-document", CONFIG, &["---\n---\n$patch: delete\n"]),
    ("delete/root", CONFIG, &["$patch: delete\n"]),
    ("delete/root-with-machine", CONFIG, &["$patch: delete\nmachine: {}\n"]),
    ("delete/whole-document", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n"]),
    ("delete/whole-document-directive-first", CONFIG, &["$patch: delete\napiVersion: v1alpha1\nkind: HostnameConfig\n"]),
    ("delete/whole-document-with-more-keys", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n$patch: delete\n"]),
    ("delete/whole-document-with-unknown-keys", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nnope: 1\n$patch: delete\n"]),
    ("delete/whole-named-document", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: u\n$patch: delete\n"]),
    ("delete/named-document-of-other-name", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: v\n$patch: delete\n"]),
    ("delete/named-document-without-name", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\n$patch: delete\n"]),
    ("delete/unnamed-document-with-name", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nname: x\n$patch: delete\n"]),
    ("delete/document-of-unknown-kind", CONFIG, &["apiVersion: v1alpha1\nkind: Nope\n$patch: delete\n"]),
    ("delete/document-of-other-version", CONFIG, &["apiVersion: v1beta1\nkind: HostnameConfig\n$patch: delete\n"]),
    ("delete/document-without-kind", CONFIG, &["apiVersion: v1alpha1\n$patch: delete\n"]),
    ("delete/document-without-version", CONFIG, &["kind: HostnameConfig\n$patch: delete\n"]),
    ("delete/kind-v1alpha1", CONFIG, &["apiVersion: v1alpha1\nkind: v1alpha1\n$patch: delete\n"]),
    ("delete/two-documents", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: ext\n$patch: delete\n" ]),
    ("delete/a-document-twice", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n---\napiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n" ]),
    ("delete/a-document-and-merge-it", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n---\napiVersion: v1alpha1\nkind: HostnameConfig\nhostname: new\n" ]),
    ("delete/merge-a-document-and-delete-it", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: new\n---\napiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n" ]),
    ("delete/add-and-delete-a-document", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\n---\napiVersion: v1alpha1\nkind: OOMConfig\n$patch: delete\n" ]),
    ("delete/then-add-in-another-patch", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n", "apiVersion: v1alpha1\nkind: HostnameConfig\nauto: stable\n" ]),
    ("delete/document-and-machine-key", CONFIG, &["machine: {token: {$patch: delete}}\n---\napiVersion: v1alpha1\nkind: HostnameConfig\n$patch: delete\n" ]),
    ("delete/name-of-a-document", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: {$patch: delete}\n"]),
    ("delete/kind-of-a-document", CONFIG, &["apiVersion: v1alpha1\nkind: {$patch: delete}\nhostname: x\n"]),
    ("delete/key-in-unnamed-document", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: {$patch: delete}\n"]),
    ("delete/key-in-unnamed-document-and-set", CONFIG, &["apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: {$patch: delete}\nauto: stable\n"]),
    ("delete/key-in-named-document", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: u\nprovisioning: {minSize: {$patch: delete}}\n" ]),
    ("delete/pointer-size", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: u\nprovisioning: {maxSize: {$patch: delete}}\n" ]),
    ("delete/selector-match", CONFIG, &["apiVersion: v1alpha1\nkind: UserVolumeConfig\nname: u\nprovisioning: {diskSelector: {$patch: delete}}\n" ]),
    ("delete/key-in-document-not-there", CONFIG, &["apiVersion: v1alpha1\nkind: LinkConfig\nname: l\nmtu: {$patch: delete}\n"]),
    ("delete/key-in-unnamed-document-not-there", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\ntriggerExpression: {$patch: delete}\n"]),
    ("delete/config-file-by-mount-path", CONFIG, &["apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: ext\nconfigFiles: [{mountPath: /b, $patch: delete}]\n" ]),
    ("delete/port-item", CONFIG, &["apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\nportSelector: {ports: {$patch: delete}}\n" ]),
    ("delete/ingress-by-subnet", CONFIG, &["apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\ningress: [{subnet: 10.0.0.0/8, $patch: delete}]\n" ]),
    ("delete/ingress-by-except", CONFIG, &["apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\ningress: [{except: 192.168.1.0/24, $patch: delete}]\n" ]),
    ("delete/ingress-by-except-unset", CONFIG, &["apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\ningress: [{except: \"\", $patch: delete}]\n" ]),
    ("delete/key-in-unnamed-document-not-there-then-set", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n", "apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: 1s\n"]),
    ("delete/key-in-unnamed-document-not-there-twice", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n", "apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n"]),
    ("delete/key-in-unnamed-document-not-there-then-the-document", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n", "apiVersion: v1alpha1\nkind: OOMConfig\n$patch: delete\n"]),
    ("delete/key-in-unnamed-document-not-there-set-and-again", CONFIG, &["apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n", "apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: 1s\n", "apiVersion: v1alpha1\nkind: OOMConfig\nsampleInterval: {$patch: delete}\n"]),
    ("delete/machine-not-there-then-set", "apiVersion: v1alpha1\nkind: OOMConfig\n", &["machine: {$patch: delete}", "machine: {type: a}"]),
];
