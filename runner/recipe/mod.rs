//! Recipes as plain data: heads, parameters, the catalogue. Knows no Lua and does no I/O of its own.
