//! Process groups: whether one still lives, and signals to it. Knows nothing of why it was started.

use std::fs;
use std::io::Read;

use ops_core::time::Span;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, getpgrp, kill_process, kill_process_group, test_kill_process_group,
};

use super::world::{Local, World};

/// Process groups of an earlier run that was killed. Nothing is settled while they live: what they do could come after the look.
pub trait Groups {
    /// Whether a process of this group lives, and the group is the one whose leader started then.
    fn alive(&self, group: i32, started: u64) -> bool;

    /// Asks it to end, or kills it where `hard`; nothing happens where it is gone.
    fn end(&self, group: i32, started: u64, hard: bool);

    /// A moment of [`PAUSE`], before one looks again. They work in real time: simulated time stands still meanwhile.
    fn pause<'a>(&'a self, world: &'a dyn World) -> Local<'a, ()>;
}

/// Between two looks at a group that is none of this process's children: the system tells nobody else of its end.
pub const PAUSE: Span = Span(200);

/// The groups of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveGroups;

impl Groups for LiveGroups {
    fn alive(&self, group: i32, started: u64) -> bool {
        if !exists(group) {
            // A process that had the terminal is in a group that is not its own.
            return started != 0
                && stat(group)
                    .is_some_and(|s| s.started == started && !matches!(s.state, 'Z' | 'X'));
        }
        let Ok(entries) = fs::read_dir("/proc") else {
            return true;
        };
        let members: Vec<Stat> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(stat)
            .filter(|stat| stat.group == group && !matches!(stat.state, 'Z' | 'X'))
            .collect();
        // Without a leader it cannot be told apart from a later group of that number: then it is taken for the one that was asked about.
        match members.iter().find(|member| member.pid == group) {
            Some(leader) => started == 0 || leader.started == started,
            None => !members.is_empty(),
        }
    }

    fn end(&self, group: i32, started: u64, hard: bool) {
        if self.alive(group, started) {
            Child::Group(group).signal(if hard { Signal::KILL } else { Signal::TERM });
        }
    }

    fn pause<'a>(&'a self, world: &'a dyn World) -> Local<'a, ()> {
        Box::pin(async move {
            let _still = Still::hold(world);
            tokio::time::sleep(super::clock::duration(PAUSE)).await;
        })
    }
}

/// Simulated time stands still until this is dropped.
struct Still<'a>(&'a dyn World);

impl<'a> Still<'a> {
    fn hold(world: &'a dyn World) -> Still<'a> {
        world.hold();
        Still(world)
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// When a process started, in clock ticks since boot; 0 where the system does not say.
pub fn start_time(pid: i32) -> u64 {
    stat(pid).map_or(0, |stat| stat.started)
}

/// The process group of a process and of those that it descends from, nearest first; nothing where the system does not say.
pub(super) fn ancestry(pid: i32) -> impl Iterator<Item = i32> {
    // Deeper than any shell line; a number that was used again could make a circle.
    const DEEPEST: usize = 64;
    std::iter::successors(stat(pid), |child| stat(child.parent)).take(DEEPEST).map(|s| s.group)
}

/// A child as signals reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    /// With everything that it starts: it leads a group of its own.
    Group(i32),
    /// Alone: it has the terminal, so it is in the group of `ops`.
    OnTerminal(i32),
}

impl Child {
    /// Sends a signal; nothing happens where it is gone.
    pub(super) fn signal(self, signal: Signal) {
        // The only failure that can happen to one's own children is that they are gone.
        let _ = match self {
            Child::Group(group) => number(group).map(|pid| kill_process_group(pid, signal)),
            Child::OnTerminal(pid) => number(pid).map(|pid| kill_process(pid, signal)),
        };
    }
}

/// Asks every process of a group to end, unless it is this one's own.
pub(super) fn end_other(group: i32) {
    if number(group).is_some_and(|group| group != getpgrp()) {
        Child::Group(group).signal(Signal::TERM);
    }
}

/// Asks every process of this one's own group to end, itself among them.
pub fn end_own_group() {
    let _ = kill_process_group(getpgrp(), Signal::TERM);
}

fn exists(group: i32) -> bool {
    number(group).is_some_and(|pid| test_kill_process_group(pid) != Err(Errno::SRCH))
}

/// The number as a group's. 1 and below would reach this process's own group, or every process there is.
fn number(group: i32) -> Option<Pid> {
    if group > 1 { Pid::from_raw(group) } else { None }
}

struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
    started: u64,
}

/// `/proc/PID/stat`: the name in parentheses may hold anything, so fields are counted behind its last `)`.
fn stat(pid: i32) -> Option<Stat> {
    // Read at once: the system makes it whole for each read, and it is never longer.
    let mut text = [0; 1024];
    let length = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text[..length]);
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}
