//! The operating system behind small seams: processes, files, clock, randomness. Knows nothing of recipes or clusters.

pub mod blobs;
pub mod channel;
pub mod clock;
mod confine;
pub mod disk;
pub mod environment;
pub mod fault;
pub mod faulty;
pub mod files;
pub mod group;
pub mod kube;
pub mod live;
pub mod overlay;
pub mod prints;
pub mod process;
pub mod provided;
pub mod random;
pub mod redact;
pub mod regular;
pub mod secrets;
pub mod walk;
pub mod watch;
pub mod world;
