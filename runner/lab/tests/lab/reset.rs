//! Reset: what each request wipes, and how the machine comes back.

use crate::support::Bench;
use ops_lab::LabSpec;

const BOTH: &str = "reset --system-labels-to-wipe STATE,EPHEMERAL";

#[test]
fn a_graceful_reset_of_state_and_ephemeral_ends_in_maintenance_and_leaves_etcd() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("cp-3", &format!("{BOTH} --reboot"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("events check condition met"), "{}", said.err);
    assert!(said.err.ends_with("post check passed\n"), "{}", said.err);
    bench.settle();
    assert_eq!(bench.stage("cp-3"), "maintenance");
    assert_eq!(bench.config("cp-3"), "none");
    assert_eq!(bench.voters(), (2, 2, 0));
    assert_eq!(bench.losses(), Vec::<String>::new());
}

#[test]
fn the_node_object_of_a_reset_node_stays_and_is_not_ready() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("w-1", &format!("{BOTH} --reboot"));
    bench.advance(120_000);
    let said = bench.kubectl("get node w-1");
    assert!(said.out.contains("NotReady,SchedulingDisabled"), "{}", said.out);
}

#[test]
fn a_node_reset_by_labels_is_still_installed_and_boots_from_the_next_apply_without_install() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("w-1", &format!("{BOTH} --reboot"));
    bench.settle();
    bench.config_file("w.yaml", "w-1", |text| text.replace("/dev/sda", "/dev/no-such-disk"));
    let boots = bench.lab.world().node(bench.lab.node_named("w-1").unwrap()).boots;
    let said = bench.talosctl("w-1", "apply-config --insecure -f w.yaml");
    assert_eq!(said.code, 0, "{}", said.err);
    bench.settle();
    assert_eq!(bench.stage("w-1"), "running");
    let node = bench.lab.world().node(bench.lab.node_named("w-1").unwrap());
    assert_eq!(node.boots, boots, "neither install nor reboot");
}

#[test]
fn an_ungraceful_reset_of_ephemeral_leaves_a_stale_voter_until_the_node_rejoins_by_itself() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl(
        "cp-2",
        "reset --system-labels-to-wipe EPHEMERAL --graceful=false --reboot --wait=false",
    );
    bench.until("wiped", |bench| bench.etcd("cp-2").is_empty());
    assert_eq!(bench.voters(), (2, 3, 0), "a stale voter");
    bench.until("joined", |bench| bench.etcd("cp-2") == "learner");
    assert_eq!(bench.voters(), (2, 2, 1), "the old member of that hostname was removed first");
    bench.until("promoted", |bench| bench.etcd("cp-2") == "voter");
    assert_eq!(bench.voters(), (3, 3, 0));
    assert_eq!(bench.config("cp-2"), "in force");
    assert_eq!(bench.losses(), Vec::<String>::new());
}

#[test]
fn after_a_wipe_of_state_alone_the_same_config_resumes_the_old_member() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let before = bench.member("cp-1", "cp-2");
    bench.talosctl("cp-2", "reset --system-labels-to-wipe STATE --graceful=false --reboot");
    bench.settle();
    assert_eq!(bench.stage("cp-2"), "maintenance");
    assert_eq!(bench.voters(), (2, 3, 0));
    bench.config_file("cp.yaml", "cp-2", |text| text);
    bench.talosctl("cp-2", "apply-config --insecure -f cp.yaml");
    bench.settle();
    assert_eq!(bench.member("cp-1", "cp-2"), before);
}

#[test]
fn without_reboot_the_node_powers_off_and_needs_somebody_to_switch_it_on() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("w-1", BOTH);
    assert_eq!(said.code, 0, "{}", said.err);
    bench.advance(3_600_000);
    assert_eq!(bench.stage("w-1"), "off");
    bench.power_on("w-1");
    bench.settle();
    assert_eq!(bench.stage("w-1"), "maintenance");
}

#[test]
fn a_reset_without_labels_wipes_the_whole_disk_and_the_node_needs_hands_for_good() {
    for line in [
        "reset --reboot --wait=false",
        "reset --reboot --wait=false --system-labels-to-wipe= --graceful=false",
        "reset --reboot --wait=false --wipe-mode system-disk",
    ] {
        let mut bench = Bench::healthy(LabSpec::home(1));
        bench.talosctl("w-1", line);
        bench.advance(3_600_000);
        assert_eq!(bench.stage("w-1"), "needs hands", "{line}");
        bench.power_on("w-1");
        bench.advance(3_600_000);
        assert_eq!(bench.stage("w-1"), "needs hands", "{line}");
        assert_eq!(bench.losses(), ["w-1: nothing left to boot from"], "{line}");
    }
}

#[test]
fn user_disks_without_a_list_wipe_nothing_but_leave_etcd_and_go_down() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("cp-3", "reset --wipe-mode user-disks --reboot --wait=false");
    bench.until("left", |bench| bench.voters().1 == 2);
    bench.until("back", |bench| bench.voters() == (3, 3, 0));
    assert_eq!(bench.config("cp-3"), "in force");
}

#[test]
fn a_reset_whose_leave_is_refused_wipes_nothing_and_the_node_reboots_with_all_data() {
    let mut bench = Bench::healthy(LabSpec::pair(1));
    bench.break_("node-offline", Some("cp-2"));
    bench.advance(10_000);
    let boot_id = bench.talosctl("cp-1", "read /proc/sys/kernel/random/boot_id").out;
    bench.talosctl("cp-1", &format!("{BOTH} --reboot --wait=false"));
    bench.advance(900_000);
    assert_ne!(bench.talosctl("cp-1", "read /proc/sys/kernel/random/boot_id").out, boot_id);
    assert_eq!(bench.config("cp-1"), "in force");
    assert_eq!(bench.voters().1, 2, "still a member");
    assert_eq!(bench.losses(), Vec::<String>::new());
}

#[test]
fn a_reset_is_refused_before_acceptance_with_the_servers_own_words() {
    for (line, words) in [
        ("--system-labels-to-wipe NOPE", "failed to get volume status with label \"NOPE\""),
        (
            "--system-labels-to-wipe STATE --wipe-mode user-disks",
            "wipe mode USER_DISKS doesn't support SystemPartitionsToWipe parameter",
        ),
        ("--user-disks-to-wipe /dev/sdz", "device /dev/sdz wasn't found"),
        ("--user-disks-to-wipe /dev/sda", "device /dev/sda is the system disk"),
        (
            "--user-disks-to-wipe /dev/sda --wipe-mode system-disk",
            "wipe mode SYSTEM_DISK doesn't support UserDisksToWipe parameter",
        ),
    ] {
        let mut bench = Bench::healthy(LabSpec::home(1));
        let said = bench.talosctl("w-1", &format!("reset --wait=false {line}"));
        assert_eq!(said.code, 1, "{line}");
        assert!(said.err.contains(words), "{line}: {}", said.err);
        bench.advance(600_000);
        assert_eq!(bench.stage("w-1"), "running", "{line}");
    }
}

#[test]
fn maintenance_mode_refuses_a_reset() {
    let mut bench = Bench::bare(LabSpec::home(1));
    let said = bench.talosctl("w-1", "reset --insecure --wait=false --system-labels-to-wipe STATE");
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error executing reset: rpc error: code = PermissionDenied desc = not authorized\n"
    );
    assert_eq!(bench.writes(), 0);
}

#[test]
fn a_second_sequence_is_answered_with_success_and_dropped() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("w-1", "shutdown --wait=false --force");
    let said = bench.talosctl("w-1", &format!("{BOTH} --reboot --wait=false"));
    assert_eq!(said.code, 0, "{}", said.err);
    bench.advance(600_000);
    assert_eq!(bench.stage("w-1"), "off");
    bench.power_on("w-1");
    bench.settle();
    assert_eq!(bench.config("w-1"), "in force", "nothing was wiped");
}

#[test]
fn a_killed_client_does_not_stop_the_reset_that_it_sent() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let address = bench.address("w-1");
    let client = bench.start(&format!(
        "talosctl --talosconfig talosconfig -n {address} -e {address} {BOTH} --reboot"
    ));
    bench.until("sent", |bench| bench.writes() > 0);
    bench.lab.kill_client(client);
    bench.until("down", |bench| bench.stage("w-1") == "maintenance");
    assert!(bench.lab.take_finished().is_empty());
}

#[test]
fn a_client_killed_before_its_request_left_leaves_no_trace() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let address = bench.address("w-1");
    let client = bench.start(&format!(
        "talosctl --talosconfig talosconfig -n {address} -e {address} {BOTH} --reboot"
    ));
    bench.lab.kill_client(client);
    bench.advance(600_000);
    assert_eq!(bench.writes(), 0);
    assert_eq!(bench.stage("w-1"), "running");
}
