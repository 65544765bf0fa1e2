//! etcd: who may join, leave, be removed; what a cluster without quorum still says; rescue.

use crate::support::Bench;
use ops_lab::LabSpec;

#[test]
fn control_planes_join_one_after_another_and_are_promoted_minutes_later() {
    let mut bench = Bench::bare(LabSpec::home(1));
    for node in ["cp-1", "cp-2", "cp-3"] {
        bench.config_file("cp.yaml", node, |text| text);
        assert_eq!(bench.talosctl(node, "apply-config --insecure -f cp.yaml").code, 0);
    }
    bench.until("containerd", |bench| {
        bench.stage("cp-1") == "booting" && bench.etcd("cp-1") == "waits"
    });
    let said = bench.talosctl("cp-1", "bootstrap");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    bench.until("first learner", |bench| {
        !bench.lab.state().etcd.is_empty() && bench.voters().2 == 1
    });
    let joined = bench.lab.now();
    assert_eq!(bench.voters(), (1, 1, 1), "only one learner at a time");
    bench.until("first promotion", |bench| bench.voters() == (2, 2, 0));
    let first = bench.lab.now() - joined;
    assert_eq!(first, 90_600);
    bench.until("second learner", |bench| bench.voters().2 == 1);
    let joined = bench.lab.now();
    bench.until("second promotion", |bench| bench.voters() == (3, 3, 0));
    assert_eq!(bench.lab.now() - joined, 136_000);
}

#[test]
fn bootstrap_is_refused_where_talos_refuses_it() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("cp-1", "bootstrap");
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "error executing bootstrap: 1 error occurred:\n\t* 10.0.0.11: rpc error: code = AlreadyExists desc = etcd data directory is not empty\n\n\n"
    );
    let said = bench.talosctl("w-1", "bootstrap");
    assert!(
        said.err.contains("bootstrap is only available on control plane nodes"),
        "{}",
        said.err
    );
    let mut bench = Bench::bare(LabSpec::home(1));
    bench.config_file("cp.yaml", "cp-1", |text| text);
    bench.talosctl("cp-1", "apply-config --insecure -f cp.yaml");
    bench.until("rebooted", |bench| bench.stage("cp-1") == "booting");
    bench.until("apid", |bench| bench.lab.world().node(bench.lab.node_named("cp-1").unwrap()).apid);
    let said = bench.talosctl("cp-1", "bootstrap");
    assert!(said.err.contains("bootstrap is not available yet"), "{}", said.err);
}

/// Voters, those that are down, the member to remove, and etcd's answer.
#[test]
fn a_member_is_removed_exactly_where_etcd_allows_it() {
    let unhealthy = "failed to remove member: etcdserver: unhealthy cluster";
    let started = "re-configuration failed due to not enough started members";
    for (size, down, victim, answer) in [
        (1, vec![], "cp-1", Some(started)),
        (2, vec![], "cp-2", None),
        (3, vec![], "cp-3", None),
        (3, vec!["cp-3"], "cp-3", None),
        (3, vec!["cp-3"], "cp-2", Some(unhealthy)),
        (4, vec![], "cp-4", None),
        (4, vec!["cp-4"], "cp-4", None),
        (4, vec!["cp-4"], "cp-3", None),
    ] {
        let mut bench = Bench::healthy(LabSpec::sized(size, 0, 5));
        let id = bench.member("cp-1", victim);
        for node in &down {
            bench.break_("node-offline", Some(node));
        }
        bench.advance(10_000);
        let said = bench.talosctl("cp-1", &format!("etcd remove-member {id}"));
        let case = format!("{size} voters, {down:?} down, {victim} goes");
        match answer {
            None => {
                assert_eq!(said.code, 0, "{case}: {}", said.err);
                assert_eq!(bench.voters().1, usize::from(size) - 1, "{case}");
            }
            Some(words) => {
                assert_eq!(said.code, 1, "{case}");
                assert!(said.err.contains(words), "{case}: {}", said.err);
                assert_eq!(bench.voters().1, usize::from(size), "{case}");
            }
        }
    }
}

#[test]
fn an_unknown_member_is_not_found() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("cp-1", "etcd remove-member 00000000000000aa");
    assert!(
        said.err.contains("code = NotFound desc = etcdserver: member not found"),
        "{}",
        said.err
    );
    let said = bench.talosctl("cp-1", "etcd remove-member not-hex");
    assert!(said.err.contains("error parsing member ID"), "{}", said.err);
}

#[test]
fn a_removed_live_member_stops_and_its_data_is_of_no_use() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let id = bench.member("cp-1", "cp-3");
    bench.talosctl("cp-1", &format!("etcd remove-member {id}"));
    assert_eq!(bench.etcd("cp-3"), "data only");
    bench.talosctl("cp-3", "reboot --wait=false");
    bench.advance(600_000);
    assert_eq!(bench.etcd("cp-3"), "data only", "it does not join by itself");
}

#[test]
fn a_node_that_left_comes_back_by_itself_after_a_reboot() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    assert_eq!(bench.talosctl("cp-3", "etcd leave").code, 0);
    assert_eq!(bench.voters(), (2, 2, 0));
    bench.talosctl("cp-3", "reboot --wait=false");
    bench.until("back", |bench| bench.voters() == (3, 3, 0));
}

#[test]
fn a_stale_voter_of_another_hostname_blocks_every_join() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl(
        "cp-3",
        "reset --system-labels-to-wipe STATE,EPHEMERAL --graceful=false --reboot",
    );
    bench.settle();
    bench.config_file("cp.yaml", "cp-3", |text| text.replace("auto: stable", "hostname: cp-9"));
    bench.talosctl("cp-3", "apply-config --insecure -f cp.yaml");
    bench.advance(1_200_000);
    assert_eq!(bench.voters(), (2, 3, 0), "the add is refused as unhealthy");
    let said = bench.talosctl("cp-1", "etcd members");
    let stale = said.out.lines().find(|line| line.contains("cp-3")).unwrap();
    let id = stale.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(bench.talosctl("cp-1", &format!("etcd remove-member {id}")).code, 0);
    bench.until("joined", |bench| bench.voters() == (3, 3, 0));
    assert!(bench.talosctl("cp-1", "etcd members").out.contains("cp-9"));
}

#[test]
fn leadership_moves_when_it_is_given_up_and_when_the_leader_dies() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let leader = |bench: &Bench| bench.lab.state().etcd[0].leader.clone().unwrap();
    let first = leader(&bench);
    assert_eq!(bench.talosctl(&first, "etcd forfeit-leadership").code, 0);
    let second = leader(&bench);
    assert_ne!(first, second);
    bench.break_("node-offline", Some(&second));
    bench.advance(5_000);
    assert_ne!(leader(&bench), second);
    assert!(bench.lab.state().etcd[0].quorum);
}

#[test]
fn without_quorum_status_answers_locally_and_the_rest_says_no_leader() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("node-offline", Some("cp-2"));
    bench.break_("etcd-member-down", Some("cp-3"));
    bench.advance(30_000);
    let said = bench.talosctl("cp-1", "etcd members");
    assert!(
        said.err.contains("error getting members: ") && said.err.contains("etcdserver: no leader"),
        "{}",
        said.err
    );
    let said = bench.talosctl("cp-1", "etcd status");
    assert_eq!(said.code, 0);
    assert!(
        said.out.contains("0000000000000000") && said.out.contains("etcdserver: no leader"),
        "{}",
        said.out
    );
    assert_eq!(bench.kubectl("get nodes").code, 1);
    assert_eq!(bench.talosctl("cp-1", "etcd snapshot db").code, 0, "the process is enough");
    bench.heal("etcd-member-down", Some("cp-3"));
    bench.until("quorum", |bench| bench.lab.state().etcd[0].quorum);
    bench.until("api", |bench| bench.lab.state().kubernetes.as_ref().unwrap().api);
    assert_eq!(bench.kubectl("get nodes").code, 0);
}

#[test]
fn a_learner_answers_no_member_list_and_its_node_stays_booting() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("cp-3", "reset --system-labels-to-wipe EPHEMERAL --reboot --wait=false");
    bench.until("learner", |bench| bench.etcd("cp-3") == "learner");
    let said = bench.talosctl("cp-3", "etcd members");
    assert!(said.err.contains("etcdserver: rpc not supported for learner"), "{}", said.err);
    assert_eq!(bench.stage("cp-3"), "booting");
}

#[test]
fn workers_and_nodes_in_maintenance_have_no_member_list() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("w-1", "etcd members");
    assert!(
        said.err.contains(
            "code = Unimplemented desc = member list is only available on control plane nodes"
        ),
        "{}",
        said.err
    );
}

#[test]
fn a_snapshot_ends_in_the_sha256_of_its_bytes() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let said = bench.talosctl("cp-1", "etcd snapshot db.snapshot");
    assert_eq!(said.code, 0, "{}", said.err);
    let bytes = &bench.files["db.snapshot"];
    assert_eq!(bytes.len() % 512, 32);
    let (content, trailer) = bytes.split_at(bytes.len() - 32);
    assert_eq!(ops_lab::config::encode::sha256(content), trailer);
    let first = format!(
        "etcd snapshot saved to \"db.snapshot\" ({} bytes)\nsnapshot info: hash ",
        bytes.len()
    );
    assert!(said.out.starts_with(&first), "{}", said.out);
}

#[test]
fn a_lost_cluster_is_recovered_from_its_snapshot_and_what_came_after_it_is_lost() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.talosctl("cp-1", "etcd snapshot db.snapshot");
    bench.kubectl("cordon w-2");
    for node in ["cp-1", "cp-2", "cp-3"] {
        bench.talosctl(
            node,
            "reset --system-labels-to-wipe EPHEMERAL --graceful=false --reboot --wait=false",
        );
    }
    bench.until("all wait", |bench| {
        ["cp-1", "cp-2", "cp-3"].iter().all(|node| bench.etcd(node) == "waits")
    });
    let said = bench.talosctl("cp-1", "bootstrap --recover-from db.snapshot");
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.starts_with("recovering from snapshot \"db.snapshot\": hash "),
        "{}",
        said.out
    );
    bench.settle();
    assert!(
        !bench.kubectl("get node w-2").out.contains("SchedulingDisabled"),
        "the cordon came after the snapshot"
    );
    let losses = bench.losses();
    assert!(
        losses
            .iter()
            .any(|loss| loss.starts_with("etcd: everything the cluster knew, after revision")),
        "{losses:?}"
    );
}

#[test]
fn a_damaged_snapshot_is_refused_on_the_node() {
    let mut bench = Bench::healthy(LabSpec::single(1));
    bench.talosctl("cp-1", "etcd snapshot db.snapshot");
    bench.files.get_mut("db.snapshot").unwrap()[40] ^= 1;
    bench.talosctl(
        "cp-1",
        "reset --system-labels-to-wipe EPHEMERAL --graceful=false --reboot --wait=false",
    );
    bench.until("waits", |bench| bench.etcd("cp-1") == "waits");
    let said = bench.talosctl("cp-1", "bootstrap --recover-from db.snapshot");
    assert!(said.err.contains("error verifying snapshot"), "{}", said.err);
}

#[test]
fn a_cut_network_isolates_a_member_and_it_catches_up_by_itself() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    bench.break_("network-cut", Some("cp-1"));
    bench.advance(10_000);
    assert_eq!(bench.voters().0, 2);
    assert!(bench.lab.state().etcd[0].quorum);
    bench.heal("network-cut", Some("cp-1"));
    bench.advance(5_000);
    assert_eq!(bench.voters(), (3, 3, 0));
}

#[test]
fn a_snapshot_outlives_its_lab_and_is_recovered_into_another() {
    let mut first = Bench::healthy(LabSpec::single(1));
    first.kubectl("cordon w-1");
    first.talosctl("cp-1", "etcd snapshot db.snapshot");
    let mut second = Bench::bare(LabSpec::single(2));
    second.files.insert("db.snapshot".into(), first.files["db.snapshot"].clone());
    for node in ["cp-1", "w-1"] {
        second.config_file("node.yaml", node, |text| text);
        second.talosctl(node, "apply-config --insecure -f node.yaml");
    }
    second.until("waits", |bench| bench.etcd("cp-1") == "waits");
    let said = second.talosctl("cp-1", "bootstrap --recover-from db.snapshot");
    assert_eq!(said.code, 0, "{}", said.err);
    second.settle();
    assert!(second.kubectl("get node w-1").out.contains("SchedulingDisabled"));
    assert_eq!(second.losses(), Vec::<String>::new());
}

#[test]
fn a_cluster_that_lost_all_power_comes_back_by_itself() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    let nodes = ["cp-1", "cp-2", "cp-3", "w-1", "w-2"];
    for node in nodes {
        bench.break_("node-offline", Some(node));
    }
    bench.advance(3_600_000);
    assert!(!bench.lab.state().etcd[0].quorum);
    for node in nodes {
        bench.heal("node-offline", Some(node));
    }
    bench.settle();
    assert_eq!(bench.voters(), (3, 3, 0));
    bench.advance(120_000);
    let pods = bench.kubectl("get pods -A");
    assert!(!pods.out.contains("0/1"), "{}", pods.out);
    assert!(bench.lab.ledger().is_empty());
}

#[test]
fn rolling_reboots_one_control_plane_at_a_time_never_lose_the_quorum() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    for node in ["cp-1", "cp-2", "cp-3"] {
        let address = bench.address(node);
        let client = bench
            .start(&format!("talosctl --talosconfig talosconfig -n {address} -e {address} reboot"));
        let mut without = 0;
        while bench.lab.is_running(client) {
            assert!(bench.lab.step());
            let etcd = &bench.lab.state().etcd[0];
            // An election may pass without a leader; a majority is there all the time.
            assert!(etcd.alive >= etcd.needed, "{node}: {} of {}", etcd.alive, etcd.voters);
            without += usize::from(!etcd.quorum);
        }
        assert!(without < 200, "{node}: no leader for {without} events");
        assert_eq!(bench.lab.take_finished().pop().unwrap().1.code, 0, "{node}");
        bench.settle();
    }
}
