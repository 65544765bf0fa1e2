//! The journal on disk: one append-only file per run, its sync rule, its repair. Knows nothing of recipes.
