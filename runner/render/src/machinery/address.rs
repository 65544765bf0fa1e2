//! Addresses, prefixes and hardware addresses as Go reads and writes them.

use std::net::{IpAddr, Ipv6Addr};

/// An IP address in Go's canonical form; an IPv6 one may carry a zone.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let error = || format!("`{text}` is no IP address");
    if let Some((address, zone)) = text.split_once('%') {
        let address: Ipv6Addr = address.parse().map_err(|_| error())?;
        return if zone.is_empty() { Err(error()) } else { Ok(format!("{address}%{zone}")) };
    }
    Ok(text.parse::<IpAddr>().map_err(|_| error())?.to_string())
}

/// A prefix like `10.0.0.0/8`; host bits stay as they are.
pub(crate) fn prefix(text: &str) -> Result<String, String> {
    let error = || format!("`{text}` is no address prefix like 10.0.0.0/8");
    let (address, bits) = text.rsplit_once('/').ok_or_else(error)?;
    let address: IpAddr = address.parse().map_err(|_| error())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let canonical = bits == "0" || (bits.starts_with(|c: char| ('1'..='9').contains(&c)));
    let length: u16 = bits.parse().map_err(|_| error())?;
    if !canonical || length > most {
        return Err(error());
    }
    Ok(format!("{address}/{length}"))
}

/// An address with a port; IPv6 addresses stand in brackets.
pub(crate) fn address_and_port(text: &str) -> Result<String, String> {
    let error = || format!("`{text}` is no address with a port like 10.0.0.1:51820");
    let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let port: u16 = port.parse().map_err(|_| error())?;
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(error)?;
        let address = address(inner).map_err(|_| error())?;
        return if address.contains(':') {
            Ok(format!("[{address}]:{port}"))
        } else {
            Err(error())
        };
    }
    let address = address(host).map_err(|_| error())?;
    if address.contains(':') { Err(error()) } else { Ok(format!("{address}:{port}")) }
}

/// Bytes written in hexadecimal, with or without colons.
pub(crate) fn hardware_address(text: &str) -> Result<Vec<u8>, String> {
    let error = || format!("`{text}` is no hardware address like 00:11:22:33:44:55");
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).ok_or_else(error))
        .collect::<Result<_, _>>()?;
    if digits.len() % 2 == 1 {
        return Err(error());
    }
    Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

/// Bytes as `00:11:22:33:44:55`.
pub(crate) fn format_hardware_address(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
