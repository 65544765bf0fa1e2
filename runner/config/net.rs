//! Addresses, networks, URLs and paths as people write them: says what is wrong with one. Asks no resolver and no disk.

use std::net::{IpAddr, Ipv6Addr};
use std::path::{Component, Path};

/// An IP address.
pub(crate) fn address(text: &str) -> Result<(), String> {
    text.parse::<IpAddr>().map(drop).map_err(|_| format!("`{text}` is no IP address"))
}

/// An IP address or host name, without a port.
pub(crate) fn host(text: &str) -> Result<(), String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    if text.contains("://") || text.contains('/') {
        return Err(format!("`{text}` is no address: write the host alone"));
    }
    let port = text.rsplit_once(':').filter(|(before, _)| !before.is_empty());
    if port.is_some_and(|(_, port)| port.chars().all(|c| c.is_ascii_digit())) {
        return Err(format!("`{text}` has a port: write the address alone"));
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    let looks_numeric = !last.is_empty() && last.chars().all(|c| c.is_ascii_digit());
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if looks_numeric || !text.split('.').all(label) {
        return Err(format!("`{text}` is no IP address or host name"));
    }
    Ok(())
}

/// A network: `10.244.0.0/16`, `fd00:10:244::/56`.
pub(crate) fn cidr(text: &str) -> Result<(), String> {
    let wrong = || format!("`{text}` is no network such as \"10.244.0.0/16\"");
    let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let plain =
        bits.chars().all(|c| c.is_ascii_digit()) && !(bits.len() > 1 && bits.starts_with('0'));
    let bits: u32 = bits.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    let (value, width) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    if bits > width {
        return Err(format!("`{text}` is no network: the prefix is at most {width}"));
    }
    let host = if bits == 0 { u128::MAX } else { (1u128 << (width - bits)).wrapping_sub(1) };
    // A /0 of either family has host bits only; a /128 or /32 none.
    let host = if bits == width { 0 } else { host };
    if value & host != 0 {
        let network = value & !host;
        let network = if width == 32 {
            IpAddr::V4((network as u32).into())
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(network))
        };
        return Err(format!("`{text}` names a host in the network {network}/{bits}"));
    }
    Ok(())
}

/// A pool of addresses: a network, or `first-last`.
pub(crate) fn range(text: &str) -> Result<(), String> {
    let Some((first, last)) = text.split_once('-') else { return cidr(text) };
    let wrong = || format!("`{text}` is no range such as \"10.20.30.100-10.20.30.150\"");
    let first: IpAddr = first.trim().parse().map_err(|_| wrong())?;
    let last: IpAddr = last.trim().parse().map_err(|_| wrong())?;
    if first.is_ipv4() != last.is_ipv4() {
        return Err(wrong());
    }
    if first > last {
        return Err(format!("`{text}` runs backwards"));
    }
    Ok(())
}

/// The URL of a Kubernetes API: https, a host, perhaps a port, nothing behind.
pub(crate) fn api_url(text: &str) -> Result<(), String> {
    let example = "such as \"https://10.20.30.10:6443\"";
    let rest = text
        .strip_prefix("https://")
        .ok_or_else(|| format!("`{text}` is no https URL {example}"))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err("a user name or password has no place in this URL".into());
    }
    if rest.contains(['/', '?', '#']) {
        return Err(format!("`{text}` has a path: write scheme, host and port {example}"));
    }
    let (name, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (v6, port) =
                v6.split_once(']').ok_or_else(|| format!("`{text}` lacks a closing bracket"))?;
            v6.parse::<Ipv6Addr>().map_err(|_| format!("`{v6}` is no IPv6 address"))?;
            return match port.strip_prefix(':') {
                Some(port) => self::port(text, port),
                None if port.is_empty() => Ok(()),
                None => Err(format!("`{text}` is no URL {example}")),
            };
        }
        None => rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port))),
    };
    host(name)?;
    port.map_or(Ok(()), |port| self::port(text, port))
}

fn port(url: &str, port: &str) -> Result<(), String> {
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(format!("`{url}`: `{port}` is no port")),
    }
}

/// A path inside the repository, relative to its root.
pub(crate) fn inside(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    if text.is_empty() {
        return Err("the path is empty".into());
    }
    if path.is_absolute() {
        return Err(format!("`{text}` is absolute: write it relative to the repository's root"));
    }
    let mut depth = 0i32;
    for part in path.components() {
        depth += match part {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            _ => 0,
        };
        if depth < 0 {
            return Err(format!("`{text}` leaves the repository"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for good in ["10.244.0.0/16", "fd00:10:244::/56", "0.0.0.0/0", "::/0", "10.0.0.1/32"] {
            assert_eq!(cidr(good), Ok(()), "{good}");
        }
        for (bad, says) in [
            ("10.244.0.0", "no network"),
            ("10.244.0.0/33", "at most 32"),
            ("10.244.0.0/", "no network"),
            ("10.244.0.0/+8", "no network"),
            ("10.244.1.0/16", "10.244.0.0/16"),
            ("fd00:10:244::1/56", "fd00:10:244::/56"),
            ("10.244.0/16", "no network"),
            ("1.1.1.1/0", "0.0.0.0/0"),
        ] {
            let told = cidr(bad).unwrap_err();
            assert!(told.contains(says), "{bad}: {told}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["10.9.0.11", "fd00::1", "cp-1.example.org", "cp-1"] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in ["", "10.9.0.256", "10.9.0", "10.9.0.11:50000", "https://x", "a_b", "-a", "a..b"]
        {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_of_the_api() {
        for good in ["https://10.9.0.10:6443", "https://k8s.example", "https://[fd00::1]:6443"] {
            assert_eq!(api_url(good), Ok(()), "{good}");
        }
        for bad in [
            "http://10.9.0.10:6443",
            "10.9.0.10:6443",
            "https://10.9.0.10:0",
            "https://10.9.0.10:70000",
            "https://10.9.0.10/api",
            "https://u:p@10.9.0.10",
            "https://[fd00::1",
            "https://",
        ] {
            assert!(api_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_stay_inside() {
        for good in ["a", "a/../b", "./a", ".ops/x"] {
            assert_eq!(inside(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "..", "a/../../b"] {
            assert!(inside(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pools() {
        assert_eq!(range("10.20.30.100-10.20.30.150"), Ok(()));
        assert_eq!(range("10.20.30.0/24"), Ok(()));
        assert!(range("10.20.30.150-10.20.30.100").is_err());
        assert!(range("10.20.30.1-fd00::1").is_err());
    }
}
