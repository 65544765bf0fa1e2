//! What the commands hand to the engine once it is wired: one function per command. Until then each says so.

use ops_core::error::{Code, Exit, Fault};

use super::args::{AdoptArgs, ResumeArgs};
use super::invocation::Invocation;
use crate::config::Settings;
use crate::output::Output;

fn unwired(what: &str) -> Fault {
    Fault::new(Code::BUG, format!("`ops {what}` is not connected to the engine in this build"))
}

/// Runs the recipes.
pub(super) fn run(_: Invocation) -> Result<Exit, Fault> {
    Err(unwired("run"))
}

/// Plans the recipes; ends with 10 where changes pend and `exit_code` asks for it.
pub(super) fn plan(_: Invocation, _exit_code: bool) -> Result<Exit, Fault> {
    Err(unwired("plan"))
}

/// Verifies one recipe and issues the grant; without a recipe gathers evidence alone.
pub(super) fn verify(_: Invocation) -> Result<Exit, Fault> {
    Err(unwired("verify"))
}

/// Reads identities and writes the lock file.
pub(super) fn adopt(_: &Settings, _: &AdoptArgs, _: &Output) -> Result<Exit, Fault> {
    Err(unwired("adopt"))
}

/// Shows health and everything left open.
pub(super) fn status(_: &Settings, _: &Output) -> Result<Exit, Fault> {
    Err(unwired("status"))
}

/// Goes on with a run.
pub(super) fn resume(_: &Settings, _: &ResumeArgs, _: &Output) -> Result<Exit, Fault> {
    Err(unwired("resume"))
}
