//! The command line: parse, resolve, dispatch, exit code. Decides nothing about calls.
