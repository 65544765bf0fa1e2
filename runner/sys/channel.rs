//! What shims say to the engine that started them: a Unix socket in the run's private folder, one line of JSON per talk. Knows nothing of
//! calls, and judges nothing.
//!
//! A shim waits for its answer, so whatever it said is known before its own process ends, and with that before the shell line can go on. Who
//! speaks is known from the kernel; what is said can only refuse, or read in the lab.

mod said;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::redact::Redactor;
use super::world::Local;
pub use said::{Ask, Message, Printed, Refused, Says, ask, refuse};

/// The socket's name in its folder.
const SOCKET: &str = "engine";
/// A message is a command line, and in the lab its stdin and client configs.
const LONGEST: u64 = 8 << 20;
/// A shim says all it has at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a listener that the system refused a connection is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// The engine's end.
#[derive(Debug)]
pub struct Channel {
    listener: UnixListener,
    redactor: Redactor,
    talks: RefCell<FuturesUnordered<Talk>>,
}

type Talk = Local<'static, Option<Said>>;

/// Something that a shim said, and the way back to it.
#[derive(Debug)]
pub struct Said {
    /// The process that spoke, as the kernel says; none where it does not.
    pub pid: Option<i32>,
    /// What it said, without known secrets.
    pub message: Message,
    stream: UnixStream,
}

/// Keeps a shim that has refused from returning to its shell line: it ends when this is dropped.
#[derive(Debug)]
pub struct Waiting(#[expect(dead_code, reason = "held open, never read")] UnixStream);

impl Said {
    /// Leaves the shim waiting until what is returned is dropped.
    pub fn keep_waiting(self) -> Waiting {
        Waiting(self.stream)
    }
}

impl Channel {
    /// Listens in an empty folder of the user's own. Secrets that this redactor knows are masked in what is heard.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(folder: &Path, redactor: Redactor) -> io::Result<Channel> {
        let place = Place::of(folder)?;
        let listener = UnixListener::bind(&place.socket)?;
        Ok(Channel { listener, redactor, talks: RefCell::default() })
    }

    /// The next thing that a shim says.
    pub fn poll_said(&self, task: &mut Context<'_>) -> Poll<Said> {
        let mut talks = self.talks.borrow_mut();
        loop {
            match self.listener.poll_accept(task) {
                Poll::Ready(Ok((stream, _))) => {
                    talks.push(Box::pin(hear(stream, self.redactor.clone())));
                }
                // No descriptor is left, or the like: what waits is taken later.
                Poll::Ready(Err(_)) => {
                    talks.push(Box::pin(async {
                        tokio::time::sleep(AGAIN).await;
                        None
                    }));
                    break;
                }
                Poll::Pending => break,
            }
        }
        loop {
            match talks.poll_next_unpin(task) {
                Poll::Ready(Some(Some(said))) => return Poll::Ready(said),
                Poll::Ready(Some(None)) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Answers a shim with what its tool would have printed.
    pub fn answer(&self, said: Said, printed: &Printed) {
        let bytes = printed.encode();
        let mut stream = said.stream;
        self.talks.borrow_mut().push(Box::pin(async move {
            // A shim that was killed meanwhile needs no answer.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            None
        }));
    }
}

/// Reads what one shim says. Whoever says nothing that can be understood is taken for a shim that was cut off in a refusal.
async fn hear(stream: UnixStream, redactor: Redactor) -> Option<Said> {
    let pid = stream.peer_cred().ok().and_then(|who| who.pid());
    let mut stream = stream;
    let mut heard = Vec::new();
    let reading = async {
        let mut part = (&mut stream).take(LONGEST);
        while !heard.ends_with(b"\n") {
            if part.read_buf(&mut heard).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
    if heard.is_empty() {
        return None;
    }
    let message = serde_json::from_slice(&heard).unwrap_or_else(|_| Message::garbled());
    Some(Said { pid, message: message.masked(&redactor), stream })
}

/// A socket's path as the system takes it: at most some hundred bytes. A longer one is reached through the open folder.
struct Place {
    socket: PathBuf,
    _folder: File,
}

impl Place {
    fn of(folder: &Path) -> io::Result<Place> {
        const MOST: usize = 100;
        let open = File::open(folder)?;
        let mut socket = folder.join(SOCKET);
        if socket.as_os_str().as_bytes().len() > MOST {
            socket = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()));
        }
        Ok(Place { socket, _folder: open })
    }
}

/// What tells whether somebody has moved, replaced or removed something: device, inode and time of change of folders and the socket.
///
/// # Errors
/// Where one of them is gone.
pub fn stamp(bin: &Path, folder: &Path) -> io::Result<[Stamp; 3]> {
    Ok([stamp_of(bin)?, stamp_of(folder)?, stamp_of(&folder.join(SOCKET))?])
}

/// Device, inode, seconds and nanoseconds of the last change.
pub type Stamp = (u64, u64, i64, i64);

fn stamp_of(path: &Path) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}
