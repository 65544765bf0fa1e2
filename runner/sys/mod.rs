//! The operating system behind small seams: processes, files, clock, randomness. Knows nothing of recipes or clusters.

pub mod blobs;
pub mod fault;
pub mod files;
pub mod redact;
pub mod world;
