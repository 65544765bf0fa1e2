//! The operating system behind small seams: processes, files, clock, randomness. Knows nothing of recipes or clusters.

pub mod blobs;
pub mod clock;
pub mod environment;
pub mod fault;
pub mod files;
pub mod group;
pub mod process;
pub mod random;
pub mod world;
