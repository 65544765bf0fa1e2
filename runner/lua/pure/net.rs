//! `net.contains`, `net.overlaps`: networks and addresses, IPv4 and IPv6. Asks nobody.

use std::net::IpAddr;

use mlua::{Lua, Table, Value};

use super::{text_of, wrong};

/// A network: its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    v6: bool,
    bits: u128,
    length: u32,
}

impl Network {
    /// A network such as `10.0.0.0/8`, or a single address.
    fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (v6, bits, width) = match address.parse().ok()? {
            IpAddr::V4(v4) => (false, u128::from(u32::from(v4)) << 96, 32),
            IpAddr::V6(v6) => (true, u128::from(v6), 128),
        };
        let length = length.unwrap_or(width);
        (length <= width).then_some(Network { v6, bits, length })
    }

    fn contains(self, other: Network) -> bool {
        let mask = u128::MAX.checked_shl(128 - self.length).unwrap_or(0);
        self.v6 == other.v6 && self.length <= other.length && (self.bits ^ other.bits) & mask == 0
    }
}

/// Adds the functions.
pub(super) fn functions(lua: &Lua, table: &Table) -> mlua::Result<()> {
    table.raw_set(
        "contains",
        lua.create_function(|lua, (outer, inner): (Value, Value)| {
            let network = |value| network(lua, "net.contains", value);
            Ok(network(&outer)?.contains(network(&inner)?))
        })?,
    )?;
    table.raw_set(
        "overlaps",
        lua.create_function(|lua, (a, b): (Value, Value)| {
            let (a, b) = (network(lua, "net.overlaps", &a)?, network(lua, "net.overlaps", &b)?);
            Ok(a.contains(b) || b.contains(a))
        })?,
    )
}

fn network(lua: &Lua, function: &str, value: &Value) -> mlua::Result<Network> {
    let text = text_of(lua, function, value)?;
    Network::parse(&text)
        .ok_or_else(|| wrong(lua, function, format!("`{text}` is no network such as 10.0.0.0/8")))
}
