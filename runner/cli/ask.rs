//! Questions to the person at the terminal. Where there is no terminal, nobody answers: never a default yes.

use std::cell::Cell;
use std::io::{IsTerminal as _, PipeReader, Write as _};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::engine::keep::Asker;
use crate::output;

/// What Ctrl-C is on a line.
const CTRL_C: u8 = 3;

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A line.
    Line(String),
    /// The input ended, or Ctrl-C gave up on it.
    Nothing,
    /// SIGTERM ends the program.
    Terminated,
}

/// Asks for one line.
pub(crate) fn line(question: &str) -> std::io::Result<Answer> {
    let term = Term::heard()?;
    let _line = CtrlCEndsLine::new();
    output::prompt(question)?;
    let stdin = std::io::stdin();
    let mut answer = Vec::new();
    loop {
        let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&term.came, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        if !fds[1].revents().is_empty() {
            output::prompt("\n")?;
            return Ok(Answer::Terminated);
        }
        // Byte by byte: what stands behind the line is not for this question.
        let mut byte = [0];
        match rustix::io::read(&stdin, &mut byte) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) if answer.is_empty() => return Ok(Answer::Nothing),
            Ok(0) => return Ok(said(&answer)),
            Ok(_) => match byte[0] {
                b'\n' => return Ok(said(&answer)),
                CTRL_C => {
                    output::prompt("\n")?;
                    return Ok(Answer::Nothing);
                }
                byte => answer.push(byte),
            },
        }
    }
}

fn said(answer: &[u8]) -> Answer {
    Answer::Line(String::from_utf8_lossy(answer).trim_end_matches('\r').to_owned())
}

/// Hears SIGTERM while a question is open. The loop hears it too, but waits for this very answer; without one it would end the process in
/// the middle of a line, with the terminal as the question has set it.
struct Term {
    /// Readable once it came.
    came: PipeReader,
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Term {
    fn heard() -> std::io::Result<Term> {
        let (came, mut tell) = std::io::pipe()?;
        let (over, rest) = oneshot::channel();
        let (listens, ready) = mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let thread = std::thread::Builder::new().name("term".into()).spawn(move || {
            runtime.block_on(async move {
                let heard = signal(SignalKind::terminate());
                let _ = listens.send(heard.is_ok());
                let Ok(mut heard) = heard else { return };
                tokio::select! {
                    _ = heard.recv() => drop(tell.write_all(b"t")),
                    _ = rest => {}
                }
            });
        })?;
        // Where it cannot be heard it does what it did.
        let _ = ready.recv();
        Ok(Term { came, over: Some(over), thread: Some(thread) })
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// While it lives, Ctrl-C is a character that ends the line. Its signal would be for the loop, and that waits for this very answer.
struct CtrlCEndsLine(Option<Termios>);

impl CtrlCEndsLine {
    fn new() -> CtrlCEndsLine {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok();
        if let Some(before) = &before {
            let mut own = before.clone();
            own.local_modes.remove(LocalModes::ISIG);
            own.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
            // Where the terminal cannot do it, Ctrl-C does what it did.
            let _ = tcsetattr(&stdin, OptionalActions::Now, &own);
        }
        CtrlCEndsLine(before)
    }
}

impl Drop for CtrlCEndsLine {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// The terminal of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terminal {
    terminated: Cell<bool>,
}

impl Terminal {
    fn there() -> bool {
        std::io::stdin().is_terminal() && output::prompts_are_seen()
    }

    fn ask(&self, question: &str) -> Option<String> {
        if !Terminal::there() {
            return None;
        }
        match line(question).ok()? {
            Answer::Line(text) => Some(text),
            Answer::Nothing => None,
            Answer::Terminated => {
                self.terminated.set(true);
                None
            }
        }
    }
}

impl Asker for Terminal {
    fn typed(&self, lines: &[String], words: &str) -> Option<String> {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        self.ask(&format!("{text}Type  {words}  to go on: "))
    }

    fn yes(&self, question: &str) -> Option<bool> {
        let answer = self.ask(&format!("{question}\nGo on? [y/N] "))?;
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    fn terminated(&self) -> bool {
        self.terminated.get()
    }

    fn terminal(&self) -> bool {
        Terminal::there()
    }
}
