//! Opens what is encrypted and needed to know the inventory, before anything else is there: the same tool and words as in a run.

use std::path::Path;

use ops_core::error::{CallError, Code, ErrorKind, Fault};

use super::seam::block_on;
use crate::config::{Decrypt, Environment};
use crate::host::sops;
use crate::sys::environment::Environment as ChildEnvironment;
use crate::sys::process::{ProcessLimits, Processes};
use crate::sys::world::Unwatched;

/// Decrypts by the real `sops`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sops;

impl Decrypt for Sops {
    fn sops(
        &self,
        root: &Path,
        path: &str,
        bytes: &[u8],
        env: &Environment,
    ) -> Result<Vec<u8>, Fault> {
        let work = || {
            let vars = env.iter().map(|(k, v)| (k.into(), v.into()));
            let own = std::env::current_exe().ok();
            let children = ChildEnvironment::new(vars, None, own.as_deref());
            let processes = Processes::new(root.to_owned(), children, ProcessLimits::default());
            let limit = Some(ops_core::time::Span::secs(30));
            block_on(async {
                Ok(processes.run(&sops::command(path, bytes), limit, &Unwatched).await)
            })
        };
        // On a thread of its own: a watch reads its inventory again while its loop is at work on this one, and one thread has one loop.
        let output = std::thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|_| Err(Fault::new(Code::BUG, "the thread that decrypts has died")))?;
        let opened = match output {
            Ok(output) => sops::decrypted(path, output),
            Err(failure) => Err(sops::missing(path, crate::host::unfinished(&failure))),
        };
        opened.map_err(|error| fault(&error))
    }
}

fn fault(error: &CallError) -> Fault {
    let code = match error.kind {
        ErrorKind::MissingTool => Code::TOOL_MISSING,
        _ => Code::CONFIG_READ,
    };
    let mut fault = Fault::new(code, error.message.clone());
    if !error.stderr.is_empty() {
        fault = fault.detail(error.stderr.clone());
    }
    error.hint.iter().fold(fault, |fault, hint| fault.help(hint.clone()))
}
