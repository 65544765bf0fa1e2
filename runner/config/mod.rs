//! Configuration resolved once before anything runs: ops.toml, inventory, lock files, environment. Runs nothing.
