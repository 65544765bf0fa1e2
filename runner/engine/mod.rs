//! The loop that owns run state, and the gate that every effect passes. Knows no Lua, clap, colours or file formats.
