//! `ops diff`: how each node's machine config would change. A plan of the recipe `talos:diff`, shown by node; nothing is written.

use ops_core::error::{Exit, Fault};
use ops_core::event::Silent;
use ops_core::value::{Map, Value};

use super::Start;
use super::args::DiffArgs;
use super::invocation::{Invocation, with_recipes};
use super::opened::{Opened, session};
use super::seam::block_on;
use crate::output::views::{self, ConfigDiff};

const RECIPE: &str = "talos:diff";
const CALL: &str = "talos.machineconfig.diff";

/// Shows the differences; ends with 10 where there are any and `--exit-code` asks for it.
pub(super) fn run(start: &Start, args: &DiffArgs) -> Result<Exit, Fault> {
    let mut words = vec![RECIPE.to_owned()];
    for nodes in args.nodes.iter().chain(&args.positional) {
        words.extend(["--nodes".to_owned(), nodes.clone()]);
    }
    if args.live {
        words.push("--live".to_owned());
    }
    with_recipes(start, "diff", &words, |invocation| {
        invocation.settings.need_cluster()?;
        differences(invocation, args)
    })
}

fn differences(invocation: Invocation, args: &DiffArgs) -> Result<Exit, Fault> {
    let out = invocation.out;
    let opened = Opened::new(invocation.settings, &invocation.globals, &out)?;
    block_on(async {
        let hands = opened.plan_hands();
        let bind = |recipe: &str, given: &Map<String, Value>| opened.bind(recipe, given);
        let (globals, run) = (&invocation.globals, opened.fresh_run());
        let skip = opened.skip(run.clone(), true);
        let session = session(&opened, &hands, &hands, &bind, &Silent, globals, run, &skip);
        let plan = session.plan(&invocation.asked).await.map_err(|fault| *fault)?;
        let mut found: Vec<ConfigDiff> = plan
            .planned
            .iter()
            .filter(|planned| planned.call == CALL)
            .map(|planned| ConfigDiff {
                node: planned.node.clone().unwrap_or_default(),
                lines: planned
                    .reply
                    .get("diff")
                    .and_then(Value::as_str)
                    .map(|text| text.lines().map(str::to_owned).collect())
                    .unwrap_or_default(),
            })
            .collect();
        let order = |node: &str| opened.cluster.nodes.iter().position(|n| n.name == node);
        found.sort_by_key(|diff| order(&diff.node));
        let file = |node: &str| (!args.live).then(|| opened.cluster.machine_config(node));
        out.result(&views::diff(&found, &opened.cluster.name, &file, out.look()));
        out.document("ops.diff", 1, || views::diff_json(&found, &opened.cluster.name, args.live));
        for fault in &plan.faults {
            out.fault(fault);
        }
        let failed = plan.faults.iter().fold(Exit::Done, |worst, f| worst.worst(f.code.exit));
        Ok(match failed {
            Exit::Done if args.exit_code && found.iter().any(|d| !d.lines.is_empty()) => {
                Exit::Pending
            }
            exit => exit,
        })
    })
}
