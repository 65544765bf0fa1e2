//! The Lua side: sandbox, loader, bindings. The only place that names mlua; makes effects only through the engine.
