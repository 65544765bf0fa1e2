//! The host behind the engine's seam: one set of hands per run, and one over an overlay of files for plans.

use std::rc::Rc;

use ops_core::call::table::Call;
use ops_core::call::{Common, Witness};
use ops_core::error::{CallError, ErrorKind};
use ops_core::guard::{EvidenceNeed, Facts, Seen};
use ops_core::inventory::{Cluster, LockFile};
use ops_core::trace::{Reason, Why};
use ops_core::value::Value;

use super::hands::{Attendant, Hands};
use crate::host::recorder::{RecordedSecrets, Recording};
use crate::host::{self, HostCx, Memo, Prediction, evidence};
use crate::sys::blobs::Blobs;
use crate::sys::files::Files;
use crate::sys::secrets::Secrets;
use crate::sys::world::{Local, Unwatched, Watcher, World};

/// What the host carries calls out with.
pub struct Hosted {
    /// Tools, the Kubernetes API, time.
    pub world: Rc<dyn World>,
    /// Files of the repository; in a plan an overlay.
    pub files: Rc<dyn Files>,
    /// Content that calls hand on.
    pub blobs: Rc<dyn Blobs>,
    /// Secrets by reference.
    pub secrets: Rc<dyn Secrets>,
    /// The cluster; none for recipes without one.
    pub cluster: Option<Cluster>,
    /// Its pins.
    pub lock: Option<LockFile>,
    /// Absolute path of the repository.
    pub root: String,
    /// What stays true for a whole run.
    pub memo: Memo,
}

impl Hosted {
    fn cx<'a>(&'a self, watcher: &'a dyn Watcher, waits: &'a dyn Fn(&str, u64, u64)) -> HostCx<'a> {
        HostCx {
            world: &*self.world,
            files: &*self.files,
            blobs: &*self.blobs,
            secrets: &*self.secrets,
            cluster: self.cluster.as_ref(),
            lock: self.lock.as_ref(),
            root: &self.root,
            watcher,
            waits,
            memo: &self.memo,
        }
    }
}

fn silent(_: &str, _: u64, _: u64) {}

impl Hands for Hosted {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        common: &'a Common,
        attendant: &'a dyn Attendant,
    ) -> Local<'a, Result<Value, CallError>> {
        Box::pin(async move {
            let waits = |reason: &str, ms: u64, limit: u64| attendant.waits(reason, ms, limit);
            let cx = self.cx(attendant, &waits);
            let Some(recorder) = attendant.recorder() else {
                return host::perform(call, common, &cx).await;
            };
            let files = Recording::new(&*self.files, recorder, call.spec());
            let secrets = RecordedSecrets::new(&*self.secrets, recorder);
            let recorded = HostCx { files: &files, secrets: &secrets, ..cx };
            let reply = host::perform(call, common, &recorded).await;
            match &reply {
                Ok(reply) => {
                    recorder.after(call, reply);
                    if let Some((what, at)) = host::ends(call, &cx) {
                        recorder.until(&what, at);
                    }
                }
                // That something is not there is an answer, and an input; any other failure may be another one next time.
                Err(error) if error.kind == ErrorKind::NotFound && error.tool.is_none() => {}
                Err(_) => recorder.keep(Reason::of(Why::Recovered, "")),
            }
            reply
        })
    }

    fn predict<'a>(
        &'a self,
        call: &'a Call,
        common: &'a Common,
    ) -> Local<'a, Result<Prediction, CallError>> {
        Box::pin(async move { host::predict(call, common, &self.cx(&Unwatched, &silent)).await })
    }

    fn witness<'a>(&'a self, witness: &'a Witness) -> Local<'a, Value> {
        Box::pin(
            async move { host::witness::witness(witness, &self.cx(&Unwatched, &silent)).await },
        )
    }

    fn overlaid(&self) -> Vec<String> {
        self.files.overlaid()
    }

    fn facts<'a>(&'a self, needs: &'a [EvidenceNeed], calls: &'a [&'a Call]) -> Local<'a, Facts> {
        Box::pin(async move {
            let cx = self.cx(&Unwatched, &silent);
            let mut facts = evidence::facts(needs, &cx).await;
            for call in calls {
                let Call::TalosApplyConfig(apply) = call else { continue };
                let at = self.world.now();
                let config = match evidence::config_facts(&cx, &apply.file) {
                    Ok(mut config) => {
                        let common = Common::default();
                        if let Ok(foreseen) = host::predict(call, &common, &cx).await {
                            config.reboots = match foreseen.reply["reboot"].as_str() {
                                Some("none" | "staged") => Some(false),
                                Some("now") => Some(true),
                                _ if !foreseen.changed => Some(false),
                                _ => None,
                            };
                        }
                        Seen::known(at, config)
                    }
                    Err(error) => Seen::unknown(at, error.message),
                };
                facts.node_mut(&apply.node).config = Some(config);
            }
            facts
        })
    }
}
