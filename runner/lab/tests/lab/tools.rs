//! The tools: what they print, how they end.

use crate::support::Bench;
use ops_lab::LabSpec;

#[test]
fn a_healthy_lab_answers_the_reads_of_an_operator() {
    let mut bench = Bench::healthy(LabSpec::home(1));
    println!("now {}", bench.lab.now());
    for line in [
        "version",
        "get machinestatus",
        "get systeminformation -o json",
        "etcd members",
        "etcd status",
        "service",
        "health",
    ] {
        let said = bench.talosctl("cp-1", line);
        println!("{line}: {}\n{}{}", said.code, said.out, said.err);
    }
    for line in [
        "get nodes -o wide",
        "get pods -A -o wide",
        "get pdb -A",
        "drain w-1 --ignore-daemonsets --delete-emptydir-data",
        "uncordon w-1",
    ] {
        let said = bench.kubectl(line);
        println!("{line}: {}\n{}{}", said.code, said.out, said.err);
    }
    let said = bench.talosctl("w-1", "reset --system-labels-to-wipe STATE,EPHEMERAL --reboot");
    println!("{}\n{}{}", said.code, said.out, said.err);
    println!("{:?}", bench.lab.ledger().losses);
}
