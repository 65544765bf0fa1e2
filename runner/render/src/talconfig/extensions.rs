//! Which official extensions and overlays each release of Talos has, by the
//! list in talhelper. It matters for no config: an image's identity is made of
//! what is asked for, and the factory refuses what it does not have.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::machinery::strict::nearest;

/// First and last release of each time that something was there.
type Spans = Vec<(usize, usize)>;

/// The list; a release is a place in it.
#[derive(Debug, Deserialize)]
pub(super) struct Releases {
    latest: String,
    versions: Vec<String>,
    extensions: BTreeMap<String, Spans>,
    /// By name and image, a space between them.
    overlays: BTreeMap<String, Spans>,
}

impl Releases {
    /// Loads the built-in list.
    pub(super) fn load() -> Result<Releases, String> {
        serde_json::from_str(include_str!("../../data/talhelper-3.1.16-extensions.json"))
            .map_err(|error| format!("the built-in list of extensions is damaged: {error}"))
    }

    /// A release; for one that is not in the list the latest that was released
    /// when the list was made, as in talhelper.
    pub(super) fn nearest(&self, version: &str) -> usize {
        let find = |version: &str| self.versions.iter().position(|known| known == version);
        find(version).or_else(|| find(&self.latest)).unwrap_or(0)
    }

    pub(super) fn version(&self, release: usize) -> &str {
        self.versions.get(release).map_or("", String::as_str)
    }

    pub(super) fn has_extension(&self, name: &str, release: usize) -> bool {
        self.extensions.get(name).is_some_and(|spans| is_in(spans, release))
    }

    /// The last release that has an extension, if any ever had; what was only
    /// tried before a release does not count where a release has it.
    pub(super) fn last_with_extension(&self, name: &str) -> Option<&str> {
        let spans = self.extensions.get(name)?;
        let mut known = spans.iter().flat_map(|(first, last)| *first..=*last).rev();
        let newest = known.clone().next();
        let released = known.find(|release| !self.version(*release).contains('-'));
        released.or(newest).map(|release| self.version(release))
    }

    /// The extension that a name probably means: one of the same name by
    /// another maker, one whose name is part of it, one that is spelt alike.
    pub(super) fn near_extension(&self, name: &str, release: usize) -> Option<&str> {
        let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = bare(name);
        let known: Vec<(String, &str)> = names(&self.extensions, release)
            .map(|name| (bare(name), name))
            .filter(|(bare, _)| !bare.is_empty())
            .collect();
        let part = known.iter().filter(|(bare, _)| wanted.starts_with(bare.as_str()));
        if let Some((_, name)) = part.max_by_key(|(bare, _)| bare.len()) {
            return Some(name);
        }
        let words: Vec<&str> = known.iter().map(|(bare, _)| bare.as_str()).collect();
        let near = nearest(&wanted, &words)?;
        known.iter().find(|(bare, _)| bare == near).map(|(_, name)| *name)
    }

    /// The image that an overlay is in.
    pub(super) fn overlay(&self, name: &str, release: usize) -> Option<&str> {
        names(&self.overlays, release)
            .find_map(|overlay| overlay.split_once(' ').filter(|(known, _)| *known == name))
            .map(|(_, image)| image)
    }

    /// The names of all overlays.
    pub(super) fn overlays(&self, release: usize) -> Vec<&str> {
        names(&self.overlays, release)
            .filter_map(|overlay| overlay.split_once(' ').map(|(name, _)| name))
            .collect()
    }
}

fn is_in(spans: &Spans, release: usize) -> bool {
    spans.iter().any(|(first, last)| (*first..=*last).contains(&release))
}

fn names(all: &BTreeMap<String, Spans>, release: usize) -> impl Iterator<Item = &str> {
    all.iter().filter(move |(_, spans)| is_in(spans, release)).map(|(name, _)| name.as_str())
}
