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
    width: Option<usize>,
    out: String,
}

/// Where the text of a line with a heading begins.
const TEXT: usize = 13;

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

    /// A line; what does not fit goes on below its text. Words stay whole.
    fn line(&mut self, text: &str) {
        let mut column = 0;
        for (at, word) in text.split(' ').enumerate() {
            let wide = word.chars().count();
            let over = |width: usize| column + 1 + wide > width;
            if column > TEXT && !word.is_empty() && self.width.is_some_and(over) {
                self.out.truncate(self.out.trim_end().len());
                self.out.push('\n');
                self.out.push_str(&" ".repeat(TEXT));
                column = TEXT;
            } else if at > 0 {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(word);
            column += wide;
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
    /// The lab in lines of at most `width` columns (80 at least) where there is an edge, coloured where asked. Nothing is cut.
    #[must_use]
    pub fn draw(&self, width: Option<usize>, color: bool) -> String {
        draw(&self.state(), width, color)
    }
}

fn draw(state: &LabState, width: Option<usize>, color: bool) -> String {
    let mut pen = Pen { color, width: width.map(|width| width.max(80)), out: String::new() };
    pen.line(&state.header);
    pen.line(&format!("{}   {} since the lab began", state.cluster, clock(state.now_ms)));
    pen.out.push('\n');
    let rows: Vec<Row> = state.nodes.iter().map(row).collect();
    let mut widths = HEADER.map(|(_, width)| width);
    for row in &rows {
        for (width, (text, _)) in widths.iter_mut().zip(row) {
            *width = (*width).max(text.chars().count() + 2);
        }
    }
    for ((text, _), width) in HEADER.iter().zip(widths) {
        pen.cell(text, width, Some(Paint::Dim));
    }
    end(&mut pen);
    for row in &rows {
        for ((text, paint), width) in row.iter().zip(widths) {
            pen.cell(text, width, *paint);
        }
        end(&mut pen);
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

/// The columns, and how wide they are at least.
const HEADER: [(&str, usize); 6] =
    [("node", 6), ("stage", 15), ("config", 19), ("etcd", 11), ("kubernetes", 20), ("pods", 4)];

/// A node's cells with their colours.
type Row = [(String, Option<Paint>); 6];

fn end(pen: &mut Pen) {
    // Padding of the last cell is no part of the picture.
    while pen.out.ends_with(' ') {
        pen.out.pop();
    }
    pen.out.push('\n');
}

fn row(node: &NodeState) -> Row {
    let stage = match node.stage.as_str() {
        "running" if node.ready => Paint::Good,
        "needs hands" => Paint::Bad,
        "off" => Paint::Dim,
        _ => Paint::Warn,
    };
    let config = match node.config {
        "in force" | "waits in STATE" => None,
        "none" => Some(Paint::Dim),
        _ => Some(Paint::Warn),
    };
    let etcd = match node.etcd {
        "" => None,
        "leader" | "voter" => Some(Paint::Good),
        "down" | "data only" => Some(Paint::Bad),
        _ => Some(Paint::Warn),
    };
    let kubernetes = match node.kubernetes {
        "Ready" if !node.cordoned => Some(Paint::Good),
        "" => None,
        _ => Some(Paint::Warn),
    };
    let coming = node.stage == "running" && !node.ready;
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let cordoned = if node.cordoned && !node.kubernetes.is_empty() { ", cordoned" } else { "" };
    [
        (node.name.clone(), None),
        (if coming { "running, not yet".to_owned() } else { node.stage.clone() }, Some(stage)),
        (node.config.to_owned(), config),
        (or_none(node.etcd), etcd),
        (or_none(&format!("{}{cordoned}", node.kubernetes)), kubernetes),
        (node.pods.to_string(), None),
    ]
}
