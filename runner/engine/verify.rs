//! Verification: plans a recipe, gathers the evidence for exactly its destroying calls, and issues the grant. Also the `safety.*` calls.
//!
//! A recipe asks for evidence and gets a handle; what the handle stands for stays here, so no recipe can vouch for itself.

use std::cell::RefCell;

use ops_core::error::{Code, Fault};
use ops_core::guard::{
    self, Asked, Case, Evidence, GRANT_VERSION, Grant, GrantKind, Refusal, Slot,
};
use ops_core::ident::RunId;
use ops_core::value::{Digest, Handle, Map, ReportRef, Value};
use serde_json::json;

use super::backend::{Finished, Ready};
use super::gate::Safety;
use super::idle::passing_time;
use super::session::{Session, planned_calls};
use crate::recipe::Need;
use crate::sys::world::Local;

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The table of evidence.
    pub rows: Vec<Evidence>,
    /// Why it cannot be granted.
    pub refused: Option<Box<Refusal>>,
    /// What a grant would permit: its kind and a slot per destroying call.
    pub grantable: Option<(GrantKind, Vec<Slot>)>,
    /// Recipe and digest of its arguments.
    pub recipe: String,
    /// Digest of the recipe's arguments.
    pub args: Option<Digest>,
    /// The command that a grant permits.
    pub command: String,
}

impl Session<'_> {
    /// Verifies a recipe with its parameters.
    ///
    /// # Errors
    /// Unknown recipes, wrong arguments, faults while planning. A guard's refusal is part of the answer.
    pub async fn verify(&self, need: &Need) -> Result<Verification, Box<Fault>> {
        let name = self.catalog.get(&need.recipe).map_or(need.recipe.clone(), |h| h.name.clone());
        let asked = std::slice::from_ref(need);
        self.partitions_given(asked).await?;
        let plan = self.plan(asked).await?;
        let args = (self.bind)(&name, &need.args)?;
        let calls = match planned_calls(&plan.planned) {
            Ok(calls) => calls,
            Err(fault) => return Err(fault),
        };
        let invocation = self.invocation(need, &args);
        let mut found = Verification {
            recipe: name,
            args: Some(invocation.args),
            command: invocation.command,
            ..Verification::default()
        };
        match self.judge(asked, &calls, false).await {
            Ok(passed) => {
                found.rows = passed.rows;
                found.grantable = passed.grantable;
            }
            Err(refusal) => {
                found.rows.clone_from(&refusal.rows);
                found.refused = Some(refusal);
                return Ok(found);
            }
        }
        if let Some(fault) = plan.faults.into_iter().next() {
            return Err(Box::new(fault));
        }
        Ok(found)
    }

    /// The evidence of the cluster's state alone: what taking any one node away would stand on. Grants nothing.
    pub async fn evidence(&self) -> Verification {
        let needs = guard::standing(&self.site);
        let facts = passing_time(self.world, self.hands.facts(&needs, &[])).await;
        let nothing = Digest::of(&Value::Null);
        let case = Case {
            site: self.site,
            asked: Asked {
                recipe: "",
                args: &nothing,
                command: "",
                destructive: false,
                partitions: None,
            },
            facts: &facts,
            now: self.world.now(),
        };
        let rows = needs.iter().map(|need| guard::row(need, &case)).collect();
        Verification { rows, ..Verification::default() }
    }

    /// Issues the grant that a verification allows.
    ///
    /// # Errors
    /// The refusal, or that nothing needs a grant, or that the store cannot be written.
    pub fn issue(&self, found: &Verification) -> Result<Grant, Box<Fault>> {
        if let Some(refusal) = &found.refused {
            return Err(Box::new(refusal.fault.clone()));
        }
        let Some((kind, slots)) = found.grantable.clone().filter(|(_, slots)| !slots.is_empty())
        else {
            return Err(Box::new(
                Fault::new(
                    Code::NO_GRANT,
                    format!("{} makes no call that needs a grant", found.recipe),
                )
                .next(format!("ops run {}", found.command)),
            ));
        };
        let grant = Grant {
            version: GRANT_VERSION,
            id: RunId::from_random(self.world.random(), 4).0,
            cluster: self.site.cluster.name.clone(),
            pin: guard::cluster_pin(&self.site),
            lab: self.site.lab,
            kind,
            recipe: found.recipe.clone(),
            args: found.args.clone().unwrap_or_else(|| Digest::of(&Value::Null)),
            slots,
            issued: self.world.now(),
            who: self.keep.who(),
            mac: Digest::of(&Value::Null),
        }
        .seal(&self.keep.key());
        self.keep.issue(&grant)?;
        Ok(grant)
    }
}

/// Turns words of a command line into arguments of a recipe.
pub type Words<'a> = dyn Fn(&str, &[String]) -> Result<Map<String, Value>, Box<Fault>> + 'a;

/// Carries out `safety.*` and keeps what its reports stand for.
pub struct Desk<'a> {
    session: &'a Session<'a>,
    words: &'a Words<'a>,
    reports: RefCell<Vec<Verification>>,
}

impl<'a> Desk<'a> {
    /// A desk without reports.
    pub fn new(session: &'a Session<'a>, words: &'a Words<'a>) -> Desk<'a> {
        Desk { session, words, reports: RefCell::default() }
    }

    async fn answer(&self, ready: &Ready) -> Result<Value, Box<Fault>> {
        match ready.request.call.as_str() {
            "safety.evidence" => self.report(&ready.request.args).await,
            "safety.issue" => self.issue(&ready.request.args),
            "safety.current" => {
                let grants = self.session.keep.grants()?;
                Ok(grants.iter().map(|held| shown(&held.grant)).collect())
            }
            other => Err(Box::new(Fault::new(Code::BUG, format!("nobody carries out `{other}`")))),
        }
    }

    async fn report(&self, args: &Map<String, Value>) -> Result<Value, Box<Fault>> {
        let found = match args.get("recipe").and_then(Value::as_str) {
            Some(recipe) => {
                let words: Vec<String> = args
                    .get("with")
                    .and_then(Value::as_array)
                    .map(|w| w.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
                    .unwrap_or_default();
                let given = (self.words)(recipe, &words)?;
                self.session.verify(&Need { recipe: recipe.to_owned(), args: given }).await?
            }
            None => self.session.evidence().await,
        };
        let now = self.session.world.now();
        let checks: Vec<Value> = found.rows.iter().map(|row| check(row, now)).collect();
        let open = found.rows.iter().filter(|row| !row.state.holds()).count();
        let proven = open == 0 && found.refused.is_none();
        let id = self.reports.borrow().len() as u64;
        self.reports.borrow_mut().push(found);
        let handle = Handle::Report(ReportRef { id }).to_value();
        Ok(json!({"proven": proven, "open": open, "checks": checks, "report": handle}))
    }

    fn issue(&self, args: &Map<String, Value>) -> Result<Value, Box<Fault>> {
        let given = args.get("report").cloned().unwrap_or_default();
        let inner = given.get("report").cloned().unwrap_or(given);
        let report = match Handle::from_value(&inner) {
            Some(Handle::Report(report)) => self.reports.borrow().get(report.id as usize).cloned(),
            _ => None,
        };
        let Some(found) = report else {
            return Err(Box::new(
                Fault::new(Code::EVIDENCE, "there is no evidence behind this report")
                    .help("evidence is never taken over from another run: verify again"),
            ));
        };
        self.session.issue(&found).map(|grant| shown(&grant))
    }
}

impl Safety for Desk<'_> {
    fn call<'a>(&'a self, ready: &'a Ready) -> Local<'a, Finished> {
        Box::pin(async move {
            match self.answer(ready).await {
                Ok(reply) => Finished::Reply(Ok(reply)),
                Err(fault) => Finished::Stop(fault),
            }
        })
    }
}

fn shown(grant: &Grant) -> Value {
    let slots: Vec<String> = grant.slots.iter().map(ToString::to_string).collect();
    json!({"grant": grant.id, "recipe": grant.recipe, "cluster": grant.cluster, "kind": grant.kind, "slots": slots})
}

fn check(row: &Evidence, now: ops_core::time::Time) -> Value {
    json!({
        "node": row.node,
        "code": row.code.word(),
        "state": row.state.word(),
        "found": row.found,
        "age": now.since(row.at).to_string(),
        "way_out": row.way_out,
    })
}
