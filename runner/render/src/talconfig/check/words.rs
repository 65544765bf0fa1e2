//! The forms of words that Kubernetes and networks know.

use std::net::IpAddr;

pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

pub(super) fn is_prefix(text: &str) -> bool {
    crate::machinery::address::prefix(text).is_ok()
}

/// An address with or without a length.
pub(super) fn is_address_or_prefix(text: &str) -> bool {
    if text.contains('/') { is_prefix(text) } else { is_address(text) }
}

pub(super) fn is_hostname(text: &str) -> bool {
    text.len() <= 255
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

/// A domain, underscores and a dot at its end included.
pub(super) fn is_domain(text: &str) -> bool {
    let text = text.strip_suffix(['.', '_']).unwrap_or(text);
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 255
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.starts_with(|c: char| c.is_ascii() && word(c as u8))
                && label.bytes().all(|byte| word(byte) || byte == b'-')
        })
}

/// An IP address, or a name that is not a misspelt one.
pub(super) fn is_host(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_address(text) || (!digits && is_domain(text))
}

/// The name of a label, annotation or taint, with or without a domain before it.
pub(super) fn is_qualified(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    let lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    !name.is_empty()
        && is_label_value(name)
        && prefix.is_none_or(|prefix| prefix.len() <= 253 && is_hostname(prefix) && lower(prefix))
}

/// The value of a label; it may be empty.
pub(super) fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.starts_with(edge)
            && text.ends_with(edge)
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')))
}

/// A key of WireGuard: 32 bytes in base64.
pub(super) fn is_wireguard_key(text: &str) -> bool {
    crate::machinery::codec::decode_base64(text).is_some_and(|bytes| bytes.len() == 32)
}

/// The name of an image without tag and digest.
pub(super) fn is_image_name(text: &str) -> bool {
    let path = |part: &str| {
        !part.is_empty()
            && part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
            })
    };
    match text.split_once('/') {
        Some((domain, rest)) => {
            let domain = domain.rsplit_once(':').map_or(domain, |(host, port)| {
                if port.bytes().all(|b| b.is_ascii_digit()) { host } else { "" }
            });
            (is_hostname(domain) || domain.starts_with('[')) && rest.split('/').all(path)
        }
        None => false,
    }
}
