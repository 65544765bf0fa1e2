//! Talos' own types: the table of documents and fields of one machinery
//! version, and values of those types as Go would hold them. It knows nothing
//! of patches.

pub(crate) mod address;
pub(crate) mod any;
pub(crate) mod codec;
pub(crate) mod decode;
mod decode_own;
pub(crate) mod delete;
pub(crate) mod encode;
pub(crate) mod merge;
pub(crate) mod merge_lists;
pub(crate) mod profile;
pub(crate) mod quantity;
pub(crate) mod settle;
pub(crate) mod strict;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod translate;
pub(crate) mod url;
pub(crate) mod value;
