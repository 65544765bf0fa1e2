//! What reaches a run from outside while it goes on. Says nothing of what becomes of it.

/// What a person or the system sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C: everybody in the foreground hears it.
    Interrupt,
    /// SIGTERM, to `ops` itself.
    Terminate,
}
