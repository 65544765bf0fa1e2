//! The host against a world of tables: one behaviour each.
