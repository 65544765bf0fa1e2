//! `--wait`: version, events, boot id, action, events again, post check — the client's own steps,
//! each of them a place where it can be killed.

use super::{Ctl, Named, Trouble};
use crate::face::text::uuid;
use crate::face::{Boxed, Exit, join};
use crate::node::{NodeEvent, Phase, SequenceName, Stage};
use crate::reply::Reply;
use crate::request::{Auth, Kind, Request, Route};
use crate::world::Ms;

/// What ends the wait for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// All services are being stopped: reset and shutdown.
    Stopping,
    /// Running and ready: reboot.
    Ready,
}

/// What is looked at when the events are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostCheck {
    /// Nothing.
    None,
    /// Another boot id.
    BootId,
    /// Maintenance mode, or another boot id.
    MaintenanceOrBootId,
}

/// An action that is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) request: Request,
    pub(crate) until: Until,
    pub(crate) post: PostCheck,
    pub(crate) timeout: Ms,
}

/// Runs the action on every node and follows each.
pub(crate) async fn track(ctl: Ctl, action: Action) -> Exit {
    let _ = ctl.fan_out(Request::Version).await;
    let deadline = ctl.io.now() + action.timeout;
    let parts: Vec<Boxed<bool>> = ctl
        .nodes
        .iter()
        .map(|node| {
            let one =
                One { ctl: ctl.clone(), node: node.clone(), action: action.clone(), deadline };
            Box::pin(one.run()) as Boxed<bool>
        })
        .collect();
    let all = join(parts).await.into_iter().all(|done| done);
    Exit::Code(i32::from(!all))
}

struct One {
    ctl: Ctl,
    node: Named,
    action: Action,
    deadline: Ms,
}

impl One {
    fn update(&self, text: &str) {
        self.ctl.io.err(format!("{:?}: {text}\n", self.node.label));
    }

    fn late(&self) -> bool {
        self.ctl.io.now() >= self.deadline
    }

    async fn run(self) -> bool {
        match self.follow().await {
            Ok(()) => true,
            Err(text) => {
                self.update(&text);
                false
            }
        }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Trouble> {
        self.ctl.ask(&self.node, request).await
    }

    async fn boot_id(&self) -> Result<u64, Trouble> {
        match self.ask(Request::BootId).await? {
            Reply::BootId(id) => Ok(id),
            _ => Ok(0),
        }
    }

    async fn follow(&self) -> Result<(), String> {
        // The watch is opened before the action, so that nothing is missed.
        let opened = self.open().await;
        let mut position = opened.unwrap_or(0);
        if opened.is_some() {
            self.update("waiting for actor ID");
        }
        match self.act().await {
            Ok((actor, before)) => {
                self.update(&format!("actor ID: {}", uuid(actor)));
                self.events(&mut position, actor).await?;
                self.update("events check condition met");
                match self.action.post {
                    PostCheck::None => Ok(()),
                    _ => self.post_check(before).await,
                }
            }
            Err(text) if opened.is_none() => {
                // The watch still retries when the action has already failed for good.
                self.update(&text);
                Err("unavailable, retrying...".into())
            }
            Err(text) => Err(text),
        }
    }

    /// Boot id, where it is compared later, then the action itself.
    async fn act(&self) -> Result<(u64, u64), String> {
        let before = match self.action.post {
            PostCheck::None => 0,
            _ => self.boot_id().await.map_err(|trouble| trouble.text)?,
        };
        let reply = self.ask(self.action.request.clone()).await.map_err(|trouble| trouble.text)?;
        match reply {
            Reply::Actor(actor) => Ok((actor, before)),
            _ => Err("no messages returned from action run".into()),
        }
    }

    /// Opens the watch: where its stream stands, or nothing when the node cannot be reached.
    async fn open(&self) -> Option<u32> {
        match self.ask(Request::Events { after: 0 }).await {
            Ok(Reply::Events(events)) => Some(events.last().map_or(0, |(at, _)| at + 1)),
            Ok(_) => Some(0),
            Err(_) => None,
        }
    }

    async fn events(&self, position: &mut u32, mut actor: u64) -> Result<(), String> {
        loop {
            if self.late() {
                return Err("context deadline exceeded".into());
            }
            match self.ask(Request::Events { after: *position }).await {
                Ok(Reply::Events(events)) if events.is_empty() => *position = 0,
                Ok(Reply::Events(events)) => {
                    for (at, event) in events {
                        *position = at + 1;
                        if self.meets(event) {
                            return Ok(());
                        }
                        self.show(event, actor)?;
                    }
                }
                Ok(_) => {}
                Err(trouble) if trouble.unavailable() => {
                    self.update("unavailable, retrying...");
                    (*position, actor) = (0, 0);
                    self.ctl.io.sleep(1_000).await;
                }
                Err(trouble) => return Err(trouble.text),
            }
        }
    }

    fn meets(&self, event: NodeEvent) -> bool {
        match self.action.until {
            Until::Stopping => matches!(event, NodeEvent::StopAllServices { .. }),
            Until::Ready => {
                matches!(event, NodeEvent::Status { stage: Stage::Running, ready: true })
            }
        }
    }

    /// Shows an event of our actor. A locked sequence ends the wait; else only the clock does.
    fn show(&self, event: NodeEvent, ours: u64) -> Result<(), String> {
        let action = |start: bool| if start { "START" } else { "STOP" };
        match event {
            NodeEvent::Sequence { kind, actor, start } if actor == ours => {
                self.update(&format!("sequence: {} action: {}", sequence(kind), action(start)));
                if kind == SequenceName::Reboot {
                    // A line of the real tool, which goes on after it.
                    self.update("error: reboot sequence completed");
                }
            }
            NodeEvent::Locked { kind, actor } if actor == ours => {
                let text = "error: [code: sequence is locked message: LOCKED]";
                self.update(&format!("sequence: {} action: NOOP {text}", sequence(kind)));
                return Err("error: sequence error: sequence is locked".into());
            }
            NodeEvent::Failed { kind, actor } if actor == ours => {
                let text = "error: [code: sequence failed message: FATAL]";
                self.update(&format!("sequence: {} action: NOOP {text}", sequence(kind)));
                return Err("error: sequence error: sequence failed".into());
            }
            NodeEvent::Phase { phase, actor, start } if actor == ours => {
                let (phase, task) = words(phase);
                let lines = [
                    format!("phase: {phase} action: {}", action(start)),
                    format!("task: {task} action: {}", action(start)),
                ];
                // The task that ends the wait is an event of its own.
                let shown = if task == "stopAllServices" { &lines[..1] } else { &lines[..] };
                if start {
                    for line in shown {
                        self.update(line);
                    }
                } else {
                    for line in shown.iter().rev() {
                        self.update(line);
                    }
                }
            }
            NodeEvent::StopAllServices { actor } if actor == ours => {
                self.update("task: stopAllServices action: START");
                self.update("error: stopAllServices task completed");
            }
            NodeEvent::Status { stage, ready } if ours == 0 => {
                let stage = stage.word().to_uppercase().replace(' ', "_");
                self.update(&format!("stage: {stage} ready: {ready} unmetCond: []"));
            }
            _ => {}
        }
        Ok(())
    }

    async fn post_check(&self, before: u64) -> Result<(), String> {
        loop {
            if self.late() {
                return Err("context deadline exceeded".into());
            }
            if self.action.post == PostCheck::MaintenanceOrBootId && self.maintenance().await {
                self.update("post check passed");
                return Ok(());
            }
            match self.boot_id().await {
                Ok(now) if now != before => {
                    self.update("post check passed");
                    return Ok(());
                }
                Ok(_) => {}
                Err(trouble) if trouble.unavailable() => self.update("unavailable, retrying..."),
                Err(trouble) => return Err(trouble.text),
            }
            self.ctl.io.sleep(1_000).await;
        }
    }

    /// Whether the node lists its disks to an anonymous client.
    async fn maintenance(&self) -> bool {
        let route =
            Route::Talos { endpoint: self.node.node, target: self.node.node, auth: Auth::Insecure };
        self.ctl.io.call(route, Request::Get(Kind::Disks)).await.is_ok()
    }
}

fn sequence(kind: SequenceName) -> &'static str {
    match kind {
        SequenceName::Boot => "boot",
        SequenceName::Install => "install",
        SequenceName::Reboot => "reboot",
        SequenceName::Reset => "reset",
        SequenceName::Shutdown => "shutdown",
    }
}

/// A phase and its task.
fn words(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::StoreShutdown => ("storeShutdown", "storeShutdownEmergency"),
        Phase::Drain => ("drain", "cordonAndDrainNode"),
        Phase::StopPods => ("cleanup", "stopAllPods"),
        Phase::RemovePods => ("cleanup", "removeAllPods"),
        Phase::Dbus => ("dbus", "stopDBus"),
        Phase::Leave => ("leave", "leaveEtcd"),
        Phase::PreReset => ("preReset", "sendResetSignal"),
        Phase::StopServices => ("stopServices", "stopServicesForUpgrade"),
        Phase::Umount => ("umount", "unmountPodMounts"),
        Phase::UnmountBind => ("unmountBind", "unmountSystemDiskBindMounts"),
        Phase::UnmountSystem => ("unmountSystem", "unmountEphemeralPartition"),
        Phase::VolumeFinalize => ("volumeFinalize", "teardownLifecycle"),
        Phase::Kexec => ("kexec", "kexecPrepare"),
        Phase::StopEverything => ("stopEverything", "stopAllServices"),
    }
}
