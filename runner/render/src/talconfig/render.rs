//! A node's machine config: the settings of its talconfig on a generated
//! base, the documents they make, then the patches. Facts: `pkg/generate` and
//! `pkg/talos` of talhelper v3.1.16.

use std::cell::RefCell;
use std::rc::Rc;

use super::node::Node;
use super::patches::{Inline, extra_documents, opened, patch_of};
use super::view::View;
use super::{PatchText, Schema, Talconfig, Variables, build, check, contents};
use crate::diagnostic::{Diagnostic, Mark};
use crate::machinery::profile::{Profile, TypeId};
use crate::machinery::translate::translate;
use crate::machinery::value::Value;
use crate::patch::{Config, Document, Patched, apply, merge_into, read_config};
use crate::template::{Functions, Item, Problem, render};
use crate::yaml::again::again;
use crate::yaml::read::Source;

/// Brings the content of a file that a talconfig names with `@`, decrypted, or
/// says why it cannot. Names come as they are written there; `path::within`
/// tells which path of the repository they mean.
pub type ReadFile<'r> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'r;

impl Talconfig {
    /// Renders a node on the base that its role has: the config that `talosctl
    /// gen config` makes of this cluster's name, endpoint, versions and
    /// secrets, for the role's machine type.
    ///
    /// # Errors
    /// A setting, file or patch that cannot be applied, with its place.
    pub fn render(
        &self,
        node: &Node,
        base: Source<'_>,
        schema: &Schema,
        profile: &Profile,
        variables: &Variables,
        read: &ReadFile<'_>,
    ) -> Result<Patched, Vec<Diagnostic>> {
        let quick = Rendering { config: self, node, base, by_text: false };
        let job = Job::new(self, node, schema, profile, variables, read);
        if let Ok(patched) = quick.run(&job) {
            return Ok(patched);
        }
        // Every finding is told with its place in the text between two steps.
        let job = Job::new(self, node, schema, profile, variables, read);
        Rendering { by_text: true, ..quick }.run(&job)
    }
}

/// The steps of rendering. talhelper writes and reads the config between
/// them; this is done with its text only where nothing else tells what becomes of it.
struct Rendering<'r> {
    config: &'r Talconfig,
    node: &'r Node,
    base: Source<'r>,
    by_text: bool,
}

impl Rendering<'_> {
    fn run(&self, job: &Job<'_>) -> Result<Patched, Vec<Diagnostic>> {
        let (profile, name) = (job.profile, self.base.name);
        let mut documents = self.base_documents(profile)?;
        if !documents.first().is_some_and(|document| document.is_legacy(profile)) {
            let message = "the base has no v1alpha1 document";
            return Err(vec![check::problem(name, Mark::default(), message)]);
        }
        job.cluster_settings(&mut documents)?;
        job.node_settings(&mut documents[0])?;
        let one = |problem| vec![problem];
        job.templated_settings(&mut documents[0]).map_err(one)?;
        let added = job.documents().map_err(one)?;
        let documents = merge_into(documents, added, &self.config.file, profile)?;
        let mut config = Config::Documents(documents);
        for patches in [&self.node.patches, &self.config.patches] {
            if !patches.is_empty() {
                config = job.patched(name, self.between(config, job)?, patches)?;
            }
        }
        let manifests = self.node.items(job.schema, "extraManifests");
        let mut text = config.text(profile);
        if !manifests.is_empty() {
            text = extra_documents(job, name, &text, &manifests)?;
        }
        Ok(Patched { text, warnings: job.warnings.take() })
    }

    fn base_documents(&self, profile: &Profile) -> Result<Vec<Document>, Vec<Diagnostic>> {
        if self.by_text {
            return read_config(self.base, profile);
        }
        let mut kept = self.config.kept.borrow_mut();
        kept.serve(profile);
        kept.base(self.base, profile).map(|documents| documents.to_vec())
    }

    /// The config as the next step sees it.
    fn between(&self, config: Config, job: &Job<'_>) -> Result<Config, Vec<Diagnostic>> {
        if self.by_text {
            return Ok(Config::Text(config.text(job.profile)));
        }
        // Without a finding: the way by the text has it, if there is any.
        config.settled(job.profile).ok_or_else(Vec::new)
    }
}

/// The rendering of one node.
pub(super) struct Job<'j> {
    pub(super) config: &'j Talconfig,
    pub(super) node: &'j Node,
    pub(super) schema: &'j Schema,
    pub(super) profile: &'j Profile,
    pub(super) variables: &'j Variables,
    pub(super) read: &'j ReadFile<'j>,
    warnings: RefCell<Vec<Diagnostic>>,
}

impl<'j> Job<'j> {
    fn new(
        config: &'j Talconfig,
        node: &'j Node,
        schema: &'j Schema,
        profile: &'j Profile,
        variables: &'j Variables,
        read: &'j ReadFile<'j>,
    ) -> Job<'j> {
        Job { config, node, schema, profile, variables, read, warnings: RefCell::default() }
    }

    /// The value of a setting in force, unless it is unset.
    pub(super) fn setting(&self, key: &str) -> Option<View<'j>> {
        self.node.setting(self.schema, key)
    }

    pub(super) fn refused(&self, mark: Mark, message: impl Into<String>) -> Diagnostic {
        self.of_node(check::problem(&self.config.file, mark, message))
    }

    /// Says which node a finding is about.
    pub(super) fn of_node(&self, problem: Diagnostic) -> Diagnostic {
        let message = format!("node `{}`: {}", self.node.hostname, problem.message);
        Diagnostic { message, ..problem }
    }

    pub(super) fn warn(&self, mark: Mark, message: impl Into<String>) {
        self.warnings.borrow_mut().push(self.refused(mark, message));
    }

    /// Whether the nodes run Talos 1.`minor` or later.
    pub(super) fn at_least(&self, minor: u32) -> bool {
        self.config.at_least(minor)
    }

    pub(super) fn document(&self, kind: &str, mark: Mark) -> Result<Document, Diagnostic> {
        build::document(kind, &self.config.file, mark, self.profile)
            .map_err(|why| self.refused(mark, why))
    }

    /// A type that every machinery should have.
    pub(super) fn known(&self, item: Option<TypeId>, mark: Mark) -> Result<TypeId, Diagnostic> {
        item.ok_or_else(|| {
            let machinery = self.profile.machinery();
            self.refused(mark, format!("machinery {machinery} has no place for this"))
        })
    }

    /// An item of a list out of its text.
    pub(super) fn made(
        &self,
        item: Option<TypeId>,
        text: &str,
        mark: Mark,
    ) -> Result<Value, Diagnostic> {
        let item = self.known(item, mark)?;
        let mut value = Value::zero(self.profile, item);
        build::put(self.profile, item, &mut value, &[], build::Given::Text(text))
            .map_err(|why| self.refused(mark, why))?;
        Ok(value)
    }

    /// Items as a list of the machinery holds them.
    pub(super) fn translated(
        &self,
        items: &[(TypeId, Value, Mark)],
        target: Option<TypeId>,
    ) -> Result<Vec<Value>, Diagnostic> {
        let item = |(type_id, value, mark): &(TypeId, Value, Mark)| {
            let target = self.known(target, *mark)?;
            translate((&self.schema.0, *type_id), (self.profile, target), value)
                .map_err(|why| self.refused(*mark, why))
        };
        items.iter().map(item).collect()
    }

    /// Items with a text that may be `@FILE` and is read then. Like talhelper
    /// this writes the file's YAML again where variables are replaced in it,
    /// without its comments; what is no YAML stays as it is.
    pub(super) fn with_content(
        &self,
        items: &[View<'j>],
        key: &str,
    ) -> Result<Vec<(TypeId, Value, Mark)>, Vec<Diagnostic>> {
        let mut out = Vec::new();
        for item in items {
            // The struct itself, then the mark whether variables stay.
            let [value, skips] = item.value.fields() else { continue };
            let type_id = self.schema.0.fields(item.type_id)[0].type_id;
            let (mut value, mark) = (value.clone(), item.place(key));
            if let Some(name) = item.text(key).strip_prefix('@').map(str::trim)
                && !name.is_empty()
            {
                let refused = |why: String| vec![self.refused(mark, why)];
                let bytes = (self.read)(name)
                    .map_err(|why| refused(format!("`{name}` cannot be read: {why}")))?;
                let text = crate::yaml::read::text(Source { name, bytes: &bytes })
                    .map_err(|problem| vec![problem])?
                    .to_owned();
                opened(name, &text)?;
                contents::check(name, &text).map_err(|problem| vec![problem])?;
                let text = if *skips == Value::Bool(true) {
                    text
                } else {
                    self.written_again(name, &text, mark)?
                };
                build::put(&self.schema.0, type_id, &mut value, &[key], build::Given::Text(&text))
                    .map_err(refused)?;
            }
            out.push((type_id, value, mark));
        }
        Ok(out)
    }

    fn written_again(&self, name: &str, text: &str, mark: Mark) -> Result<String, Vec<Diagnostic>> {
        // Variables are looked for in the file itself first, where lines have their numbers.
        let as_it_is = super::substitute::file(name, text, self.variables)?;
        let Some(again) = again(text) else { return Ok(as_it_is) };
        if again.joined {
            let message = format!(
                "`{name}` is one text of several lines to YAML: they are joined, as talhelper does; `skipEnvsubst: true` keeps them"
            );
            self.warn(mark, message);
        }
        super::substitute::expand(&again.text, self.variables)
            .map_err(|why| vec![self.refused(mark, format!("`{name}`: {why}"))])
    }

    /// A template over a v1alpha1 document.
    pub(super) fn template(&self, text: &str, data: &Document) -> Result<String, Problem> {
        let data = Item::typed(self.profile, data.type_id, &data.value);
        render(text, &data, Functions::Sprig)
    }

    /// The config after some patches; templates in them see it as it was before.
    fn patched(
        &self,
        name: &str,
        before: Config,
        texts: &[PatchText],
    ) -> Result<Config, Vec<Diagnostic>> {
        let data = std::cell::OnceCell::new();
        let mut inline = Vec::new();
        let place = |found: Vec<Diagnostic>, inline: &[Inline<'_>]| -> Vec<Diagnostic> {
            found.into_iter().map(|problem| self.config.placed(problem, inline)).collect()
        };
        let mut patches = Vec::new();
        for text in texts {
            let found = patch_of(self, text, (name, &before), &data, &mut inline);
            patches.extend(found.map_err(|problems| place(problems, &inline))?);
        }
        let mut warnings = Vec::new();
        let after = apply(before, name, &patches, self.profile, &mut warnings)
            .map_err(|problems| place(problems, &inline))?;
        self.warnings.borrow_mut().append(&mut place(warnings, &inline));
        // What a JSON patch leaves behind is typed by nobody else.
        if patches.iter().any(crate::patch::Patch::is_json_patch) {
            let text = after.text(self.profile);
            read_config(Source { name, bytes: text.as_bytes() }, self.profile)?;
            return Ok(Config::Text(text));
        }
        Ok(after)
    }
}

/// The name of the talconfig, as findings carry it.
pub(super) type FileName = Rc<str>;
