//! Time limits of steps, and the time of a plan. Knows nothing of what is waited for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;

use futures_util::stream::AbortHandle;
use ops_core::time::Span;
use tokio::sync::oneshot;

use super::run::{Arrival, Run};

impl Run<'_> {
    /// Starts the time limit of a step. It is dropped with the step's end, else the run would last as long as its limits.
    pub(super) fn limit(&mut self, at: usize, limit: Span) {
        let sleep = self.cx.world.sleep(limit);
        let (handle, registration) = AbortHandle::new_pair();
        let sleep = futures_util::future::Abortable::new(sleep, registration);
        self.steps[at].limit = Some(handle);
        self.flying.push(Box::pin(async move {
            match sleep.await {
                Ok(()) => Arrival::Deadline { step: at, limit },
                Err(_) => Arrival::Dropped,
            }
        }));
    }
}

/// The clock of a plan: nobody waits, and yet a timer ends only when nothing else can go on. So a limit is never reached by what is
/// merely asked, and pauses end in their order.
#[derive(Debug, Default)]
pub(super) struct PlanClock {
    /// Milliseconds since the plan began.
    now: Cell<u64>,
    busy: Cell<u32>,
    set: Cell<u64>,
    /// By when they end and in which order they were set.
    timers: RefCell<BTreeMap<(u64, u64), oneshot::Sender<()>>>,
}

impl PlanClock {
    /// Ends once the plan's time has come that far.
    pub(super) fn sleep(&self, span: Span) -> impl Future<Output = ()> + use<> {
        let (end, ended) = oneshot::channel();
        self.set.set(self.set.get() + 1);
        let at = self.now.get().saturating_add(span.0);
        self.timers.borrow_mut().insert((at, self.set.get()), end);
        async move {
            let _ = ended.await;
        }
    }

    /// While the guard lives, a call is being answered and time stands still.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.set(self.busy.get() + 1);
        Busy(self)
    }

    /// Ends the next timer that somebody waits for; whether there was one.
    pub(super) fn pass(&self) -> bool {
        if self.busy.get() > 0 {
            return false;
        }
        loop {
            let Some(((at, _), end)) = self.timers.borrow_mut().pop_first() else { return false };
            if end.send(()).is_ok() {
                self.now.set(at);
                return true;
            }
        }
    }
}

/// A call that is being answered.
#[derive(Debug)]
pub(super) struct Busy<'a>(&'a PlanClock);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn timers_of_a_plan_end_in_their_order_and_not_while_a_call_is_answered() {
        let clock = PlanClock::default();
        let (late, mut early) =
            (clock.sleep(Span::mins(5)), clock.sleep(Span::secs(1)).boxed_local());
        let busy = clock.busy();
        assert!(!clock.pass());
        drop(busy);
        assert!(clock.pass());
        assert_eq!((&mut early).now_or_never(), Some(()));
        drop(late);
        assert!(!clock.pass(), "nobody waits for the other any more");
    }
}
