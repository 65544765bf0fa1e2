//! The live world: this machine's processes, the real Kubernetes API, the wall clock. Knows nothing of recipes or guards.

use std::task::{Context, Poll};

use ops_core::argv::{Argv, ToolOutput};
use ops_core::call::Target;
use ops_core::time::{Span, Time};

use super::channel::{Printed, Said};
use super::kube::KubeClients;
use super::process::Processes;
use super::world::{KubeReply, KubeRequest, Local, ToolFailure, Watcher, World};
use super::{clock, random};

/// The real world.
pub struct Live {
    processes: Processes,
    kube: KubeClients,
}

impl Live {
    /// The real world, with these processes.
    pub fn new(processes: Processes) -> Live {
        Live { processes, kube: KubeClients::default() }
    }

    /// Its processes: to interrupt a group, to find a program.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }
}

impl World for Live {
    fn run<'a>(
        &'a self,
        argv: &'a Argv,
        timeout: Option<Span>,
        watcher: &'a dyn Watcher,
    ) -> Local<'a, Result<ToolOutput, ToolFailure>> {
        Box::pin(self.processes.run(argv, timeout, watcher))
    }

    fn kube<'a>(
        &'a self,
        target: &'a Target,
        request: &'a KubeRequest,
    ) -> Local<'a, Result<KubeReply, ToolFailure>> {
        Box::pin(self.kube.ask(target, request))
    }

    fn now(&self) -> Time {
        clock::now()
    }

    fn sleep(&self, span: Span) -> Local<'_, ()> {
        Box::pin(tokio::time::sleep(clock::duration(span)))
    }

    fn poll_said(&self, task: &mut Context<'_>) -> Poll<(Option<i32>, Said)> {
        self.processes.poll_said(task)
    }

    fn answer(&self, said: Said, printed: &Printed) {
        self.processes.answer(said, printed);
    }

    fn random(&self) -> u64 {
        // A system without randomness has at least a clock: names stay apart, and no key is made from this.
        random::bits().unwrap_or_else(|_| clock::now().0)
    }

    fn simulated(&self) -> bool {
        false
    }
}
