//! What the nodes of a talconfig have in common, read once: their bases and
//! the patches that name the same text. Nothing here is looked up by name
//! alone: what is kept counts only for the very bytes it was made of.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diagnostic::Diagnostic;
use crate::machinery::profile::Profile;
use crate::patch::{Document, Patch, read_config};
use crate::yaml::read::Source;

/// One version of each text, the last one that was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    machinery: String,
    bases: Vec<(Vec<u8>, Rc<Vec<Document>>)>,
    patches: BTreeMap<String, (Vec<u8>, Patch)>,
}

/// The bases that are kept: one for each role.
const BASES: usize = 2;

impl Kept {
    /// Forgets what was made for another machinery.
    pub(super) fn serve(&mut self, profile: &Profile) {
        if self.machinery != profile.machinery() {
            *self = Kept { machinery: profile.machinery().to_owned(), ..Kept::default() };
        }
    }

    /// A base, read; findings in it carry the name it is given first.
    pub(super) fn base(
        &mut self,
        source: Source<'_>,
        profile: &Profile,
    ) -> Result<Rc<Vec<Document>>, Vec<Diagnostic>> {
        if let Some((_, known)) = self.bases.iter().find(|(bytes, _)| bytes == source.bytes) {
            return Ok(Rc::clone(known));
        }
        let documents = Rc::new(read_config(source, profile)?);
        if self.bases.len() == BASES {
            self.bases.remove(0);
        }
        self.bases.push((source.bytes.to_vec(), Rc::clone(&documents)));
        Ok(documents)
    }

    /// The patch that was made of a text of this name, if it is the same text.
    pub(super) fn patch(&self, source: Source<'_>) -> Option<Patch> {
        let (bytes, patch) = self.patches.get(source.name)?;
        (bytes == source.bytes).then(|| patch.clone())
    }

    pub(super) fn keep(&mut self, source: Source<'_>, patch: &Patch) {
        self.patches.insert(source.name.to_owned(), (source.bytes.to_vec(), patch.clone()));
    }
}
