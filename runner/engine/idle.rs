//! Waiting: when nothing is ready, simulated time goes on. Real time does so by itself.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use crate::sys::world::World;

/// Polls a future to its end outside the loop; simulated time passes while it waits.
pub async fn passing_time<T>(world: &dyn World, future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    let mut patience = Patience::default();
    std::future::poll_fn(|task| {
        loop {
            match Pin::new(&mut future).poll(task) {
                Poll::Ready(value) => return Poll::Ready(value),
                Poll::Pending if patience.pass(world, task) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// Lets simulated time pass, but only after the runtime had its turn: something may be ready that it has not woken yet.
#[derive(Default)]
pub(super) struct Patience {
    asked: bool,
}

impl Patience {
    pub(super) fn pass(&mut self, world: &dyn World, task: &std::task::Context<'_>) -> bool {
        if !world.simulated() {
            return false;
        }
        if !self.asked {
            self.asked = true;
            task.waker().wake_by_ref();
            return false;
        }
        self.asked = false;
        world.pass_time()
    }
}
