//! The command line of each call, as the real tool takes it.
