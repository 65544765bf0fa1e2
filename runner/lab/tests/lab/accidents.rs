//! Accidents that happened to people, without any guard: the ledger shows what each one costs.

use crate::support::Bench;
use ops_lab::{LabSpec, Medium, VolumeSpec};

#[test]
fn a1_an_unlabelled_reset_leaves_a_machine_that_boots_no_more() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let address = bench.address("w-1");
    bench.run(&format!("talosctl --talosconfig talosconfig -n {address} reset"));
    bench.advance(600_000);
    assert_eq!(bench.losses(), ["w-1: nothing left to boot from"]);
}

#[test]
fn a2_a_worker_config_on_every_node_leaves_no_control_plane_that_could_have_a_quorum() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.config_file("worker.yaml", "w-1", |text| text);
    let nodes = "10.0.0.11,10.0.0.12,10.0.0.13,10.0.0.21,10.0.0.22";
    let said = bench
        .run(&format!("talosctl --talosconfig talosconfig -n {nodes} apply-config -f worker.yaml"));
    assert_eq!(said.code, 0, "{}", said.err);
    bench.advance(1_200_000);
    assert_eq!(bench.losses(), ["etcd: a quorum can never come back by itself"]);
    assert_eq!(bench.kubectl("get nodes").code, 1);
}

#[test]
fn a5_a_second_control_plane_lost_before_the_first_is_back_is_the_end_of_the_quorum() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for node in ["cp-1", "cp-2"] {
        bench.talosctl(
            node,
            "reset --system-labels-to-wipe EPHEMERAL --graceful=false --wait=false",
        );
    }
    bench.advance(3_600_000);
    assert_eq!(bench.losses(), ["etcd: a quorum can never come back by itself"]);
    assert_eq!(bench.voters(), (1, 3, 0));
}

#[test]
fn a6_two_members_survive_no_loss_and_the_endpoint_goes_with_the_quorum() {
    let mut bench = Bench::healthy(LabSpec::pair(1));
    assert_eq!(bench.kubectl("get nodes").code, 0);
    bench.talosctl("cp-2", "shutdown --force");
    bench.advance(60_000);
    let said = bench.kubectl("get nodes");
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no route to host"), "{}", said.err);
    assert_eq!(bench.losses(), Vec::<String>::new(), "it comes back with the node");
    bench.power_on("cp-2");
    bench.settle();
    assert_eq!(bench.kubectl("get nodes").code, 0);
}

#[test]
fn a7_two_bootstraps_are_two_clusters() {
    let mut bench = Bench::bare(LabSpec::home(1));
    for node in ["cp-1", "cp-2"] {
        bench.config_file("cp.yaml", node, |text| text);
        bench.talosctl(node, "apply-config --insecure -f cp.yaml");
    }
    bench
        .until("both wait", |bench| bench.etcd("cp-1") == "waits" && bench.etcd("cp-2") == "waits");
    for node in ["cp-1", "cp-2"] {
        assert_eq!(bench.talosctl(node, "bootstrap").code, 0, "nothing asks the other nodes");
    }
    bench.advance(300_000);
    assert_eq!(bench.losses(), ["two etcd clusters with the same secrets"]);
    assert_eq!(bench.lab.state().etcd.len(), 2);
}

fn with_photos() -> LabSpec {
    let mut spec = LabSpec::home(1);
    for node in &mut spec.nodes {
        node.data_disks = vec!["/dev/nvme0n1".into()];
    }
    spec.volumes =
        vec![VolumeSpec { name: "photos".into(), replicas: vec![("w-1".into(), Medium::Disk(0))] }];
    spec
}

#[test]
fn a27_a29_an_install_takes_whatever_disk_the_config_names_data_or_not() {
    let mut bench = Bench::bare(with_photos());
    assert!(bench.talosctl("w-1", "get discoveredvolumes --insecure").out.contains("nvme0n1"));
    bench.config_file("w.yaml", "w-1", |text| text.replace("/dev/sda", "/dev/nvme0n1"));
    assert_eq!(bench.talosctl("w-1", "apply-config --insecure -f w.yaml").code, 0);
    bench.advance(600_000);
    assert_eq!(bench.losses(), ["volume photos: its last copy"]);
    assert_eq!(bench.lab.state().losses[0].cause, "install on w-1");
}

#[test]
fn a_listed_user_disk_loses_its_data_and_the_system_disk_stays() {
    let mut bench = Bench::healthy(with_photos());
    bench.talosctl(
        "w-1",
        "reset --user-disks-to-wipe /dev/nvme0n1 --wipe-mode user-disks --reboot --wait=false",
    );
    bench.advance(600_000);
    assert_eq!(bench.losses(), ["volume photos: its last copy"]);
    assert_eq!(bench.stage("w-1"), "running");
}

#[test]
fn a28_a_dry_run_in_a_try_window_keeps_the_trial_until_a_reboot_takes_it_away() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.config_file("trial.yaml", "w-1", |text| {
        text.replace("    features:", "    sysctls:\n        a: b\n    features:")
    });
    bench.talosctl("w-1", "apply-config -f trial.yaml --mode try");
    bench.talosctl("w-1", "apply-config -f trial.yaml --dry-run");
    bench.advance(3_600_000);
    assert_eq!(bench.losses(), ["w-1: a trial without end, the next reboot silently reverts it"]);
}

#[test]
fn a30_resets_sent_through_the_node_that_was_reset_first_reach_nobody() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let wipe = "reset --system-labels-to-wipe STATE,EPHEMERAL --reboot --wait=false";
    bench.talosctl("cp-1", &format!("{wipe} --graceful=false"));
    bench.until("wiped", |bench| bench.stage("cp-1") == "maintenance");
    let said =
        bench.run(&format!("talosctl --talosconfig talosconfig -e 10.0.0.11 -n 10.0.0.21 {wipe}"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("certificate signed by unknown authority"), "{}", said.err);
    bench.advance(600_000);
    assert_eq!(bench.stage("w-1"), "running", "it only looked as if it had been wiped already");
}

#[test]
fn a31_a_voter_replaced_while_the_new_one_is_a_learner_can_be_the_last() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl(
        "cp-3",
        "reset --system-labels-to-wipe EPHEMERAL --graceful=false --reboot --wait=false",
    );
    bench.until("learner", |bench| bench.etcd("cp-3") == "learner");
    // Two voters and a learner: the learner counts for nothing.
    bench.talosctl("cp-2", "reset --system-labels-to-wipe EPHEMERAL --graceful=false --wait=false");
    bench.advance(3_600_000);
    assert_eq!(bench.losses(), ["etcd: a quorum can never come back by itself"]);
}

#[test]
fn the_last_copy_of_a_local_volume_dies_with_ephemeral_and_a_replicated_one_does_not() {
    let mut spec = LabSpec::home(1);
    spec.volumes = vec![
        VolumeSpec { name: "local".into(), replicas: vec![("w-1".into(), Medium::Ephemeral)] },
        VolumeSpec {
            name: "shared".into(),
            replicas: vec![("w-1".into(), Medium::Ephemeral), ("w-2".into(), Medium::Ephemeral)],
        },
    ];
    let mut bench = Bench::healthy(spec);
    bench.talosctl("w-1", "reset --system-labels-to-wipe EPHEMERAL --reboot --wait=false");
    bench.advance(600_000);
    assert_eq!(bench.losses(), ["volume local: its last copy"]);
    bench.talosctl("w-2", "reset --system-labels-to-wipe EPHEMERAL --reboot --wait=false");
    bench.advance(600_000);
    assert_eq!(bench.losses(), ["volume local: its last copy", "volume shared: its last copy"]);
}

#[test]
fn every_control_plane_reset_is_everything_gone_but_what_lies_outside() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for node in ["cp-1", "cp-2", "cp-3"] {
        bench.talosctl(
            node,
            "reset --system-labels-to-wipe STATE,EPHEMERAL --graceful=false --wait=false",
        );
    }
    bench.advance(600_000);
    assert_eq!(
        bench.losses(),
        ["etcd: a quorum can never come back by itself", "etcd: everything the cluster knew"]
    );
    let causes: Vec<_> = bench.lab.state().losses.into_iter().map(|loss| loss.cause).collect();
    assert!(causes.iter().all(|cause| cause.starts_with("reset on cp-")), "{causes:?}");
}

#[test]
fn one_control_plane_reset_with_care_costs_nothing() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("cp-2", "reset --system-labels-to-wipe STATE,EPHEMERAL --reboot");
    bench.settle();
    bench.config_file("cp.yaml", "cp-2", |text| text);
    bench.talosctl("cp-2", "apply-config --insecure -f cp.yaml");
    bench.until("voter again", |bench| bench.voters() == (3, 3, 0));
    bench.settle();
    assert!(bench.lab.ledger().is_empty());
    assert_eq!(bench.kubernetes("cp-2"), "Ready");
}
