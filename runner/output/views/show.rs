//! One recipe explained: what it does, how it is called, what it needs.

use ops_core::value::{Map, Value};
use serde_json::json;

use super::object;
use crate::output::paint::{Look, Paint};
use crate::output::table;
use crate::recipe::words::flag_of;
use crate::recipe::{Head, Need, Needs, Origin, Param, ParamKind, Undo};

/// The recipe as text.
pub fn show(head: &Head, look: Look) -> String {
    let paint = Paint(look.colour);
    let mut out = format!("{}   {}\n", paint.strong(&head.name), head.desc);
    out.push_str(&format!("  {}   {}\n", place(head), traits(head).join(" · ")));
    for line in table::wrap(head.doc.trim(), look.width.min(100) - 2) {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
    let usage = format!("usage:  {}", usage(head));
    let usage = table::fold(&usage, look.room().unwrap_or(usize::MAX), "usage:  ".len());
    out.push_str(&format!("\n{}\n", usage.join("\n")));
    let visible: Vec<&Param> = head.params.iter().filter(|p| !p.hidden).collect();
    if !visible.is_empty() {
        let rows: Vec<Vec<String>> = visible
            .iter()
            .map(|p| vec![format!("  {}", spelling(p)), p.desc.clone(), remarks(p).join(", ")])
            .collect();
        section(&mut out, "parameters", &table::lines(&rows, 3, look.room()));
    }
    let needs = match &head.needs {
        Needs::Static(needs) => needs.iter().map(need).collect(),
        Needs::Dynamic => vec!["depends on its parameters".to_owned()],
    };
    let indented =
        |list: Vec<String>| list.into_iter().map(|l| format!("  {l}")).collect::<Vec<_>>();
    section(&mut out, "needs", &indented(needs));
    section(&mut out, "stages", &indented(head.stages.iter().map(need).collect()));
    section(&mut out, "shell", &indented(head.shell.clone().unwrap_or_default()));
    if let Some(undo) = &head.undo {
        let text = match undo {
            Undo::Text(text) => text.clone(),
            Undo::Recipe(recipe) => format!("ops run {}", need(recipe)),
        };
        section(&mut out, "way back", &[format!("  {text}")]);
    }
    let tools: Vec<Vec<String>> =
        head.tools.iter().map(|(tool, range)| vec![format!("  {tool}"), range.clone()]).collect();
    section(&mut out, "tools", &table::lines(&tools, 3, look.room()));
    let examples: Vec<Vec<String>> = head
        .examples
        .iter()
        .map(|(line, what)| vec![format!("  ops run {line}"), what.clone()])
        .collect();
    section(&mut out, "examples", &table::lines(&examples, 3, look.room()));
    out
}

/// The recipe for machines.
pub fn show_json(head: &Head) -> Map<String, Value> {
    let mut body = object(json!(head));
    body.insert("usage".into(), usage(head).into());
    body
}

/// The command line of a recipe: `ops run talos:reboot [NODES…] [--drain]`.
pub fn usage(head: &Head) -> String {
    let mut words = vec![format!("ops run {}", head.name)];
    for param in head.params.iter().filter(|p| !p.hidden) {
        let word = param.name.to_uppercase().replace('_', "-");
        let text = match &param.kind {
            ParamKind::Rest { .. } => format!("-- {word}…"),
            kind if param.positional => format!("{word}{}", if many(kind) { "…" } else { "" }),
            _ => spelling_long(param),
        };
        words.push(if param.required { text } else { format!("[{text}]") });
    }
    words.join(" ")
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    for line in lines {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn place(head: &Head) -> String {
    if head.line > 0 { format!("{}:{}", head.file, head.line) } else { head.file.clone() }
}

fn traits(head: &Head) -> Vec<String> {
    let origin = match head.origin {
        Origin::Embedded => "part of ops",
        Origin::Repository => "of this repository",
        Origin::Override => "of this repository, in place of the one of ops",
    };
    let mut traits = vec![origin.to_owned()];
    if head.destructive {
        traits.push("destroys: needs `ops verify`".into());
    }
    if head.interactive {
        traits.push("talks to you at the terminal".into());
    }
    if let Some(phase) = &head.phase {
        traits.push(phase.clone());
    }
    if !head.aliases.is_empty() {
        traits.push(format!("also {}", head.aliases.join(", ")));
    }
    traits
}

fn spelling(param: &Param) -> String {
    let short = param.short.map(|c| format!("-{c}, ")).unwrap_or_default();
    match param.kind {
        ParamKind::Rest { .. } => format!("-- {}…", param.name.to_uppercase()),
        _ => format!("{short}{}", spelling_long(param)),
    }
}

fn spelling_long(param: &Param) -> String {
    match &param.kind {
        ParamKind::Bool => flag_of(param),
        kind => format!("{} {}", flag_of(param), value_word(kind)),
    }
}

fn value_word(kind: &ParamKind) -> String {
    match kind {
        ParamKind::Choice { words, .. } => words.join("|"),
        ParamKind::Int { .. } | ParamKind::Number { .. } => "N".into(),
        ParamKind::Path { dir: true, .. } => "FOLDER".into(),
        ParamKind::Path { .. } => "PATH".into(),
        ParamKind::Duration { .. } => "DURATION".into(),
        ParamKind::Semver { .. } => "VERSION".into(),
        ParamKind::Node { .. } => "NODE".into(),
        ParamKind::Nodes { .. } => "NODES".into(),
        ParamKind::Cluster => "CLUSTER".into(),
        ParamKind::Partitions { .. } => "LABELS".into(),
        ParamKind::Secret { .. } => "@REFERENCE".into(),
        ParamKind::List { of, .. } => format!("{},…", value_word(of)),
        ParamKind::String { .. } | ParamKind::Bool | ParamKind::Rest { .. } => "TEXT".into(),
    }
}

fn remarks(param: &Param) -> Vec<String> {
    let mut remarks = Vec::new();
    if param.required {
        remarks.push("required".to_owned());
    }
    match &param.default {
        Some(Value::Bool(false)) | None => {}
        Some(Value::String(text)) => remarks.push(format!("default {text}")),
        Some(other) => remarks.push(format!("default {other}")),
    }
    if param.default_function {
        remarks.push("default is computed".into());
    }
    if let Some(env) = &param.env {
        remarks.push(format!("or {env}"));
    }
    remarks
}

fn many(kind: &ParamKind) -> bool {
    matches!(kind, ParamKind::List { .. } | ParamKind::Nodes { .. } | ParamKind::Partitions { .. })
}

fn need(need: &Need) -> String {
    let args = need.args.iter().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!(" --{} {text}", name.replace('_', "-"))
    });
    format!("{}{}", need.recipe, args.collect::<String>())
}
