//! Small worlds, all of them: every order of a few operations on one to three control planes, with
//! states that were seen before cut off. Shows that the rules hold, and where the quorum ends.

use ops_lab::history::{Operation, Templates, perform};
use ops_lab::invariants::Watch;
use ops_lab::ledger::Asset;
use ops_lab::request::{Labels, Request, Reset, WipeMode};
use ops_lab::{Fault, NodeId, World};
use std::collections::BTreeSet;

fn reset(node: u8, graceful: bool) -> Operation {
    let labels = Labels { ephemeral: true, ..Labels::default() };
    let reset = Reset { graceful, reboot: true, labels, mode: WipeMode::All, disks: Vec::new() };
    Operation::Ask(NodeId(node), Request::Reset(reset))
}

fn operations(planes: u8) -> Vec<Operation> {
    let mut all = vec![Operation::Heal];
    for node in 0..planes {
        all.push(reset(node, true));
        all.push(reset(node, false));
        all.push(Operation::Ask(NodeId(node), Request::EtcdLeave));
        all.push(Operation::Break(Fault::NodeOffline(format!("cp-{}", node + 1))));
        all.push(Operation::RemoveMember(NodeId(0), node));
    }
    all
}

/// Searches to this depth; gives how many different states there were, and how many lost the quorum.
fn search(template: usize, planes: u8, depth: usize) -> (usize, usize) {
    let templates = Templates::new(&[1, 2, 3]);
    let mut start = templates.start(template, 1);
    start.jitter = false;
    let mut seen = BTreeSet::from([start.shape()]);
    let mut lost = 0;
    let mut level = vec![start];
    for _ in 0..depth {
        let mut next = Vec::new();
        for world in &level {
            for operation in operations(planes) {
                for wait in [30_000, 600_000] {
                    let mut world = world.clone();
                    perform(&mut world, &operation);
                    check(&mut world, wait, &operation);
                    if !seen.insert(world.shape()) {
                        continue;
                    }
                    if world.ledger.losses.iter().any(|loss| matches!(loss.asset, Asset::Quorum(_)))
                    {
                        lost += 1;
                    } else {
                        next.push(world);
                    }
                }
            }
        }
        level = next;
    }
    (seen.len(), lost)
}

fn check(world: &mut World, wait: u64, operation: &Operation) {
    let mut watch = Watch::default();
    let until = world.now + wait;
    while world.next_at().is_some_and(|at| at <= until) {
        world.step();
        let violations = watch.check(world);
        assert!(violations.is_empty(), "{operation:?}: {violations:?}");
    }
    world.run_until(until);
}

#[test]
fn every_order_of_three_operations_on_three_control_planes_keeps_the_rules() {
    let (states, lost) = search(2, 3, 3);
    println!("{states} states, {lost} without a quorum for good");
    assert!(states > 300 && lost > 0, "{states} states, {lost} lost");
}

#[test]
fn every_order_of_four_operations_on_two_control_planes_keeps_the_rules() {
    let (states, lost) = search(1, 2, 4);
    println!("{states} states, {lost} without a quorum for good");
    assert!(states > 150 && lost > 0, "{states} states, {lost} lost");
}

#[test]
fn every_order_of_five_operations_on_one_control_plane_keeps_the_rules() {
    let (states, lost) = search(0, 1, 5);
    println!("{states} states, {lost} without a quorum for good");
    assert!(states > 5 && lost > 0, "{states} states, {lost} lost");
}

/// What one careful operation at a time may never cost.
#[test]
fn no_single_operation_on_a_healthy_cluster_of_three_loses_the_quorum_for_good() {
    let templates = Templates::new(&[3]);
    for operation in operations(3) {
        let mut world = templates.start(0, 1);
        perform(&mut world, &operation);
        check(&mut world, 3_600_000, &operation);
        assert!(world.ledger.is_empty(), "{operation:?}: {:?}", world.ledger.losses);
    }
}
