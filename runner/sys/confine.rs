//! Starts processes that can write to one folder only, with the kernel's Landlock. Knows nothing of why they should not.
//!
//! A thread that has confined itself starts them: what it may not, its children may not, and neither can give it back. Nothing runs between
//! `fork` and `exec`, and the cost is that of a message to the thread. Where the kernel has no Landlock nothing is confined.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// Beside the folder: files that take what is written and keep nothing.
const SINKS: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts"];

/// Starts confined processes.
#[derive(Debug)]
pub(super) struct Confined {
    commands: mpsc::Sender<(Command, mpsc::Sender<io::Result<Child>>)>,
}

impl Confined {
    /// A thread whose children write below this folder only, which is made where it is missing. They are looked after by the runtime of the caller.
    ///
    /// # Errors
    /// Where the kernel has Landlock, but does not confine the thread as asked: then nothing must be started by it.
    pub(super) fn below(folder: &Path) -> io::Result<Confined> {
        std::fs::create_dir_all(folder)?;
        let (commands, queue) = mpsc::channel::<(Command, mpsc::Sender<io::Result<Child>>)>();
        let (runtime, folder) = (Handle::current(), folder.to_owned());
        let (ready, confined) = mpsc::channel();
        thread::Builder::new().name("confined".to_owned()).spawn(move || {
            let done = confine(&folder);
            let able = done.is_ok();
            if ready.send(done.map(drop)).is_err() || !able {
                return;
            }
            let _runtime = runtime.enter();
            for (mut command, started) in queue {
                // Nobody waits any more where the engine is gone.
                let _ = started.send(command.spawn());
            }
        })?;
        confined.recv().map_err(|_| gone())??;
        Ok(Confined { commands })
    }

    /// Starts a process.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let (started, child) = mpsc::channel();
        self.commands.send((command, started)).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts confined processes is gone")
}

/// Whether this kernel confines: asked by tests, which show that they prove nothing elsewhere.
#[cfg(test)]
pub(super) fn possible() -> bool {
    let folder = std::env::temp_dir();
    thread::spawn(move || confine(&folder)).join().is_ok_and(|done| done.is_ok_and(|done| done))
}

/// Confines the calling thread and all its children; false where the kernel cannot.
#[cfg(target_os = "linux")]
fn confine(folder: &Path) -> io::Result<bool> {
    use landlock::{
        ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
        RulesetStatus, path_beneath_rules,
    };
    // Version 3 is the first that knows truncation; what an older kernel does not know it leaves out.
    let writes = AccessFs::from_write(ABI::V3);
    let places: Vec<PathBuf> = SINKS.iter().map(PathBuf::from).collect();
    let to_sinks = AccessFs::WriteFile | AccessFs::Truncate;
    let restrict = || -> Result<RulesetStatus, RulesetError> {
        let made = Ruleset::default()
            .handle_access(writes)?
            .create()?
            .add_rules(path_beneath_rules([folder], writes))?
            .add_rules(path_beneath_rules(places, to_sinks))?;
        Ok(made.restrict_self()?.ruleset)
    };
    let status = restrict().map_err(|error| io::Error::other(format!("Landlock: {error}")))?;
    Ok(status != RulesetStatus::NotEnforced)
}

#[cfg(not(target_os = "linux"))]
fn confine(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #![expect(clippy::disallowed_methods, reason = "what starts processes is what is tested")]

    use std::fs;
    use std::process::Stdio;

    use super::*;

    /// Runs a shell line below a folder, and gives whether it succeeded.
    fn line(folder: &Path, line: &str) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", line]).current_dir(folder);
            command.stdout(Stdio::piped()).stderr(Stdio::null());
            let confined = Confined::below(&folder.join("own")).unwrap();
            confined.spawn(command).unwrap().wait().await.unwrap().success()
        })
    }

    #[test]
    fn a_confined_process_writes_to_its_folder_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("own")).unwrap();
        fs::write(dir.path().join("kept"), "kept").unwrap();
        for fine in [
            "cat kept",
            "echo x > own/new; mkdir own/more; mv own/new own/more; rm -r own/more",
            "echo x > /dev/null",
            "echo x | cat",
            "cat kept > /dev/stdout",
        ] {
            assert!(line(dir.path(), fine), "{fine}");
        }
        if !possible() {
            eprintln!("skipped: this kernel has no Landlock");
            return;
        }
        for denied in [
            "echo x > new",
            "echo x >> kept",
            ": > kept",
            "rm kept",
            "mv kept own/",
            "ln kept own/kept",
            "mkdir folder",
            "ln -s kept link",
            "mkfifo pipe",
            "truncate -s 0 kept",
            "sh -c 'echo x > new'",
            "(setsid sh -c 'echo x > new')",
            "cp kept ../copy-of-kept",
        ] {
            assert!(!line(dir.path(), denied), "{denied}");
        }
        assert_eq!(fs::read_to_string(dir.path().join("kept")).unwrap(), "kept");
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 2, "own and kept");
    }

    #[test]
    fn the_threads_of_the_engine_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("own")).unwrap();
        assert!(line(dir.path(), "true"));
        fs::write(dir.path().join("by-the-engine"), "x").unwrap();
    }
}
