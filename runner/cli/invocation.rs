//! From the words behind `ops run` to recipes with arguments: catalogue, split, settings, parameters. Starts nothing.

use std::io::IsTerminal as _;

use ops_core::error::{Code, Exit, Fault};
use ops_core::value::{Map, Value};

use super::args::{self, Globals};
use super::ask::{self, Answer};
use super::sops::Sops;
use super::{Start, recipes};
use crate::config::{Environment, RecipeSettings, Settings};
use crate::lua::Host;
use crate::output::{Output, views};
use crate::recipe::params::{self, Context};
use crate::recipe::semver::Range;
use crate::recipe::words::{Line, Said, Written, flag_of, split, unknown_recipe};
use crate::recipe::{Catalog, Head, Need};

/// Recipes with arguments, and everything that was said around them.
pub(crate) struct Invocation {
    /// Resolved configuration.
    pub settings: Settings,
    /// Its recipes.
    pub host: Host,
    /// All global flags, also those that stood behind a recipe.
    pub globals: Globals,
    /// The recipes with what was said about them; not with their defaults.
    pub asked: Vec<Need>,
    /// Where everything is told.
    pub out: Output,
}

/// What the words ask for.
pub(crate) enum Wanted {
    /// To run.
    Recipes(Box<Invocation>),
    /// `--help` behind a recipe: its explanation, shown already.
    Explained,
}

/// Understands the words behind a subcommand that takes recipes.
pub(crate) fn understand(start: &Start, command: &str, words: &[String]) -> Result<Wanted, Fault> {
    let project = start.project()?;
    let host = recipes::load(&project, &start.env)?;
    let catalog = host.catalog();
    if let Some(head) = asks_help(words, catalog) {
        start.output().result(&views::show(head, start.output().look()));
        return Ok(Wanted::Explained);
    }
    let line = split(words, catalog, &args::outside())
        .map_err(|fault| args::or_own_flag(or_command(fault, words), command))?;
    let globals = start.globals.clone().with(&line.outside)?;
    let out = globals.output(&start.env, &start.redactor);
    let resolved = || {
        let settings = Settings::resolve(project, &globals.typed(), start.env.clone(), &Sops)?;
        check(&settings, catalog)?;
        let asked = bind(&settings, catalog, line, &globals)?;
        Ok((settings, asked))
    };
    let (settings, asked) = resolved().map_err(|fault| out.told(same_command(fault, command)))?;
    Ok(Wanted::Recipes(Box::new(Invocation { settings, host, globals, asked, out })))
}

/// What a command line lacks is added to that command, not to `ops run`: who plans does not want to be told to run.
fn same_command(mut fault: Fault, command: &str) -> Fault {
    let typed = ["plan", "watch", "why", "verify"].contains(&command);
    for next in fault.next.iter_mut().filter(|_| typed) {
        if let Some(words) = next.strip_prefix("ops run ") {
            *next = format!("ops {command} {words}");
        }
    }
    fault
}

/// Does something with the recipes that words ask for, and nothing where they only ask for help.
pub(crate) fn with_recipes(
    start: &Start,
    command: &str,
    words: &[String],
    work: impl FnOnce(Invocation) -> Result<Exit, Fault>,
) -> Result<Exit, Fault> {
    match understand(start, command, words)? {
        Wanted::Explained => Ok(Exit::Done),
        Wanted::Recipes(invocation) => {
            let out = invocation.out.clone();
            // The flags behind a recipe are known here only.
            work(*invocation).map_err(|fault| out.told(fault))
        }
    }
}

/// Resolves all parameters of a recipe whose arguments are given as data: what the engine's graph asks for.
pub(crate) fn resolve(
    settings: &Settings,
    catalog: &Catalog,
    recipe: &str,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Box<Fault>> {
    let head = catalog.get(recipe).ok_or_else(|| Box::new(unknown_recipe(recipe, catalog)))?;
    with_context(settings, false, |cx| params::bind_data(head, given, cx))
        .map(|bound| bound.args)
        .map_err(Box::new)
}

/// The arguments that words give a recipe, as behind `ops run RECIPE`: what `ops verify` and `safety.evidence` pass on.
pub(crate) fn words_of(
    settings: &Settings,
    catalog: &Catalog,
    recipe: &str,
    words: &[String],
) -> Result<Map<String, Value>, Box<Fault>> {
    let line: Vec<String> =
        std::iter::once(recipe.to_owned()).chain(words.iter().cloned()).collect();
    let line = split(&line, catalog, &args::outside())?;
    let quiet = Globals { json: true, ..Globals::default() };
    match bind(settings, catalog, line, &quiet)?.as_slice() {
        [only] => Ok(only.args.clone()),
        _ => Err(Box::new(Fault::new(Code::USAGE, "evidence is gathered for one recipe"))),
    }
}

fn bind(
    settings: &Settings,
    catalog: &Catalog,
    line: Line,
    globals: &Globals,
) -> Result<Vec<Need>, Fault> {
    let interactive = std::io::stdin().is_terminal() && !globals.json;
    let mut asked = Vec::new();
    for mut written in line.recipes {
        let head =
            catalog.get(&written.recipe).ok_or_else(|| unknown_recipe(&written.recipe, catalog))?;
        if head.cluster {
            settings.need_cluster()?;
        }
        let bound = with_context(settings, interactive, |cx| params::bind(head, &written, cx))?;
        for name in bound.ask {
            ask_for(head, &name, &mut written)?;
        }
        // Bound once more: what was asked for is checked like anything else, before anything runs.
        let args = with_context(settings, false, |cx| {
            params::bind(head, &written, cx)?;
            params::explicit(head, &written, cx)
        })?;
        asked.push(Need { recipe: head.name.clone(), args });
    }
    Ok(asked)
}

fn ask_for(head: &Head, name: &str, written: &mut Written) -> Result<(), Fault> {
    let Some(param) = head.params.iter().find(|p| p.name == name) else { return Ok(()) };
    let what = if param.desc.is_empty() { &param.name } else { &param.desc };
    let answer = ask::line(&format!("{what} ({}): ", flag_of(param)))
        .map_err(|error| Fault::new(Code::USAGE, format!("no answer: {error}")))?;
    match answer {
        Answer::Terminated => Err(Fault::new(Code::TERMINATED, "terminated at a question")),
        Answer::Line(text) => {
            written.said.push((param.name.clone(), Said::Word(text)));
            Ok(())
        }
        Answer::Nothing => Err(Fault::new(
            Code::PARAM_MISSING,
            format!("`{}` needs `{}`", head.name, flag_of(param)),
        )),
    }
}

fn with_context<T>(settings: &Settings, interactive: bool, f: impl FnOnce(&Context<'_>) -> T) -> T {
    let root = settings.root();
    let stat = |path: &str| root.join(path).metadata().ok().map(|m| m.is_dir());
    let layers: [&RecipeSettings; 2] = [&settings.cluster_recipes, &settings.project.recipes];
    let env: &Environment = &settings.env;
    f(&Context {
        cluster: settings.cluster.as_ref(),
        clusters: &settings.project.clusters,
        layers: &layers,
        env,
        root,
        here: &settings.project.here,
        stat: &stat,
        interactive,
    })
}

/// What files say about recipes and tools, held against what there is.
fn check(settings: &Settings, catalog: &Catalog) -> Result<(), Fault> {
    params::check_layers(catalog, &[&settings.cluster_recipes, &settings.project.recipes])?;
    for tool in settings.project.tools.values() {
        Range::parse(&tool.range)
            .map_err(|what| Fault::new(Code::CONFIG_KEY, what).at(tool.place.clone()))?;
    }
    Ok(())
}

fn asks_help<'a>(words: &[String], catalog: &'a Catalog) -> Option<&'a Head> {
    let own: Vec<&String> = words.iter().take_while(|w| *w != "--").collect();
    let help = own.iter().position(|w| *w == "--help" || *w == "-h")?;
    own[..help].iter().rev().find_map(|word| catalog.get(word))
}

/// A word that is neither recipe nor command: the nearest of both is suggested.
fn or_command(fault: Fault, words: &[String]) -> Fault {
    let Some(word) = words.first() else { return fault };
    let unknown = fault.code == Code::RECIPE_UNKNOWN && fault.title.contains(&format!("`{word}`"));
    if !unknown || !fault.help.is_empty() {
        return fault;
    }
    let commands = args::subcommands();
    fault.did_you_mean(word, commands.iter().map(String::as_str))
}

/// An invocation needs at least one recipe.
pub(crate) fn some_recipe(words: &[String], command: &str) -> Result<(), Fault> {
    if words.is_empty() {
        return Err(
            Fault::new(Code::USAGE, format!("`ops {command}` needs a recipe")).next("ops list")
        );
    }
    Ok(())
}
