//! The state folder: grants, audit, locks (state.db), and the rebuildable cache in the repository. Judges nothing.
