//! talosctl and kubectl of the town: from a command line to exit code, stdout and stderr, in the words of the recorded tool.

use ops_core::argv::Argv;
use ops_core::time::Span;
use serde_json::{Value, json};

use super::town::{Machine, Power, Town, input};
use crate::sys::files::Files;

pub(super) type Output = (i32, String, String);

fn done(stdout: impl Into<String>) -> Output {
    (0, stdout.into(), String::new())
}

fn refused(code: &str, desc: &str) -> Output {
    (1, String::new(), format!("error doing that: rpc error: code = {code} desc = {desc}\n"))
}

/// Answers a command line.
pub(super) fn answer(town: &Town, argv: &Argv) -> Output {
    let words: Vec<&str> =
        argv.args.iter().map(String::as_str).take_while(|a| !a.starts_with("--")).collect();
    let option = |name: &str| {
        let prefix = format!("--{name}=");
        argv.args.iter().find_map(|a| a.strip_prefix(&prefix).map(str::to_owned))
    };
    let insecure = argv.args.iter().any(|a| a == "--insecure");
    let node = option("nodes").unwrap_or_default();
    let shown = format!("{}{} @{node}", words.join(" "), if insecure { " insecure" } else { "" });
    if argv.tool == "git" {
        return (128, String::new(), "fatal: not a git repository\n".into());
    }
    town.asked.borrow_mut().push(shown);
    if argv.tool == "kubectl" {
        return kubectl(town, &words);
    }
    match words.as_slice() {
        ["version"] if argv.args.iter().any(|a| a == "--client") => {
            return done("Client:\n\tTag:         v1.13.0\n");
        }
        ["gen", "secrets"] => {
            town.put(&option("output-file").unwrap(), &input("secrets.yaml"));
            return done("");
        }
        ["gen", "config", _, _] => {
            let file = match option("output-types").unwrap().as_str() {
                "talosconfig" => {
                    let text = String::from_utf8(input("talosconfig")).unwrap();
                    let lines = text.lines().filter(|l| !l.trim_start().starts_with("- 127."));
                    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
                    return done(text.replace("endpoints:", "endpoints: []"));
                }
                role => format!("{role}.yaml"),
            };
            return done(String::from_utf8(input(&file)).unwrap());
        }
        ["validate"] => {
            assert!(argv.stdin.is_some(), "a config is handed over by stdin");
            return done("/dev/stdin is valid for metal mode\n");
        }
        _ => {}
    }
    let machine = town.machines.borrow().get(&node).cloned();
    match machine.as_ref().map(|m| (m.power, insecure)) {
        None | Some((Power::Away, _)) => refused(
            "Unavailable",
            &format!(
                "connection error: desc = \"transport: Error while dialing: dial tcp {node}:50000: connect: connection refused\""
            ),
        ),
        Some((Power::Bare, false)) => refused(
            "Unavailable",
            "connection error: desc = \"transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority\"",
        ),
        Some((Power::Up, true)) => refused(
            "Unavailable",
            "connection error: desc = \"error reading server preface: remote error: tls: certificate required\"",
        ),
        Some(_) => talosctl(town, argv, &node, &words, &option),
    }
}

fn talosctl(
    town: &Town,
    argv: &Argv,
    node: &str,
    words: &[&str],
    option: &dyn Fn(&str) -> Option<String>,
) -> Output {
    let name = town.cluster.nodes.iter().find(|n| n.address == node).unwrap().name.clone();
    let machine = town.machines.borrow()[node].clone();
    let bare = machine.power == Power::Bare;
    match words {
        ["version"] => {
            done("Server:\n\tNODE: x\n\tTag: v1.13.0\n\tSHA: 5a14e4d6\n\tOS/Arch: linux/amd64\n")
        }
        ["get", kind] => get(&machine, &name, kind, bare),
        ["read", _] => done(format!("boot-{}\n", machine.boot)),
        ["service", "etcd"] => {
            done(format!("NODE  x\nID  etcd\nSTATE  {}\nHEALTH  OK\n", machine.etcd_service))
        }
        ["etcd", what @ ..] => etcd(town, &machine, &name, what),
        ["kubeconfig", "-"] => done(kubeconfig(town.now.get())),
        ["apply-config"] => {
            let text = match option("file").unwrap().as_str() {
                "/dev/stdin" => String::from_utf8(argv.stdin.clone().unwrap()).unwrap(),
                path => town.text(path),
            };
            let mode = option("mode").unwrap();
            change(town, &name, move |m| {
                if mode != "try" {
                    m.persisted.clone_from(&text);
                }
                if mode != "staged" {
                    m.active = text;
                }
                if m.power == Power::Bare {
                    let plane = m.active.contains("type: controlplane");
                    (m.stage, m.unmet) =
                        if plane { ("booting", "etcd not healthy") } else { ("running", "") };
                    m.power = Power::Up;
                }
            });
            ended(
                town,
                match option("mode").unwrap().as_str() {
                    "staged" => "Staged configuration to be applied after the next reboot\n",
                    "try" => {
                        "Applied configuration without a reboot\nThe config is applied in 'try' mode and will be automatically reverted back in 1m0s\n"
                    }
                    _ => "Applied configuration without a reboot\n",
                },
            )
        }
        ["bootstrap"] => {
            let own = name.clone();
            change(town, &name, move |m| m.etcd = Some(vec![own]));
            ended(town, "")
        }
        ["reboot"] => {
            change(town, &name, |m| m.power = Power::Away);
            if town.drops.replace(false) {
                town.machine(&name, |m| m.power = Power::Up);
            } else {
                town.later(&name, Span::secs(40), |m| {
                    m.boot += 1;
                    m.power = Power::Up;
                });
            }
            ended(town, "")
        }
        ["reset"] => reset(town, &name, argv, option),
        other => panic!("the town does not know talosctl {other:?}"),
    }
}

fn reset(town: &Town, name: &str, argv: &Argv, option: &dyn Fn(&str) -> Option<String>) -> Output {
    let labels: Vec<String> = argv
        .args
        .iter()
        .filter_map(|a| a.strip_prefix("--system-labels-to-wipe=").map(str::to_owned))
        .collect();
    let reboots = option("reboot").as_deref() == Some("true");
    let keeps = town.keeps.get();
    town.machine(name, |m| m.power = Power::Away);
    town.later(name, Span::secs(60), move |m| {
        if !reboots {
            return;
        }
        m.boot += 1;
        m.power = Power::Up;
        if keeps {
            return;
        }
        for label in &labels {
            if let Some(volume) = m.volumes.get_mut(label.as_str()) {
                volume.push_str("-new");
            }
        }
        if labels.iter().any(|l| l == "STATE") {
            m.bare();
        }
    });
    ended(town, "")
}

fn change(town: &Town, name: &str, change: impl FnOnce(&mut Machine)) {
    town.machine(name, change);
}

/// The end of a client whose request took effect: in order, or with the connection lost.
fn ended(town: &Town, stderr: &str) -> Output {
    if town.lies.replace(false) {
        return refused("Unavailable", "error reading from server: EOF");
    }
    (0, String::new(), stderr.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "specs are written in place")]
fn resource(kind: &str, id: &str, spec: Value) -> String {
    json!({
        "metadata": {"id": id, "namespace": "runtime", "type": kind, "version": 1, "phase": "running"},
        "node": "x",
        "spec": spec,
    })
    .to_string()
}

fn get(machine: &Machine, name: &str, kind: &str, bare: bool) -> Output {
    let last = name.bytes().last().unwrap_or(b'0');
    done(match kind {
        "machinestatus" => {
            let unmet: Vec<Value> = [machine.unmet]
                .iter()
                .filter(|u| !u.is_empty())
                .map(|u| json!({"name": if u.starts_with("network") { "network" } else { "services" }, "reason": u}))
                .collect();
            let spec = json!({"stage": machine.stage, "status": {"ready": unmet.is_empty(), "unmetConditions": unmet}});
            resource("MachineStatuses.runtime.talos.dev", "machine", spec)
        }
        "machinetype" | "systemdisk" if bare => String::new(),
        "machinetype" => {
            let role = if name.starts_with("cp") { "controlplane" } else { "worker" };
            resource("MachineTypes.config.talos.dev", "machine-type", json!(role))
        }
        "machineconfig" if bare => return refused("PermissionDenied", "not authorized"),
        "machineconfig" => {
            let kind = "MachineConfigs.config.talos.dev";
            resource(kind, "persistent", json!(machine.persisted))
                + &resource(kind, "v1alpha1", json!(machine.active))
        }
        "volumestatus" => machine
            .volumes
            .iter()
            .map(|(label, uuid)| {
                let phase = if uuid.is_empty() { "missing" } else { "ready" };
                let spec = json!({"type": "partition", "phase": phase, "uuid": uuid, "mountLocation": "/dev/x"});
                resource("VolumeStatuses.block.talos.dev", label, spec)
            })
            .collect(),
        "systeminformation" => resource(
            "SystemInformations.hardware.talos.dev",
            "systeminformation",
            json!({"uuid": format!("uuid-{name}"), "serialnumber": format!("serial-{name}")}),
        ),
        "disks" => resource("Disks.block.talos.dev", "sda", json!({"wwid": format!("wwid-{name}"), "serial": ""})),
        "systemdisk" => resource("SystemDisks.block.talos.dev", "system-disk", json!({"diskID": "sda"})),
        "links" => {
            let link = |id: &str, mac: String, kind: &str| {
                resource("LinkStatuses.net.talos.dev", id, json!({"type": "ether", "kind": kind, "permanentAddr": mac}))
            };
            link("eth0", format!("AA:BB:CC:00:00:{last:02X}"), "") + &link("bond0", "aa:00:00:00:00:01".into(), "bond")
        }
        "hostnamestatus" => {
            resource("HostnameStatuses.net.talos.dev", "hostname", json!({"hostname": name}))
        }
        other => panic!("the town does not know {other}"),
    })
}

fn etcd(town: &Town, machine: &Machine, name: &str, what: &[&str]) -> Output {
    let Some(members) = &machine.etcd else {
        return refused(
            "Unavailable",
            "failed: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection refused\"",
        );
    };
    let id =
        |name: &str| format!("{:016x}", name.bytes().fold(7_u64, |h, b| h * 31 + u64::from(b)));
    match what {
        ["members"] => {
            let row = |m: &String| {
                let learner = town
                    .cluster
                    .node(m)
                    .is_some_and(|n| town.machines.borrow()[&n.address].learner);
                format!(
                    "x      {}   {m:<8}   {:<5}       {:<5}         {learner}\n",
                    id(m),
                    "u",
                    "c"
                )
            };
            let rows: String = members.iter().map(row).collect();
            done(format!(
                "NODE   ID                 HOSTNAME   PEER URLS   CLIENT URLS   LEARNER\n{rows}"
            ))
        }
        ["status"] => done(format!(
            "NODE   MEMBER             DB SIZE   IN USE           LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS\n\
             x      {}   35 MB     17 MB (49.60%)   {}   184467       5           184467               {:<5}     3.6.11     3.6.0     \n",
            id(name),
            id(&members[0]),
            machine.learner
        )),
        ["alarm", "list"] => done(""),
        ["snapshot", path] => {
            town.files.write(path, &town.snapshot.borrow(), 0o600).unwrap();
            done("")
        }
        other => panic!("the town does not know etcd {other:?}"),
    }
}

fn kubeconfig(now: u64) -> String {
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Y2E=\n    server: https://10.9.0.10:6443\n  name: home\n\
         contexts:\n- context:\n    cluster: home\n    namespace: default\n    user: admin@home\n  name: admin@home\n\
         current-context: admin@home\nkind: Config\nusers:\n- name: admin@home\n  user:\n    client-key-data: {now}\n"
    )
}

fn kubectl(town: &Town, words: &[&str]) -> Output {
    let [verb, node, ..] = words else { panic!("{words:?}") };
    let path = format!("/api/v1/nodes/{node}");
    let mut kube = town.kube.borrow_mut();
    if town.drops.replace(false) {
        return done("");
    }
    if let Some((_, body)) = kube.get_mut(&path) {
        body["spec"]["unschedulable"] = json!(*verb != "uncordon");
    }
    if *verb == "drain" {
        kube.insert(
            format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}"),
            (200, json!({"items": []})),
        );
    }
    drop(kube);
    ended(town, "")
}
