//! Renders Talos machine configs natively: patches with the semantics of
//! talosctl, at a place for every complaint. Also reads and edits single values
//! of the YAML files around them. Pure: it reads no file, no clock
//! and no environment, and knows nothing of recipes or of the command line.

pub mod diagnostic;
pub mod edit;
mod go;
pub mod kustomization;
mod machinery;
pub mod patch;
pub mod talconfig;
mod template;
mod tree;
mod yaml;

pub use diagnostic::{Code, Diagnostic, Mark};
pub use edit::{Edited, Scalar, edit, value_at};
pub use go::{go_template, go_variables};
pub use machinery::profile::{Profile, UnknownProfile, VERSIONS};
pub use patch::{Parsed, Patch, Patched, patch};
pub use tree::Tree;
pub use yaml::read::{MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT, Source};
