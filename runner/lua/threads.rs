//! The threads that bodies run on. One whose body has ended waits for the next: a start costs as much as a tenth of a short body.
//! Knows nothing of what they do; each body has a VM of its own.

use std::io;
use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Stack of a thread: Lua allows 200 levels of C calls, each of ours takes some kilobytes.
const STACK: usize = 16 << 20;

/// What a thread does for one body, from its begin to its end.
type Life = Box<dyn FnOnce() + Send>;

/// Threads that wait for a body. They end with this; one whose body never ends is never here.
#[derive(Debug, Default)]
pub(super) struct Threads(Mutex<Vec<SyncSender<Life>>>);

impl Threads {
    /// Runs something on a thread that has nothing else to do.
    ///
    /// # Errors
    /// Where there is none and the system starts none.
    pub(super) fn run(self: &Arc<Threads>, life: Life) -> io::Result<()> {
        let idle = self.idle().pop();
        let sent = match idle {
            Some(thread) => thread.send(life),
            None => Err(SendError(life)),
        };
        let Err(SendError(mut life)) = sent else { return Ok(()) };
        let threads = Arc::downgrade(self);
        thread::Builder::new().name("lua".to_owned()).stack_size(STACK).spawn(move || {
            loop {
                life();
                let (thread, lives) = sync_channel(1);
                match threads.upgrade() {
                    Some(threads) => threads.idle().push(thread),
                    None => return,
                }
                match lives.recv() {
                    Ok(next) => life = next,
                    Err(_) => return,
                }
            }
        })?;
        Ok(())
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SyncSender<Life>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;
    use std::thread::ThreadId;

    use super::*;

    /// Waits until this many threads have nothing to do.
    fn rest(threads: &Threads, count: usize) {
        while threads.idle().len() < count {
            thread::yield_now();
        }
    }

    fn id(threads: &Arc<Threads>) -> ThreadId {
        let (tell, told) = mpsc::channel();
        threads.run(Box::new(move || tell.send(thread::current().id()).unwrap())).unwrap();
        told.recv().unwrap()
    }

    #[test]
    fn a_thread_serves_one_body_after_another() {
        let threads = Arc::new(Threads::default());
        let first = id(&threads);
        rest(&threads, 1);
        assert_eq!(id(&threads), first);
    }

    #[test]
    fn bodies_that_run_at_once_have_a_thread_each() {
        let threads = Arc::new(Threads::default());
        let (go, wait) = mpsc::channel::<()>();
        threads.run(Box::new(move || wait.recv().unwrap())).unwrap();
        id(&threads);
        go.send(()).unwrap();
        rest(&threads, 2);
    }

    #[test]
    fn a_body_that_panics_takes_its_thread_with_it_and_nothing_else() {
        let threads = Arc::new(Threads::default());
        let (alive, gone) = mpsc::channel::<()>();
        threads
            .run(Box::new(move || {
                let _alive = alive;
                std::panic::resume_unwind(Box::new("a fault"));
            }))
            .unwrap();
        gone.recv().unwrap_err();
        id(&threads);
        rest(&threads, 1);
        assert_eq!(threads.idle().len(), 1);
    }
}
