//! What a watch says between its runs: what it follows, what changed, why it waits. Knows nothing of files or of how a run went.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::printer::{Mode, Output};
use super::wording::count;

/// Schema of what a watch says in JSON mode.
pub const WATCH: (&str, u32) = ("ops.watch", 1);
/// As many changed paths are named.
const NAMED: usize = 5;

/// Something that is no longer what it was, in a word: `changed`, `new`, `gone`, `other files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Path, as the user knows it.
    pub path: String,
    /// The word.
    pub how: &'static str,
}

/// The voice of a watch.
#[derive(Clone)]
pub struct Watching {
    output: Output,
}

impl Watching {
    /// Speaks through this output.
    pub fn new(output: Output) -> Watching {
        Watching { output }
    }

    /// It waits; `polled` are folders of which the kernel does not tell, each with the reason. People are told what is `news`.
    pub fn waits(&self, paths: usize, folders: usize, polled: &[(String, String)], news: bool) {
        if news {
            let text = format!("watching {} in {}", count(paths, "path"), count(folders, "folder"));
            let how = if self.output.look().terminal { "   (Ctrl-C ends)" } else { "" };
            self.say(&format!("{text}{how}"));
            let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (folder, why) in polled {
                reasons.entry(why).or_default().push(folder);
            }
            for (why, named) in reasons {
                let more = match named.len().checked_sub(NAMED) {
                    None | Some(0) => String::new(),
                    Some(more) => format!(" and {more} more"),
                };
                let named = named.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
                self.output.remark(&format!("looked at again and again: {named}{more} ({why})"));
            }
        }
        let polled: Vec<Value> =
            polled.iter().map(|(folder, why)| json!({"folder": folder, "why": why})).collect();
        self.document("waiting", json!({"paths": paths, "folders": folders, "polled": polled}));
    }

    /// Nothing of what the recipes read can be followed.
    pub fn follows_nothing(&self) {
        self.output.remark(
            "the recipes read no file that ops knows of: shell says what it reads by `reads` or `sources`",
        );
    }

    /// What a run begins with: the changes that it is about. JSON has them at once, people before the first thing that the run tells.
    #[must_use]
    pub fn changed(&self, changed: &[Changed]) -> Output {
        let list: Vec<Value> =
            changed.iter().map(|c| json!({"path": c.path, "how": c.how})).collect();
        self.document("changed", json!({"changed": list}));
        let mut lead = String::new();
        let terminal = self.output.look().terminal;
        if terminal {
            lead.push('\n');
        }
        for one in changed.iter().take(NAMED) {
            let how = self.output.paint().strong(format!("{:<9}", one.how));
            let _ = if terminal {
                writeln!(lead, "{how} {}", one.path)
            } else {
                writeln!(lead, "watch {} {}", one.how, one.path)
            };
        }
        if changed.len() > NAMED {
            let more = changed.len() - NAMED;
            let _ =
                writeln!(lead, "{}and {more} more", if terminal { "          " } else { "watch " });
        }
        self.output.led_by(lead)
    }

    /// A run was ended because its result would have been out of date.
    pub fn cut(&self) {
        self.say("cut short: what it read has changed meanwhile");
        self.document("cut", json!({}));
    }

    /// A run failed: what stays.
    pub fn broken(&self) {
        self.say("broken: what the last good run wrote stays; the next save is tried");
        self.document("broken", json!({}));
    }

    /// Something changes more than files, and it was not said that this may happen.
    pub fn only_plans(&self, command: &str) {
        self.output.remark(&format!(
            "this changes more than files, so each save shows the plan; `{command}` carries it out"
        ));
        self.document("only_plans", json!({"apply": command}));
    }

    /// The plan is as it was.
    pub fn same_plan(&self) {
        self.say("the plan is the same");
        self.document("same_plan", json!({}));
    }

    /// Run after run changed what it reads.
    pub fn restless(&self, ms: u64, changed: &[Changed]) {
        let paths = changed.iter().take(NAMED).map(|one| one.path.as_str());
        let paths = paths.collect::<Vec<_>>().join(", ");
        let text = format!(
            "each run finds {paths} changed while it ran: the next one waits {}",
            ops_core::time::Span(ms)
        );
        self.output.remark(&text);
        self.document("restless", json!({"wait_ms": ms, "paths": paths}));
    }

    /// It ends because the user wants it; the run under way was interrupted for it.
    pub fn ends(&self, interrupted: bool) {
        self.say(if interrupted { "watch ends, its run was interrupted" } else { "watch ends" });
        self.document("ended", json!({"interrupted": interrupted}));
    }

    fn say(&self, text: &str) {
        if self.output.mode() == Mode::Json {
            return;
        }
        let text = if self.output.look().terminal {
            self.output.paint().dim(text)
        } else {
            format!("watch {}", text.strip_prefix("watch ").unwrap_or(text))
        };
        self.output.progress(&format!("{text}\n"));
    }

    fn document(&self, event: &str, body: Value) {
        let mut all = Map::from_iter([("event".to_owned(), Value::from(event))]);
        if let Value::Object(body) = body {
            all.extend(body);
        }
        self.output.document(WATCH.0, WATCH.1, || all);
    }
}
