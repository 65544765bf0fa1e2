//! `ops lab state`: the picture of a lab in lines that fit a terminal.

use crate::lab::Lab;
use crate::state::{LabState, NodeState};
use std::fmt::Write as _;

#[derive(Clone, Copy)]
enum Paint {
    Good,
    Warn,
    Bad,
    Dim,
}

struct Pen {
    color: bool,
    width: usize,
    out: String,
}

impl Pen {
    /// A cell, padded before it is coloured so that escapes never count.
    fn cell(&mut self, text: &str, width: usize, paint: Option<Paint>) {
        let cell = format!("{text:<width$}");
        match paint.filter(|_| self.color) {
            None => self.out.push_str(&cell),
            Some(paint) => {
                let code = match paint {
                    Paint::Good => 32,
                    Paint::Warn => 33,
                    Paint::Bad => 31,
                    Paint::Dim => 2,
                };
                // Writing to a String cannot fail.
                let _ = write!(self.out, "\u{1b}[{code}m{cell}\u{1b}[0m");
            }
        }
    }

    /// A line; what does not fit is cut with an ellipsis.
    fn line(&mut self, text: &str) {
        let count = text.chars().count();
        if count <= self.width {
            self.out.push_str(text.trim_end());
        } else {
            self.out.extend(text.chars().take(self.width.saturating_sub(1)));
            self.out.push('…');
        }
        self.out.push('\n');
    }
}

/// Simulated time as people say it.
fn clock(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h{minutes:02}m")
    } else if minutes > 0 {
        format!("{minutes}m{seconds:02}s")
    } else {
        format!("{seconds}s")
    }
}

impl Lab {
    /// The lab in lines of at most `width` columns (80 at least), coloured where asked.
    #[must_use]
    pub fn draw(&self, width: usize, color: bool) -> String {
        draw(&self.state(), width, color)
    }
}

fn draw(state: &LabState, width: usize, color: bool) -> String {
    let mut pen = Pen { color, width: width.max(80), out: String::new() };
    pen.line(&state.header);
    pen.line(&format!("{}   {} since the lab began", state.cluster, clock(state.now_ms)));
    pen.out.push('\n');
    let names =
        state.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(4).clamp(4, 16);
    for (text, width) in header(names) {
        pen.cell(text, width, Some(Paint::Dim));
    }
    end(&mut pen);
    for node in &state.nodes {
        row(&mut pen, node, names);
    }
    pen.out.push('\n');
    for etcd in &state.etcd {
        let leader = etcd.leader.as_deref().unwrap_or("none");
        let learners = match etcd.learners {
            0 => String::new(),
            count => format!(", {count} learner"),
        };
        let quorum = if etcd.quorum { "quorum" } else { "NO QUORUM" };
        pen.line(&format!(
            "etcd         {} of {} voters{learners}, {} needed, {quorum}; leader {leader}, index {}",
            etcd.alive, etcd.voters, etcd.needed, etcd.index
        ));
    }
    if state.etcd.is_empty() {
        pen.line("etcd         not bootstrapped");
    }
    match &state.kubernetes {
        None => pen.line("kubernetes   none"),
        Some(kube) => {
            let api = if kube.api { "API up" } else { "API DOWN" };
            let budgets: Vec<String> = kube
                .budgets
                .iter()
                .map(|(app, allowed)| format!("{app} may lose {allowed}"))
                .collect();
            let budgets = if budgets.is_empty() {
                String::new()
            } else {
                format!("; {}", budgets.join(", "))
            };
            pen.line(&format!(
                "kubernetes   {api}, {} of {} nodes Ready, {} of {} pods Ready{budgets}",
                kube.ready, kube.nodes, kube.pods_ready, kube.pods
            ));
        }
    }
    if !state.faults.is_empty() {
        pen.line(&format!("faults       {}", state.faults.join(", ")));
    }
    let [requests, writes] = state.requests;
    pen.line(&format!(
        "requests     {requests} reached a node or an API server, {writes} of them writes"
    ));
    if state.losses.is_empty() {
        pen.line(&format!("ledger       nothing lost, {} things with a copy", state.assets));
    }
    for (place, loss) in state.losses.iter().enumerate() {
        let lead = if place == 0 { "ledger       LOST " } else { "             LOST " };
        pen.line(&format!("{lead}{}", loss.what));
        pen.line(&format!("             by {}, {} in", loss.cause, clock(loss.at_ms)));
    }
    pen.out
}

fn header(names: usize) -> [(&'static str, usize); 6] {
    [
        ("node", names + 2),
        ("stage", 15),
        ("config", 19),
        ("etcd", 11),
        ("kubernetes", 20),
        ("pods", 4),
    ]
}

fn end(pen: &mut Pen) {
    // Padding of the last cell is no part of the picture.
    while pen.out.ends_with(' ') {
        pen.out.pop();
    }
    pen.out.push('\n');
}

fn row(pen: &mut Pen, node: &NodeState, names: usize) {
    let [(_, first), (_, stage), (_, config), (_, etcd), (_, kubernetes), (_, pods)] =
        header(names);
    let name: String = node.name.chars().take(names).collect();
    pen.cell(&name, first, None);
    let paint = match node.stage.as_str() {
        "running" if node.ready => Paint::Good,
        "needs hands" => Paint::Bad,
        "off" => Paint::Dim,
        _ => Paint::Warn,
    };
    let shown =
        if node.stage == "running" && !node.ready { "running, not yet" } else { &node.stage };
    let shown: String = shown.chars().take(stage - 1).collect();
    pen.cell(&shown, stage, Some(paint));
    let paint = match node.config {
        "in force" | "waits in STATE" => None,
        "none" => Some(Paint::Dim),
        _ => Some(Paint::Warn),
    };
    pen.cell(node.config, config, paint);
    let paint = match node.etcd {
        "leader" | "voter" => Some(Paint::Good),
        "down" | "data only" => Some(Paint::Bad),
        _ => Some(Paint::Warn),
    };
    pen.cell(
        if node.etcd.is_empty() { "-" } else { node.etcd },
        etcd,
        paint.filter(|_| !node.etcd.is_empty()),
    );
    let shown = match (node.kubernetes, node.cordoned) {
        ("", _) => "-".to_owned(),
        (state, true) => format!("{state}, cordoned"),
        (state, false) => state.to_owned(),
    };
    let paint = match node.kubernetes {
        "Ready" if !node.cordoned => Some(Paint::Good),
        "" => None,
        _ => Some(Paint::Warn),
    };
    pen.cell(&shown, kubernetes, paint);
    pen.cell(&node.pods.to_string(), pods, None);
    end(pen);
}
