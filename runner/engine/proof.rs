//! Continuous proof: a finished journal is replayed by fresh bodies on other threads and must make the same calls. Changes nothing.

use ops_core::error::Fault;
use ops_core::record::Record;

use super::graph::Graph;
use super::replay;
use super::run::{Context, Run};

/// Replays a journal; nothing becomes live. Runs that were stopped are passed over.
///
/// # Errors
/// The first divergence, or that the journal has no head.
pub async fn prove(cx: &Context<'_>, graph: Graph, records: &[Record]) -> Result<(), Box<Fault>> {
    // A stop has no reply that could be replayed: what a stopped run did is proven by its resume.
    if records.iter().any(|r| matches!(r, Record::Stopped { .. })) {
        return Ok(());
    }
    let Some(journal) = replay::read(records, true) else {
        return Err(Box::new(Fault::new(
            ops_core::error::Code::JOURNAL_DAMAGED,
            "the journal does not begin with its head",
        )));
    };
    let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
    let ended = Run::new(cx, graph, signals).resuming(journal, records, true).run().await;
    match ended.faults.into_iter().find(|(_, f)| f.code == ops_core::error::Code::DIVERGENCE) {
        Some((_, fault)) => Err(Box::new(fault)),
        None => Ok(()),
    }
}
