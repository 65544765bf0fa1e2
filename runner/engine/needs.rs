//! What a recipe needs where a function says it: run once per recipe and arguments, before the step is made. It computes from parameters and makes
//! no call, so a resume, which stands on the same sources and inventory, makes the same graph.

use ops_core::error::{Code, Fault};
use ops_core::ident::{Branch, RunId};
use ops_core::inventory::Cluster;
use ops_core::machine::{Act, Delivery, Entry, Failure, Limits, StepSpec};
use ops_core::value::{Map, Value};

use super::graph::{full_name, reaches_destroy};
use super::run::Bodies;
use crate::recipe::{Catalog, Head, Need, Needs};

/// Who runs `needs` functions, and with what.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) bodies: &'a dyn Bodies,
    pub(super) catalog: &'a Catalog,
    pub(super) cluster: Option<&'a Cluster>,
    pub(super) run: &'a RunId,
}

impl Asking<'_> {
    /// What a recipe with these arguments needs.
    ///
    /// # Errors
    /// What goes wrong in its function, that it makes a call, and that it names what may destroy where its recipe does not say so.
    pub(super) fn needs(
        &self,
        head: &Head,
        args: &Map<String, Value>,
    ) -> Result<Vec<Need>, Box<Fault>> {
        match &head.needs {
            Needs::Static(needs) => Ok(needs.clone()),
            Needs::Dynamic => self.ask(head, args),
        }
    }

    fn ask(&self, head: &Head, args: &Map<String, Value>) -> Result<Vec<Need>, Box<Fault>> {
        let mut machine = self.bodies.spawn(StepSpec {
            recipe: head.name.clone(),
            branch: Branch::step(&head.name, &Value::Object(args.clone())).arm("needs", None),
            entry: Entry::Needs,
            params: args.clone(),
            needs: Map::new(),
            found: Value::Null,
            cluster: self.cluster.cloned(),
            run: self.run.clone(),
            limits: Limits::default(),
        });
        let turn = machine.turn(Delivery::Begin);
        let asked = turn.acts.iter().find_map(|act| match act {
            Act::Asked { request, .. } => Some(request),
            _ => None,
        });
        if let Some(request) = asked {
            let title = format!("`{}` in the `needs` of {}", request.call, head.name);
            let mut fault = Fault::new(Code::CALL_PLACE, title)
                .detail(
                    "What a recipe needs is known before anything runs: from its parameters alone.",
                )
                .help("decide it in the body, and run the other recipe by `cx:run`");
            fault.place = request.place.clone().map(Box::new);
            return Err(Box::new(fault));
        }
        let needs = match turn.end {
            Some(Ok(needs)) => needs,
            Some(Err(Failure::Call(_, fault) | Failure::Fault(fault))) => return Err(fault),
            Some(Err(Failure::Stopped(stop))) => return Err(stop.fault),
            None => {
                let title = format!("the `needs` of {} waits for something", head.name);
                return Err(Box::new(Fault::new(Code::BUG, title)));
            }
        };
        let needs: Vec<Need> = serde_json::from_value(needs).map_err(|wrong| {
            Box::new(Fault::new(Code::BUG, format!("the `needs` of {}: {wrong}", head.name)))
        })?;
        // The head alone must tell that a recipe may destroy: listings and preflights read nothing else.
        let destroys =
            |need: &&Need| reaches_destroy(self.catalog, &full_name(&head.name, &need.recipe));
        match needs.iter().find(destroys).filter(|_| !head.destructive) {
            Some(need) => Err(Box::new(
                Fault::new(
                    Code::UNDECLARED,
                    format!(
                        "{} needs {}, which destroys, and does not say so",
                        head.name, need.recipe
                    ),
                )
                .help("add `destructive = true` to the recipe's head"),
            )),
            None => Ok(needs),
        }
    }
}
