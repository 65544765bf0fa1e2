//! `ops why RECIPE …`: whether it would run, and what made it run the last time.

use ops_core::error::{Exit, Fault};
use ops_core::event::Silent;
use ops_core::value::Map;

use super::Start;
use super::invocation::{Invocation, some_recipe, with_recipes};
use super::opened::{Opened, session};
use super::seam::block_on;
use crate::engine::idle::passing_time;
use crate::output::views::{self, Judged};

/// Judges the recipes and runs nothing.
pub(super) fn run(start: &Start, words: &[String]) -> Result<Exit, Fault> {
    some_recipe(words, "why")?;
    with_recipes(start, "why", words, judge)
}

/// Says of each recipe whether it is up to date, and what made its last run run. Runs nothing.
fn judge(invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { settings, globals, asked, out, .. } = invocation;
    let opened = Opened::new(settings, &globals, &out)?;
    block_on(async {
        let plan_hands = opened.plan_hands();
        let bind =
            |recipe: &str, given: &Map<String, serde_json::Value>| opened.bind(recipe, given);
        let run = opened.fresh_run();
        let skip = opened.skip(run.clone(), globals.force);
        let hands = (&plan_hands, &plan_hands);
        let session = session(&opened, hands.0, hands.1, &bind, &Silent, &globals, run, &skip);
        let judged = passing_time(&*opened.world, session.whether_up_to_date(&asked)).await;
        let judged = judged.map_err(|fault| *fault)?;
        let steps: Vec<Judged> = judged
            .into_iter()
            .map(|(step, verdict)| Judged {
                last: skip.last(&step.recipe, &step.args),
                step,
                verdict,
            })
            .collect();
        let now = opened.world.now();
        out.result(&views::why(&steps, now, globals.verbose, out.look()));
        out.document("ops.why", 1, || views::why_json(&steps));
        Ok(Exit::Done)
    })
}
