//! A pseudo terminal for the binary under test: typed answers, and everything that was on the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What a person saw, and how the command ended.
pub(crate) struct Screen {
    /// Everything that was printed, without carriage returns.
    pub(crate) text: String,
    /// The exit code; -1 where a signal ended it.
    pub(crate) code: i32,
}

impl Screen {
    /// Expects an exit code.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Screen {
        assert_eq!(self.code, code, "{}", self.text);
        self
    }
}

/// What is typed to send SIGTERM instead.
pub(crate) const SIGTERM: &str = "SIGTERM";

/// Runs a command on a terminal of its own, 80 columns wide. Each answer is typed once its cue is on the screen.
pub(crate) fn on_terminal(command: Command, answers: &[(&str, &str)]) -> Screen {
    on_terminal_of(80, command, answers)
}

/// Runs a command on a terminal with this many columns.
pub(crate) fn on_terminal_of(
    columns: u16,
    mut command: Command,
    answers: &[(&str, &str)],
) -> Screen {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
    grantpt(&master).expect("a grant");
    unlockpt(&master).expect("an unlock");
    let size = Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("a size");
    let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("a path");
    let slave = || -> OwnedFd {
        File::options().read(true).write(true).open(&name).expect("its other end").into()
    };
    command.stdin(Stdio::from(slave())).stdout(Stdio::from(slave())).stderr(Stdio::from(slave()));
    let mut child = command.spawn().expect("the binary starts");
    drop(command);
    let mut input = File::from(master.as_fd().try_clone_to_owned().expect("a copy"));
    let mut screen = File::from(master);
    let (mut text, mut seen, mut next) = (String::new(), 0, 0);
    let mut bytes = [0; 4096];
    // The read fails once the child has closed its end.
    while let Ok(n @ 1..) = screen.read(&mut bytes) {
        text.push_str(&String::from_utf8_lossy(&bytes[..n]).replace('\r', ""));
        if let Some((cue, answer)) = answers.get(next)
            && let Some(at) = text[seen..].find(cue)
        {
            seen += at + cue.len();
            next += 1;
            if *answer == SIGTERM {
                kill_process(Pid::from_child(&child), Signal::TERM).expect("a signal");
            } else {
                writeln!(input, "{answer}").expect("typing");
            }
        }
    }
    let status = child.wait().expect("an end");
    Screen { text, code: status.code().unwrap_or(-1) }
}
