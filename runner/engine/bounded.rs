//! A limit in front of the gate: calls above an effect are refused before anything of them happens. Judges no more than that.

use ops_core::call::{CallSpec, Request};
use ops_core::effect::{Effect, Scope};
use ops_core::error::{Code, Fault};
use ops_core::ident::CallId;
use ops_core::record::Record;
use ops_core::value::{Blob, Value};

use super::backend::{Backend, Finished, Ready, Settlement};
use super::replay::Known;
use super::skip::local;
use crate::recipe::{Catalog, Head};
use crate::sys::world::Local;

/// Whether a call of a recipe changes files at most. Shell does where the recipe says what it reads or writes, as a step of such shell is
/// skipped for the same reason.
pub fn files_at_most(
    catalog: &Catalog,
    id: &CallId,
    request: &Request,
    spec: &dyn CallSpec,
) -> bool {
    let recipe = id.path.0.split('{').next().unwrap_or_default();
    let says = |head: &Head| !head.sources.is_empty() || !head.generates.is_empty();
    let covered = catalog.get(recipe).is_some_and(says);
    let shell = spec.scope() == Scope::Process && local(request, spec, covered);
    spec.effect() <= Effect::Files || shell
}

/// A backend that carries out files and reads, and refuses what changes more: `ops watch` without `--apply`.
pub struct FilesOnly<'a>(pub &'a dyn Backend, pub &'a Catalog);

impl Backend for FilesOnly<'_> {
    fn call(&self, ready: Ready) -> Local<'_, Finished> {
        if files_at_most(self.1, &ready.id, &ready.request, ready.call.spec()) {
            return self.0.call(ready);
        }
        Box::pin(async move { Finished::Stop(Box::new(refusal(&ready))) })
    }

    fn engine_call(&self, id: CallId, request: Request) -> Local<'_, Finished> {
        self.0.engine_call(id, request)
    }

    fn record(&self, record: Record) -> Result<(), Box<Fault>> {
        self.0.record(record)
    }

    fn store(&self, bytes: &[u8]) -> Result<Blob, Box<Fault>> {
        self.0.store(bytes)
    }

    fn load(&self, blob: &Blob) -> Result<Value, Box<Fault>> {
        self.0.load(blob)
    }

    fn signal(&self, calls: Option<&[CallId]>, hard: bool) {
        self.0.signal(calls, hard);
    }

    fn settle(&self, known: Known, ready: Ready) -> Local<'_, Settlement> {
        self.0.settle(known, ready)
    }

    fn revive(&self, wait: Option<Ready>) -> Local<'_, Result<(), Box<Fault>>> {
        self.0.revive(wait)
    }

    fn pass_time(&self) -> bool {
        self.0.pass_time()
    }

    fn stray(&self, fault: Fault) -> Fault {
        self.0.stray(fault)
    }

    fn records(&self) -> bool {
        self.0.records()
    }

    fn foreseen(&self) -> Vec<String> {
        self.0.foreseen()
    }
}

fn refusal(ready: &Ready) -> Fault {
    let (call, about) = (&ready.request.call, ready.call.spec().about());
    let fault = Fault::new(Code::NOT_APPLIED, format!("`{call}` changes more than files"))
        .detail(format!("{call} {about}").trim_end().to_owned())
        .help("`ops watch --apply …` carries such calls out, behind the same guards as `ops run`");
    let shell = matches!(call.as_str(), "sh" | "sh.exec");
    let fault = if shell {
        fault.help("shell that changes files only says so: `effect = \"files\"`, and what it reads: `reads = { … }`")
    } else {
        fault
    };
    match &ready.request.place {
        Some(place) => fault.at(place.clone()),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use ops_core::call::table::Call;
    use ops_core::ident::Branch;
    use serde_json::json;

    use super::*;

    #[test]
    fn files_and_reads_pass_and_shell_only_where_it_says_what_it_touches() {
        let mut catalog = Catalog::default();
        let head = |name: &str, sources: &[&str]| Head {
            name: name.into(),
            sources: sources.iter().map(|s| (*s).to_owned()).collect(),
            ..Head::default()
        };
        catalog.insert(head("t:says", &["in/*"]));
        catalog.insert(head("t:silent", &[]));
        let rows = [
            ("t:silent", "fs.read", json!({"path": "x"}), true),
            ("t:silent", "fs.write", json!({"path": "x", "content": "y"}), true),
            ("t:silent", "talos.reboot", json!({"node": "w-1"}), false),
            ("t:says", "talos.reboot", json!({"node": "w-1"}), false),
            ("t:silent", "sh", json!({"script": "make"}), false),
            ("t:silent", "sh", json!({"script": "make", "effect": "files"}), true),
            ("t:silent", "sh", json!({"script": "make", "effect": "reads"}), true),
            ("t:says", "sh", json!({"script": "make"}), true),
            ("t:says", "sh.exec", json!({"argv": ["make"]}), true),
            ("t:says", "sh", json!({"script": "make", "effect": "mutates"}), false),
            ("t:unknown", "sh", json!({"script": "make"}), false),
        ];
        for (recipe, call, args, passes) in rows {
            let args = args.as_object().unwrap().clone();
            let request = Request { call: call.into(), args, place: None };
            let (decoded, _) = Call::decode(&request).unwrap();
            let id = CallId { path: Branch(format!("{recipe}{{0}}/each[a]")), seq: 1 };
            let found = files_at_most(&catalog, &id, &request, decoded.spec());
            assert_eq!(found, passes, "{recipe} {request:?}");
        }
    }
}
