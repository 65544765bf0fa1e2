//! Crash points for tests: a dev build can be told to die by SIGKILL at the n-th visit of a named point. Release builds have none.
//!
//! Armed once per process from `OPS_FAULT=point:n`, which the command line hands to `arm`; unarmed, a point costs one load.
//! The names and what they stand for are in `docs/architecture.md`.

/// Whether this build has crash points.
pub const PRESENT: bool = cfg!(any(debug_assertions, feature = "faults"));

#[cfg(any(debug_assertions, feature = "faults"))]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Armed {
        point: String,
        left: AtomicU64,
    }

    // The one global of the program: a crash has no context that could be handed down, and every layer has points.
    static ARMED: OnceLock<Armed> = OnceLock::new();

    pub(super) fn arm(spec: &str) -> Result<(), String> {
        let wrong = || format!("`{spec}` names no crash point: write POINT:N, N from 1");
        let (point, n) = spec.split_once(':').ok_or_else(wrong)?;
        let left: u64 = n.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        let armed = Armed { point: point.to_owned(), left: AtomicU64::new(left) };
        ARMED.set(armed).map_err(|_| "a crash point is armed already".to_owned())
    }

    pub(super) fn due(point: &str) -> bool {
        ARMED.get().is_some_and(|a| a.point == point && a.left.fetch_sub(1, Ordering::Relaxed) == 1)
    }
}

/// Crashes by the thousand in one process: the thread that rehearses unwinds where a process would die, and counts its visits.
#[cfg(any(debug_assertions, feature = "faults"))]
pub mod rehearsal {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::rc::Rc;

    /// What the thread unwinds with.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Crash;

    /// Sees every visit of a point, with its number: to keep what a crash right there would leave behind, or to press Ctrl-C.
    pub type Watch = Rc<dyn Fn(&str, u64)>;

    #[derive(Default)]
    struct Rehearsal {
        armed: Option<(String, u64)>,
        watch: Option<Watch>,
        visits: BTreeMap<String, u64>,
    }

    thread_local! {
        static HERE: RefCell<Option<Rehearsal>> = const { RefCell::new(None) };
    }

    /// Begins to count visits on this thread; with a point and a number, crashes there.
    pub fn begin(armed: Option<(&str, u64)>, watch: Option<Watch>) {
        let armed = armed.map(|(point, n)| (point.to_owned(), n));
        HERE.set(Some(Rehearsal { armed, watch, visits: BTreeMap::new() }));
    }

    /// Ends the rehearsal: how often each point was visited.
    pub fn end() -> BTreeMap<String, u64> {
        HERE.take().map(|r| r.visits).unwrap_or_default()
    }

    pub(super) fn due(point: &str) -> bool {
        if point.is_empty() {
            return false;
        }
        let visit = HERE.with_borrow_mut(|here| {
            let here = here.as_mut()?;
            let visits = here.visits.entry(point.to_owned()).or_default();
            *visits += 1;
            let due = here.armed.as_ref().is_some_and(|(p, n)| p == point && n == visits);
            Some((due, *visits, here.watch.clone()))
        });
        let Some((due, n, watch)) = visit else { return false };
        if let Some(watch) = watch {
            watch(point, n);
        }
        due
    }

    pub(super) fn die() {
        if HERE.with_borrow(Option::is_some) {
            std::panic::resume_unwind(Box::new(Crash));
        }
    }
}

/// Faults of `ops` itself, switched on for one thread: the crash tests prove by them that they would notice.
#[cfg(test)]
pub mod mutants {
    use std::cell::Cell;

    thread_local! {
        static HERE: Cell<&'static str> = const { Cell::new("") };
    }

    /// Switches one on for this thread; an empty name switches it off.
    pub fn switch(name: &'static str) {
        HERE.set(name);
    }

    /// The one that is on here: a thread that works for this one switches it on as well.
    pub fn current() -> &'static str {
        HERE.get()
    }

    pub(super) fn on(name: &str) -> bool {
        HERE.get() == name
    }
}

/// Whether this fault of `ops` is switched on. Outside of the tests of this package there are none.
pub fn mutated(name: &str) -> bool {
    #[cfg(test)]
    return mutants::on(name);
    #[cfg(not(test))]
    {
        let _ = name;
        false
    }
}

/// Arms a point: `b3:2` dies at the second visit of `b3`.
///
/// # Errors
/// Text that names no point, a second arming, or a build without crash points.
pub fn arm(spec: &str) -> Result<(), String> {
    #[cfg(any(debug_assertions, feature = "faults"))]
    return armed::arm(spec);
    #[cfg(not(any(debug_assertions, feature = "faults")))]
    Err(format!("this build has no crash points; `{spec}` cannot be armed"))
}

/// A crash point: dies here if this visit is the armed one.
pub fn point(name: &str) {
    if due(name) {
        die();
    }
}

/// Whether this visit of a point is the armed one. For points that must do half of something before they `die`.
pub fn due(name: &str) -> bool {
    #[cfg(any(debug_assertions, feature = "faults"))]
    return rehearsal::due(name) || armed::due(name);
    #[cfg(not(any(debug_assertions, feature = "faults")))]
    {
        let _ = name;
        false
    }
}

/// Ends this process as a power cut or `kill -9` would: no destructor runs, children live on.
pub fn die() {
    #[cfg(any(debug_assertions, feature = "faults"))]
    rehearsal::die();
    // Where even this fails, the process goes on and the crash test notices that nothing was killed.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_names_no_point_is_refused() {
        for spec in ["", "b3", "b3:", "b3:0", "b3:x"] {
            assert!(super::arm(spec).is_err(), "{spec}");
        }
    }
}
