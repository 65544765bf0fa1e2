//! What reaches this process while a run goes on: Ctrl-C and SIGTERM, handed to the loop. Decides nothing.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::engine::signal::Signal;

/// Ctrl-C and TERM, as they come.
pub(super) fn signals() -> UnboundedReceiver<Signal> {
    let (sender, receiver) = unbounded_channel();
    let ends = sender.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && sender.send(Signal::Interrupt).is_ok() {}
    });
    tokio::spawn(async move {
        let kind = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut signal) = tokio::signal::unix::signal(kind) {
            while signal.recv().await.is_some() && ends.send(Signal::Terminate).is_ok() {}
        }
    });
    receiver
}
