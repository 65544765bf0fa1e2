//! The crash tests: a run is killed at every boundary in every way, resumed, and held against the run that nobody killed.
//!
//! Everything is in this process: the lab, the journal, the state folder, the files. A crash unwinds the engine; what a disk or a cluster
//! would keep stays in the [`place::Place`]. Only for tests; knows no command line.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arms;
mod bent;
mod books;
mod cells;
mod children;
mod film;
mod grants;
mod ground;
mod oracle;
mod place;
mod tests;
