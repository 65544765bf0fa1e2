//! From a recipe's table to its head: plain data, every unknown or wrong key a located error. Runs no recipe code.

pub(super) mod fields;
mod file;
pub(super) mod params;
pub(super) mod scan;

use std::collections::BTreeMap;

use mlua::{Table, Value};
use ops_core::error::{Code, ErrorKind, Fault, Place};
use ops_core::time::Span;

use super::declare::Form;
use super::place::Texts;
use super::{caught, freeze};
use crate::recipe::semver::Range;
use crate::recipe::{Functions, Head, Need, Needs, Origin, Retries, Undo};
use fields::Fields;
pub(super) use file::{Recipe, find, recipes};

/// Keys of a recipe's table.
const KEYS: [&str; 31] = [
    "desc",
    "params",
    "needs",
    "run",
    "stages",
    "destructive",
    "preconditions",
    "confirm",
    "on_failure",
    "undo",
    "timeout",
    "retries",
    "lock",
    "phase",
    "cluster",
    "tags",
    "group",
    "aliases",
    "private",
    "examples",
    "tools",
    "hosts",
    "sources",
    "generates",
    "status",
    "always",
    "interactive",
    "env",
    "cwd",
    "name",
    "fresh",
];
/// Keys that may hold a function of the recipe.
pub(super) const FUNCTIONS: [&str; 6] =
    ["run", "preconditions", "confirm", "on_failure", "needs", "status"];
const PHASES: [&str; 4] = ["bootstrap", "gitops", "hybrid", "emergency"];
/// A body that failed so often will not do better.
const MOST_RETRIES: i64 = 100;
/// Longest `desc`.
const DESC: usize = 72;

fn put(mut fault: Fault, place: Option<Place>) -> Fault {
    fault.place = place.map(Box::new);
    fault
}

/// Reads the head. Everything that is wrong with it, not only the first thing.
pub(super) fn read(
    texts: &Texts,
    shown: &str,
    embedded: bool,
    recipe: &Recipe,
    lua: &mlua::Lua,
) -> (Head, Vec<Fault>) {
    let fields = &recipe.fields;
    let mut faults = Vec::new();
    let group = group(recipe);
    fields.known(texts, &KEYS, &mut faults);
    let mut take = |fault: Fault| faults.push(fault);
    let is_override = recipe.form == Form::Override;
    let desc = fields.text(texts, "desc", &mut take).unwrap_or_default();
    if desc.is_empty() && !is_override {
        let fault = Fault::new(Code::RECIPE_KEY, format!("recipe `{}` has no `desc`", recipe.name))
            .label("one line for `ops list`: what it does, as a command");
        take(put(fault, fields.line.and_then(|line| texts.at(line))));
    }
    if desc.chars().count() > DESC || desc.contains('\n') {
        let title =
            format!("`desc` has {} characters, at most {DESC} in one line", desc.chars().count());
        take(fields.fault(texts, "desc", title));
    }
    let phase = fields.text(texts, "phase", &mut take);
    if let Some(phase) = &phase
        && !PHASES.contains(&phase.as_str())
    {
        let fault = fields.fault(texts, "phase", format!("there is no phase `{phase}`"));
        take(fault.label(PHASES.join(", ")).did_you_mean(phase, PHASES));
    }
    let run = fields.get("run");
    let stages = needs_list(fields, texts, "stages", group.as_deref(), &mut take);
    let shell = match &run {
        Value::Nil | Value::Function(_) => None,
        _ => fields.texts(texts, "run", &mut take),
    };
    let has_stages = !matches!(fields.get("stages"), Value::Nil);
    let has_run = !matches!(run, Value::Nil);
    if has_run == has_stages && !is_override {
        let title = if has_run { "both `run` and `stages`" } else { "neither `run` nor `stages`" };
        let word = if has_run { "stages" } else { "desc" };
        take(fields.fault(texts, word, format!("recipe `{}` has {title}", recipe.name)));
    }
    if has_stages && !matches!(fields.get("retries"), Value::Nil) {
        let fault = fields.fault(texts, "retries", "`retries` beside `stages`");
        take(fault.label("each stage is a recipe of its own: say it there"));
    }
    let function = |key: &str| matches!(fields.get(key), Value::Function(_));
    let needs = if function("needs") {
        Needs::Dynamic
    } else {
        Needs::Static(needs_list(fields, texts, "needs", group.as_deref(), &mut take))
    };
    let text_or_function = |key: &str, take: &mut dyn FnMut(Fault)| {
        if function(key) { None } else { fields.text(texts, key, take) }
    };
    for key in ["preconditions", "on_failure"] {
        if !matches!(fields.get(key), Value::Nil | Value::Function(_)) {
            take(fields.fault(texts, key, format!("`{key}` must be a function")));
        }
    }
    let functions = Functions {
        run: function("run"),
        preconditions: function("preconditions"),
        confirm: function("confirm"),
        on_failure: function("on_failure"),
        needs: function("needs"),
        status: function("status"),
    };
    let confirm = text_or_function("confirm", &mut take);
    let status = if functions.status {
        Vec::new()
    } else {
        fields.texts(texts, "status", &mut take).unwrap_or_default()
    };
    let params = match fields.get("params") {
        Value::Nil => Vec::new(),
        Value::Table(table) => params::read(texts, fields, &table, lua, &mut take),
        _ => {
            take(fields.fault(texts, "params", "`params` must be a table of `param.*`"));
            Vec::new()
        }
    };
    let text = fields.line.map(|line| texts.text(line.file)).unwrap_or_default();
    let list =
        |key: &str, take: &mut dyn FnMut(Fault)| fields.texts(texts, key, take).unwrap_or_default();
    let head = Head {
        doc: fields.line.map(|line| scan::doc(&text, line.line)).unwrap_or_default(),
        name: recipe.name.clone(),
        desc,
        file: shown.to_owned(),
        overrides: None,
        line: fields.line.map_or(1, |line| line.line as u32),
        origin: match (embedded, is_override) {
            (true, _) => Origin::Embedded,
            (false, true) => Origin::Override,
            (false, false) => Origin::Repository,
        },
        params,
        needs,
        stages,
        shell,
        functions,
        destructive: fields.bool(texts, "destructive", false, &mut take),
        confirm,
        undo: undo(fields, texts, group.as_deref(), &mut take),
        timeout: fields.span(texts, "timeout", &mut take),
        retries: retries(fields, texts, lua, &mut take),
        lock: fields.text(texts, "lock", &mut take),
        phase,
        cluster: fields.bool(texts, "cluster", true, &mut take),
        tags: list("tags", &mut take),
        group: fields.text(texts, "group", &mut take),
        aliases: list("aliases", &mut take),
        private: fields.bool(texts, "private", false, &mut take),
        examples: examples(fields, texts, &mut take),
        tools: tools(fields, texts, &mut take),
        hosts: hosts(fields, texts, &mut take),
        sources: list("sources", &mut take),
        generates: list("generates", &mut take),
        status,
        always: fields.bool(texts, "always", false, &mut take),
        fresh: fields.span(texts, "fresh", &mut take),
        interactive: fields.bool(texts, "interactive", false, &mut take),
        env: fields.map(texts, "env", &mut take),
        cwd: fields.text(texts, "cwd", &mut take),
        runs: Vec::new(),
    };
    contradictions(fields, texts, &head, &mut take);
    (head, faults)
}

/// What would have no effect beside what else the head says: whoever wrote it expects one.
fn contradictions(fields: &Fields, texts: &Texts, head: &Head, take: &mut dyn FnMut(Fault)) {
    let given = |key: &str| !matches!(fields.get(key), Value::Nil);
    for key in ["status", "fresh"] {
        if given(key) && head.destructive {
            let fault = fields.fault(texts, key, format!("`{key}` of a recipe that destroys"));
            take(fault.help("such a recipe is never skipped"));
        } else if given(key) && head.always {
            let fault = fields.fault(texts, key, format!("`{key}` beside `always`"));
            take(fault.help("`always = true` is never up to date: leave one of the two out"));
        }
    }
    let alone = head.origin != Origin::Override;
    if alone && given("generates") && !given("sources") {
        let title = "`generates` without `sources`: nobody could say when it is made anew";
        take(fields.fault(texts, "generates", title).help("name what it is made from"));
    }
}

/// The group of a recipe's own names. In a file of several, the file's own name is the group, also for its `default`.
pub(super) fn group(recipe: &Recipe) -> Option<String> {
    let group = |name: &str| name.rsplit_once(':').map(|(group, _)| group.to_owned());
    match (recipe.form, recipe.fields.text_name().as_deref()) {
        (Form::Several, Some("default")) => Some(recipe.name.clone()),
        _ => group(&recipe.name),
    }
}

/// A recipe's full name: without `:` it is of the same group.
pub(super) fn full(name: &str, group: Option<&str>) -> String {
    match group {
        Some(group) if !name.contains(':') => format!("{group}:{name}"),
        _ => name.to_owned(),
    }
}

/// A list of needed recipes: `"name"` or `{ "name", param = value }`.
fn needs_list(
    fields: &Fields,
    texts: &Texts,
    key: &str,
    group: Option<&str>,
    take: &mut dyn FnMut(Fault),
) -> Vec<Need> {
    let table = match fields.get(key) {
        Value::Nil => return Vec::new(),
        Value::Table(table) => freeze::inner(&table),
        _ => {
            take(fields.fault(texts, key, format!("`{key}` must be a list of recipes")));
            return Vec::new();
        }
    };
    let mut needs = Vec::new();
    for i in 1..=table.raw_len() {
        match table.raw_get::<Value>(i).map(|value| need(&value, group)) {
            Ok(Some(need)) => needs.push(need),
            _ => {
                let title = format!("entry {i} of `{key}` is no recipe");
                let fault = fields.fault(texts, key, title);
                take(fault.label("`\"name\"` or `{ \"name\", param = value }`"));
            }
        }
    }
    needs
}

/// A recipe with arguments; a name without `:` is of the same group.
pub(super) fn need(value: &Value, group: Option<&str>) -> Option<Need> {
    match value {
        Value::String(name) => {
            Some(Need { recipe: full(&name.to_str().ok()?, group), args: serde_json::Map::new() })
        }
        Value::Table(table) => {
            let (args, first) = super::value::to_json_parts(table, 1).ok()?;
            let name = first.first()?.as_str()?;
            Some(Need { recipe: full(name, group), args })
        }
        _ => None,
    }
}

fn undo(
    fields: &Fields,
    texts: &Texts,
    group: Option<&str>,
    take: &mut dyn FnMut(Fault),
) -> Option<Undo> {
    match fields.get("undo") {
        Value::Nil => None,
        Value::String(text) => Some(Undo::Text(text.to_string_lossy())),
        other => {
            let need = need(&other, group);
            if need.is_none() {
                let fault = fields.fault(texts, "undo", "`undo` is a text or a recipe");
                take(fault.label("`{ \"name\", param = value }`"));
            }
            need.map(Undo::Recipe)
        }
    }
}

fn retries(
    fields: &Fields,
    texts: &Texts,
    lua: &mlua::Lua,
    take: &mut dyn FnMut(Fault),
) -> Option<Retries> {
    let usual = || vec![ErrorKind::Unreachable, ErrorKind::Timeout, ErrorKind::Conflict];
    match fields.get("retries") {
        Value::Nil => None,
        Value::Integer(times @ 1..=MOST_RETRIES) => {
            Some(Retries { times: times as u32, backoff: Span::secs(2), kinds: usual() })
        }
        Value::Table(table) => {
            let inner = Fields::new(&table, None, fields.line);
            let mut unknown = Vec::new();
            inner.known(texts, &["times", "backoff", "kinds"], &mut unknown);
            unknown.into_iter().for_each(&mut *take);
            let kinds = match inner.get("kinds") {
                Value::Nil => usual(),
                kinds => match caught::kinds(lua, &kinds) {
                    Ok(kinds) => kinds,
                    Err(error) => {
                        let title = super::raised::read(&error, texts).to_string();
                        take(fields.fault(texts, "kinds", title));
                        Vec::new()
                    }
                },
            };
            let times = match inner.get("times") {
                Value::Nil => 5,
                Value::Integer(times @ 1..=MOST_RETRIES) => times as u32,
                _ => {
                    let title = format!("`times` must be a whole number from 1 to {MOST_RETRIES}");
                    take(fields.fault(texts, "times", title));
                    5
                }
            };
            let backoff = inner.span(texts, "backoff", take).unwrap_or(Span::secs(2));
            Some(Retries { times, backoff, kinds })
        }
        _ => {
            take(fields.fault(
                texts,
                "retries",
                format!(
                    "`retries` is a number from 1 to {MOST_RETRIES}, or {{ times, backoff, kinds }}"
                ),
            ));
            None
        }
    }
}

/// Tools with the ranges of their versions.
fn tools(fields: &Fields, texts: &Texts, take: &mut dyn FnMut(Fault)) -> BTreeMap<String, String> {
    let tools = fields.map(texts, "tools", take);
    for (tool, range) in &tools {
        if let Err(wrong) = Range::parse(range) {
            let fault = fields.fault(texts, tool, format!("`tools.{tool}`: {wrong}"));
            take(fault.label("such as \">=3.16\" or \">=1.11 <2\""));
        }
        if tool.is_empty() || tool.contains('/') {
            take(fields.fault(texts, "tools", format!("`{tool}` is no name of a tool on PATH")));
        }
    }
    tools
}

/// Hosts without scheme, port or path: what a certificate names.
fn hosts(fields: &Fields, texts: &Texts, take: &mut dyn FnMut(Fault)) -> Vec<String> {
    let hosts = fields.texts(texts, "hosts", take).unwrap_or_default();
    for host in &hosts {
        let labels = host.strip_prefix("*.").unwrap_or(host).split('.');
        let good = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if host.len() > 253 || !labels.clone().all(good) {
            let fault = fields.fault(texts, "hosts", format!("`{host}` is no name of a host"));
            take(fault.label(
                "such as \"api.example.org\" or \"*.example.org\", nothing before or behind it",
            ));
        }
    }
    hosts
}

fn examples(fields: &Fields, texts: &Texts, take: &mut dyn FnMut(Fault)) -> Vec<(String, String)> {
    let Value::Table(list) = fields.get("examples") else { return Vec::new() };
    let mut examples = Vec::new();
    for i in 1..=list.raw_len() {
        let pair = list.raw_get::<Table>(i).and_then(|pair| {
            Ok((pair.raw_get::<String>(1)?, pair.raw_get::<Option<String>>(2)?.unwrap_or_default()))
        });
        match pair {
            Ok(pair) => examples.push(pair),
            Err(_) => {
                let title = format!("entry {i} of `examples` is no pair of texts");
                let fault = fields.fault(texts, "examples", title);
                take(fault.label("`{ \"talos:reboot w-1\", \"what it does\" }`"));
            }
        }
    }
    examples
}

/// An override laid over the recipe that it replaces: what it does not give stays, parameters are merged, nothing is made safer to skip.
pub(super) fn merge(base: &Head, over: Head) -> Head {
    let mut params: Vec<_> = base.params.clone();
    for param in over.params {
        match params.iter_mut().find(|other| other.name == param.name) {
            Some(other) => *other = param,
            None => params.push(param),
        }
    }
    let or = |own: String, base: &String| if own.is_empty() { base.clone() } else { own };
    let list =
        |own: Vec<String>, base: &Vec<String>| if own.is_empty() { base.clone() } else { own };
    let map = |mut base: BTreeMap<String, String>, own| {
        base.extend(own);
        base
    };
    let body = over.functions.run || over.shell.is_some() || !over.stages.is_empty();
    let no_needs = matches!(&over.needs, Needs::Static(list) if list.is_empty());
    Head {
        overrides: Some(base.file.clone()),
        desc: or(over.desc, &base.desc),
        doc: or(over.doc, &base.doc),
        params,
        needs: if no_needs { base.needs.clone() } else { over.needs },
        stages: if body { over.stages } else { base.stages.clone() },
        shell: if body { over.shell } else { base.shell.clone() },
        functions: Functions {
            run: if body { over.functions.run } else { base.functions.run },
            preconditions: over.functions.preconditions || base.functions.preconditions,
            confirm: over.functions.confirm || (over.confirm.is_none() && base.functions.confirm),
            on_failure: over.functions.on_failure || base.functions.on_failure,
            needs: over.functions.needs || (no_needs && base.functions.needs),
            status: over.functions.status || base.functions.status,
        },
        destructive: over.destructive || base.destructive,
        confirm: over.confirm.or_else(|| base.confirm.clone()),
        undo: over.undo.or_else(|| base.undo.clone()),
        timeout: over.timeout.or(base.timeout),
        retries: over.retries.or_else(|| base.retries.clone()),
        lock: over.lock.or_else(|| base.lock.clone()),
        phase: over.phase.or_else(|| base.phase.clone()),
        cluster: over.cluster && base.cluster,
        tags: list(over.tags, &base.tags),
        group: over.group.or_else(|| base.group.clone()),
        aliases: list(over.aliases, &base.aliases),
        private: over.private || base.private,
        examples: if over.examples.is_empty() { base.examples.clone() } else { over.examples },
        tools: map(base.tools.clone(), over.tools),
        hosts: list(over.hosts, &base.hosts),
        sources: list(over.sources, &base.sources),
        generates: list(over.generates, &base.generates),
        status: list(over.status, &base.status),
        always: over.always || base.always,
        fresh: over.fresh.or(base.fresh),
        interactive: over.interactive || base.interactive,
        env: map(base.env.clone(), over.env),
        cwd: over.cwd.or_else(|| base.cwd.clone()),
        runs: [base.runs.clone(), over.runs].concat(),
        name: over.name,
        file: over.file,
        line: over.line,
        origin: over.origin,
    }
}
