//! URLs as Go's `net/url` takes them apart and puts them together. Merging
//! works on the parts, so they are kept as parts.

use std::fmt::Write as _;

/// The parts of a URL, decoded where Go decodes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: String,
    pub(crate) opaque: String,
    /// User and, where given, password.
    pub(crate) user: Option<(String, Option<String>)>,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) raw_path: String,
    pub(crate) omit_host: bool,
    pub(crate) force_query: bool,
    pub(crate) raw_query: String,
    pub(crate) fragment: String,
    pub(crate) raw_fragment: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Url, String> {
        let error = |why: &str| format!("`{text}` is no URL: {why}");
        let mut url = Url::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        if rest.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(error("it has a control character"));
        }
        url.fragment = unescape(fragment, Part::Fragment).ok_or_else(|| error("bad escape"))?;
        if escape(&url.fragment, Part::Fragment) != fragment {
            fragment.clone_into(&mut url.raw_fragment);
        }
        if rest == "*" {
            "*".clone_into(&mut url.path);
            return Ok(url);
        }
        let (scheme, rest) = scheme(rest).ok_or_else(|| error("the scheme is missing"))?;
        url.scheme = scheme.to_lowercase();
        let rest = if rest.ends_with('?') && rest.matches('?').count() == 1 {
            url.force_query = true;
            &rest[..rest.len() - 1]
        } else {
            let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
            query.clone_into(&mut url.raw_query);
            rest
        };
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err(error("its first path segment has a colon"));
            }
        }
        let mut path = rest;
        let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
        if has_authority && rest.starts_with("//") {
            let authority = &rest[2..];
            let end = authority.find('/').unwrap_or(authority.len());
            path = &authority[end..];
            url.authority(&authority[..end]).map_err(|why| error(&why))?;
        } else if !url.scheme.is_empty() && rest.starts_with('/') {
            url.omit_host = true;
        }
        url.path = unescape(path, Part::Path).ok_or_else(|| error("bad escape"))?;
        if escape(&url.path, Part::Path) != path {
            path.clone_into(&mut url.raw_path);
        }
        Ok(url)
    }

    fn authority(&mut self, authority: &str) -> Result<(), String> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = parse_host(host)?;
        if let Some(user) = user {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
            if !user.chars().all(allowed) {
                return Err("the user part is not escaped".to_owned());
            }
            let bad = || "bad escape".to_owned();
            let (name, password) = match user.split_once(':') {
                Some((name, password)) => (name, Some(password)),
                None => (user, None),
            };
            let password = match password {
                Some(text) => Some(unescape(text, Part::User).ok_or_else(bad)?),
                None => None,
            };
            self.user = Some((unescape(name, Part::User).ok_or_else(bad)?, password));
        }
        Ok(())
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out += &self.scheme;
            out.push(':');
        }
        if self.opaque.is_empty() {
            let authority = !self.host.is_empty() || self.user.is_some();
            if authority || (!self.scheme.is_empty() && !self.omit_host) {
                if authority || !self.path.is_empty() {
                    out += "//";
                }
                if let Some((name, password)) = &self.user {
                    out += &escape(name, Part::User);
                    if let Some(password) = password {
                        out.push(':');
                        out += &escape(password, Part::User);
                    }
                    out.push('@');
                }
                out += &escape(&self.host, Part::Host);
            }
            let path = escaped(&self.path, &self.raw_path, Part::Path);
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            if out.is_empty() && path.split('/').next().is_some_and(|first| first.contains(':')) {
                out += "./";
            }
            out += &path;
        } else {
            out += &self.opaque;
        }
        if self.force_query || !self.raw_query.is_empty() {
            out.push('?');
            out += &self.raw_query;
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out += &escaped(&self.fragment, &self.raw_fragment, Part::Fragment);
        }
        f.write_str(&out)
    }
}

/// Scheme and rest; no scheme where the text does not begin with one.
fn scheme(text: &str) -> Option<(&str, &str)> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return None,
            ':' => return Some((&text[..at], &text[at + 1..])),
            _ => return Some(("", text)),
        }
    }
    Some(("", text))
}

fn parse_host(host: &str) -> Result<String, String> {
    let port_ok = |port: &str| match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
    };
    let bad = || "bad escape in the host".to_owned();
    if host.starts_with('[') {
        let end = host.rfind(']').ok_or("the bracket of the host is not closed")?;
        if !port_ok(&host[end + 1..]) {
            return Err("the port is no number".to_owned());
        }
        if let Some(zone) = host[..end].find("%25") {
            let address = unescape(&host[..zone], Part::Host).ok_or_else(bad)?;
            let inside = unescape(&host[zone..end], Part::Zone).ok_or_else(bad)?;
            let rest = unescape(&host[end..], Part::Host).ok_or_else(bad)?;
            if host[1..zone].parse::<std::net::Ipv6Addr>().is_err() {
                return Err("the brackets hold no IPv6 address".to_owned());
            }
            return Ok(format!("{address}{inside}{rest}"));
        }
        let inside = &host[1..end];
        if inside.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("the brackets hold no IPv6 address".to_owned());
        }
    } else if let Some(at) = host.find(':')
        && !port_ok(&host[at..])
    {
        return Err("the port is no number".to_owned());
    }
    unescape(host, Part::Host).ok_or_else(bad)
}

fn unescape(text: &str, part: Part) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let digit = |at: usize| (*rest.get(at)? as char).to_digit(16);
            let value = (digit(0)? * 16 + digit(1)?) as u8;
            // A host may hide only bytes beyond ASCII, and a percent sign before a zone.
            if part == Part::Host && value < 0x80 && value != b'%' {
                return None;
            }
            if part == Part::Zone
                && value != b'%'
                && value != b' '
                && must_escape(value, Part::Host)
            {
                return None;
            }
            rest = &rest[2..];
            bytes.push(value);
        } else {
            let host = matches!(part, Part::Host | Part::Zone);
            if host && byte < 0x80 && must_escape(byte, part) {
                return None;
            }
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn must_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    let allowed: &[u8] = match part {
        Part::Host | Part::Zone => b"!$&'()*+,;=:[]<>\"",
        Part::Path => b"$&+,/:;=@",
        Part::User => b"$&+,;=",
        Part::Fragment => b"$&+,/:;=?@!()*",
    };
    !allowed.contains(&byte)
}

fn escape(text: &str, part: Part) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if must_escape(byte, part) {
            let _ = write!(out, "%{byte:02X}");
        } else {
            out.push(byte as char);
        }
    }
    out
}

/// The raw spelling where it is a valid one of this text, else the default one.
fn escaped(text: &str, raw: &str, part: Part) -> String {
    let valid = |byte: u8| b"!$&'()*+,;=:@[]%".contains(&byte) || !must_escape(byte, part);
    if !raw.is_empty() && raw.bytes().all(valid) && unescape(raw, part).as_deref() == Some(text) {
        return raw.to_owned();
    }
    if text == "*" && part == Part::Path { "*".to_owned() } else { escape(text, part) }
}
