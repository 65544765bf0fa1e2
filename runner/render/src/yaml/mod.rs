//! YAML as go-yaml reads and writes it: the node tree with places, the
//! meaning of plain scalars, key order and output. It knows nothing of Talos.

pub(crate) mod again;
pub(crate) mod emit;
mod facts;
mod layout;
pub(crate) mod node;
pub(crate) mod order;
pub(crate) mod read;
mod refuse;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;
pub(crate) mod timestamp;
