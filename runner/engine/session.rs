//! One invocation from its recipes to its end: bind, graph, preflight, plan, run, resume, proof. Wires the loop to backends; judges nothing.

use ops_core::call::table::Call;
use ops_core::effect::Effect;
use ops_core::error::{Code, Fault};
use ops_core::event::{Event, Events, Silent};
use ops_core::guard::{
    self, Asked, Case, Claims, Confirmed, EvidenceCode, EvidenceNeed, Passed, PlannedCall, Refusal,
    Site,
};
use ops_core::ident::{Branch, RunId};
use ops_core::record::Record;
use ops_core::trace::Verdict;
use ops_core::value::{Digest, Map, Value, has_later};
use tokio::sync::mpsc::UnboundedReceiver;

use super::backend::Backend;
use super::gate::Invocation;
use super::graph::{Ask, Bind, Graph, reaches_destroy};
use super::hands::Hands;
use super::idle::passing_time;
use super::keep::{Asker, Keep, no_answer};
use super::needs::Asking;
use super::plan::{PlanBackend, Planned};
use super::replay::{self, Replay};
use super::run::{Bodies, Context, Ended, Part, Run};
use super::signal::Signal;
use super::skip::Skip;
use crate::recipe::{Catalog, Need, ParamKind};
use crate::sys::world::World;

/// Everything that an invocation stands on.
pub struct Session<'a> {
    /// Where calls take effect.
    pub world: &'a dyn World,
    /// What carries calls out.
    pub hands: &'a dyn Hands,
    /// The same over an overlay of files, so that a plan writes nothing.
    pub plan_hands: &'a dyn Hands,
    /// The cluster and its pins.
    pub site: Site<'a>,
    /// Whether recipes have a cluster at all.
    pub with_cluster: bool,
    /// Every recipe.
    pub catalog: &'a Catalog,
    /// Who runs bodies.
    pub bodies: &'a dyn Bodies,
    /// Binds arguments.
    pub bind: &'a Bind<'a>,
    /// Grants and locks.
    pub keep: &'a dyn Keep,
    /// Who is told.
    pub events: &'a dyn Events,
    /// Who is asked.
    pub asker: &'a dyn Asker,
    /// Prompts that are no typed confirmation are answered with yes.
    pub yes: bool,
    /// The run.
    pub run: RunId,
    /// How many steps may run at once.
    pub jobs: usize,
    /// A failed step does not keep independent ones from starting.
    pub keep_going: bool,
    /// Judges whether steps are up to date; nothing where every step runs.
    pub skip: Option<&'a Skip<'a>>,
}

/// What a plan found.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Every call, in order.
    pub planned: Vec<Planned>,
    /// Where a branch's plan ends because it looks at what nobody can know yet.
    pub frontiers: Vec<Fault>,
    /// What went wrong while planning.
    pub faults: Vec<Fault>,
    /// How each step was judged, by its branch: whether it runs at all.
    pub judged: Vec<(Branch, Verdict)>,
}

impl Plan {
    /// Whether it would change anything outside this machine.
    pub fn changes(&self) -> usize {
        self.planned.iter().filter(|p| p.changed && p.effect.changes_world()).count()
    }

    /// How many calls it would destroy with.
    pub fn destroys(&self) -> usize {
        self.planned.iter().filter(|p| p.effect == Effect::Destroys).count()
    }
}

/// What the preflight of a run gave.
#[derive(Clone, Debug, Default)]
pub struct Cleared {
    /// The typed confirmation, where something is destroyed.
    pub confirmed: Option<Confirmed>,
    /// The grant that the run has claimed.
    pub claimed: Option<String>,
}

impl Session<'_> {
    /// The graph of what was asked for.
    ///
    /// # Errors
    /// Unknown recipes, circles, wrong arguments, what goes wrong in a `needs` function.
    pub fn graph(&self, asked: &[Need]) -> Result<Graph, Box<Fault>> {
        let asking = Asking {
            bodies: self.bodies,
            catalog: self.catalog,
            cluster: self.with_cluster.then_some(self.site.cluster),
            run: &self.run,
        };
        let ask: &Ask<'_> = &|head, args| asking.needs(head, args);
        Graph::build(self.catalog, asked, self.bind, ask)
    }

    /// Recipe and arguments as guards and refusals name them.
    pub fn invocation(&self, need: &Need, args: &Map<String, Value>) -> Invocation {
        let head = self.catalog.get(&need.recipe);
        let partitions = head
            .and_then(|h| h.params.iter().find(|p| matches!(p.kind, ParamKind::Partitions { .. })))
            .map(|p| p.name.clone());
        let mut command = head.map_or_else(|| need.recipe.clone(), |h| h.name.clone());
        for (name, value) in &need.args {
            let words = match value {
                Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
                other => word(other),
            };
            command.push_str(&format!(" --{} {words}", name.replace('_', "-")));
        }
        Invocation {
            recipe: head.map_or_else(|| need.recipe.clone(), |h| h.name.clone()),
            args: Digest::of(&Value::Object(args.clone())),
            command,
            partitions,
        }
    }

    pub(super) fn context<'c>(
        &'c self,
        backend: &'c dyn Backend,
        events: &'c dyn Events,
        part: Part,
    ) -> Context<'c> {
        Context {
            world: self.world,
            backend,
            bodies: self.bodies,
            catalog: self.catalog,
            cluster: self.with_cluster.then_some(self.site.cluster),
            run: self.run.clone(),
            bind: self.bind,
            events,
            jobs: self.jobs,
            keep_going: self.keep_going,
            part,
            skip: self.skip,
        }
    }

    /// Plans: reads are performed, everything else is predicted.
    ///
    /// # Errors
    /// Unknown recipes and wrong arguments. What goes wrong inside recipes is part of the plan.
    pub async fn plan(&self, asked: &[Need]) -> Result<Plan, Box<Fault>> {
        let graph = self.graph(asked)?;
        let backend = PlanBackend::new(self.plan_hands, self.world.now());
        let ended = {
            let cx = self.context(&backend, &Silent, Part::Whole);
            let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
            Run::new(&cx, graph, signals).run().await
        };
        let (frontiers, faults) = ended
            .faults
            .into_iter()
            .map(|(_, fault)| fault)
            .partition(|fault| fault.code == Code::FRONTIER);
        Ok(Plan { planned: backend.into_planned(), frontiers, faults, judged: ended.judged })
    }

    /// Runs one function of every recipe of the graph, by reads alone.
    pub(super) async fn part(&self, graph: &Graph, part: Part) -> Ended {
        let backend = PlanBackend::new(self.plan_hands, self.world.now());
        let cx = self.context(&backend, &Silent, part);
        let (_keep, signals) = tokio::sync::mpsc::unbounded_channel();
        Run::new(&cx, graph.clone(), signals).run().await
    }

    /// Everything that is decided before the first step: parameters, preconditions, guards over the whole sequence, one question.
    ///
    /// # Errors
    /// The first thing that does not hold; nothing was changed.
    pub async fn preflight(&self, asked: &[Need], graph: &Graph) -> Result<Cleared, Box<Fault>> {
        for part in [Part::Parameters, Part::Preconditions] {
            let ended = self.part(graph, part).await;
            // What is missing only because an earlier step makes it is asked again just before its own step.
            let waits = |fault: &Fault| {
                part == Part::Preconditions
                    && fault.code == Code::CALL_FAILED
                    && (fault.title.contains("unreachable") || fault.title.contains("not_found"))
            };
            if let Some((_, fault)) = ended.faults.into_iter().find(|(_, fault)| !waits(fault)) {
                return Err(Box::new(fault));
            }
        }
        self.tools(graph).await?;
        self.confirm_recipes(graph).await?;
        if !graph.steps.iter().any(|step| reaches_destroy(self.catalog, &step.recipe)) {
            return Ok(Cleared::default());
        }
        self.partitions_given(asked).await?;
        let plan = self.plan(asked).await?;
        if let Some(fault) = plan.faults.into_iter().next() {
            return Err(Box::new(fault));
        }
        for frontier in &plan.frontiers {
            let text = format!(
                "the plan ends at: {}; calls behind it are judged one by one",
                frontier.title
            );
            self.events.event(&Event::Note { branch: None, text });
        }
        let calls = planned_calls(&plan.planned)?;
        let passed =
            self.judge(asked, &calls, true).await.map_err(|refusal| Box::new(refusal.fault))?;
        let destroying: Vec<&Call> = calls
            .iter()
            .map(|p| &p.call)
            .filter(|call| call.spec().effect() == Effect::Destroys)
            .collect();
        let confirmed = match guard::question(&destroying, &self.site) {
            Some(question) => {
                let typed = self.asker.typed(&question.lines, &question.words);
                let confirmed = question.answer(typed.as_deref());
                Some(confirmed.map_err(|refusal| match typed {
                    Some(_) => refusal,
                    None => Box::new(no_answer(self.asker, *refusal)),
                })?)
            }
            None => None,
        };
        if let Some(grant) = &passed.claim {
            self.keep.claim(grant, &self.run, self.world.now())?;
        }
        Ok(Cleared { confirmed, claimed: passed.claim })
    }

    /// A destroying recipe whose parameter of type `partitions` is missing or empty is refused before anything is planned.
    ///
    /// # Errors
    /// The guard's refusal, with the labels of the real volumes where they can be read.
    pub async fn partitions_given(&self, asked: &[Need]) -> Result<(), Box<Fault>> {
        for need in asked.iter().filter(|need| reaches_destroy(self.catalog, &need.recipe)) {
            let Some(head) = self.catalog.get(&need.recipe) else { continue };
            let args = (self.bind)(&head.name, &need.args)?;
            let kind = |p: &&crate::recipe::Param| matches!(p.kind, ParamKind::Partitions { .. });
            let Some(param) = head.params.iter().find(kind) else { continue };
            let given =
                args.get(&param.name).and_then(Value::as_array).is_some_and(|l| !l.is_empty());
            if given {
                continue;
            }
            let of = match &param.kind {
                ParamKind::Partitions { of: Some(of) } => args.get(of).and_then(Value::as_array),
                _ => None,
            };
            let nodes: Vec<String> = of.into_iter().flatten().map(word).collect();
            let needs: Vec<EvidenceNeed> = nodes
                .iter()
                .map(|node| EvidenceNeed {
                    code: EvidenceCode::Disk,
                    node: Some(node.clone()),
                    fresh: EvidenceCode::Disk.fresh(),
                })
                .collect();
            let facts = passing_time(self.world, self.hands.facts(&needs, &[])).await;
            let mut real: Vec<String> = facts
                .nodes
                .values()
                .filter_map(|node| node.volumes.as_ref()?.found.as_ref().ok())
                .flatten()
                .map(|volume| volume.label.clone())
                .collect();
            real.sort();
            real.dedup();
            let command = self.invocation(need, &args).command;
            let flag = param.name.replace('_', "-");
            let fault = guard::parameter_missing(&command, &nodes.join(", "), &flag, &real);
            return Err(Box::new(fault));
        }
        Ok(())
    }

    /// What was asked for, as one: several recipes have no arguments together.
    pub(super) fn asked_as(&self, asked: &[Need]) -> Invocation {
        if let [only] = asked {
            let name =
                self.catalog.get(&only.recipe).map_or(only.recipe.as_str(), |h| h.name.as_str());
            // They were bound before, or there would be no graph.
            let args = (self.bind)(name, &only.args).unwrap_or_default();
            return self.invocation(only, &args);
        }
        let all = Need { recipe: joined(asked), args: Map::new() };
        self.invocation(&all, &Map::new())
    }

    /// Judges a planned sequence; with claims as a run, without as `ops verify`.
    ///
    /// # Errors
    /// The first refusal, with the evidence as it stood.
    pub async fn judge(
        &self,
        asked: &[Need],
        calls: &[PlannedCall],
        as_run: bool,
    ) -> Result<Passed, Box<Refusal>> {
        let mut needs: Vec<EvidenceNeed> = Vec::new();
        for planned in calls {
            for need in guard::needed(&planned.call, &self.site) {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        let every: Vec<&Call> = calls.iter().map(|p| &p.call).collect();
        let mut facts = passing_time(self.world, self.hands.facts(&needs, &every)).await;
        let broken = |fault: Box<Fault>| {
            Box::new(Refusal { guard: guard::Guard::Grant, fault: *fault, rows: Vec::new() })
        };
        facts.open = self.keep.open_items().map_err(broken)?;
        let invocation = self.asked_as(asked);
        let case = Case {
            site: self.site,
            asked: Asked {
                recipe: &invocation.recipe,
                args: &invocation.args,
                command: &invocation.command,
                destructive: asked.iter().any(|need| reaches_destroy(self.catalog, &need.recipe)),
                partitions: invocation.partitions.as_deref(),
            },
            facts: &facts,
            now: self.world.now(),
        };
        if !as_run {
            return guard::preflight(calls, &case, None);
        }
        let (key, who) = (self.keep.key(), self.keep.who());
        let grants = self.keep.grants().map_err(broken)?;
        let claims = Claims {
            run: &self.run,
            who: &who,
            key: &key,
            newest: self.keep.newest().map_err(broken)?,
            grants: &grants,
            confirmed: None,
            approved_by: &[],
        };
        guard::preflight(calls, &case, Some(&claims))
    }

    /// Asks the recipes' own questions, all at once.
    async fn confirm_recipes(&self, graph: &Graph) -> Result<(), Box<Fault>> {
        let mut questions: Vec<String> = graph
            .steps
            .iter()
            .filter_map(|step| self.catalog.get(&step.recipe)?.confirm.clone())
            .collect();
        let dynamic = |name: &str| self.catalog.get(name).is_some_and(|h| h.functions.confirm);
        if graph.steps.iter().any(|step| dynamic(&step.recipe)) {
            let ended = self.part(graph, Part::Confirm).await;
            if let Some((_, fault)) = ended.faults.into_iter().next() {
                return Err(Box::new(fault));
            }
            questions.extend(ended.steps.iter().filter_map(|(_, end)| match end {
                ops_core::record::StepEnd::Done { result, .. } => {
                    result.as_str().map(str::to_owned)
                }
                _ => None,
            }));
        }
        if questions.is_empty() || self.yes {
            return Ok(());
        }
        let question = questions.join("\n");
        match self.asker.yes(&question) {
            Some(true) => Ok(()),
            Some(false) => Err(Box::new(Fault::new(Code::DECLINED, "declined").detail(question))),
            None => {
                let help = "--yes answers this question; it never answers a typed confirmation";
                let refusal = guard::unanswered().detail(question).help(help);
                Err(Box::new(no_answer(self.asker, refusal)))
            }
        }
    }

    /// Runs a graph behind the gate; with a journal, resumes it, or only cleans up behind it.
    pub async fn run(
        &self,
        graph: Graph,
        gate: &dyn Backend,
        signals: UnboundedReceiver<Signal>,
        journal: Option<(Replay, &[Record])>,
        abandon: bool,
    ) -> Ended {
        let cx = self.context(gate, self.events, Part::Whole);
        let mut run = Run::new(&cx, graph, signals);
        if let Some((replay, records)) = journal {
            run = run.resuming(replay, records, false);
        }
        if abandon {
            run = run.abandoning();
        }
        run.run().await
    }

    /// Proves that the journal replays to the same calls.
    ///
    /// # Errors
    /// The first divergence.
    pub async fn prove(
        &self,
        asked: &[Need],
        gate: &dyn Backend,
        records: &[Record],
    ) -> Result<(), Box<Fault>> {
        // Nothing is judged again: the journal says how it was.
        let cx = Context { skip: None, ..self.context(gate, &Silent, Part::Whole) };
        super::proof::prove(&cx, self.graph(asked)?, records).await
    }

    /// Reads a journal for a resume.
    ///
    /// # Errors
    /// A journal that has no head.
    pub fn read(records: &[Record]) -> Result<Replay, Box<Fault>> {
        replay::read(records, false).ok_or_else(|| {
            Box::new(Fault::new(Code::JOURNAL_DAMAGED, "the journal does not begin with its head"))
        })
    }
}

/// The calls of a plan as guards judge them.
///
/// # Errors
/// A destroying call of which something is known only after apply: nobody could judge it.
pub fn planned_calls(planned: &[Planned]) -> Result<Vec<PlannedCall>, Box<Fault>> {
    let mut calls = Vec::new();
    for one in planned {
        let unknown = has_later(&Value::Object(one.request.args.clone()));
        match Call::decode(&one.request) {
            Ok((call, _)) if !unknown => {
                let predicted = (!has_later(&one.reply)).then(|| one.reply.clone());
                calls.push(PlannedCall { call, predicted });
            }
            _ if one.effect == Effect::Destroys => {
                return Err(Box::new(
                    Fault::new(
                        Code::FRONTIER,
                        format!("`{}` destroys what is known only after apply", one.call),
                    )
                    .detail(format!("call: {}", one.id)),
                ));
            }
            _ => {}
        }
    }
    Ok(calls)
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn joined(asked: &[Need]) -> String {
    asked.iter().map(|n| n.recipe.as_str()).collect::<Vec<_>>().join(" ")
}
