//! The files through which a cluster is reached, as data: talosconfig and kubeconfig. YAML is read by the caller; certificates are read here.

use crate::error::{CallError, ErrorKind};
use crate::time::Time;
use crate::value::Value;

/// A context of a talosconfig. Holds a key: never to be shown or stored.
#[derive(Clone, PartialEq, Eq)]
pub struct TalosContext {
    /// The certificate authority, DER.
    pub ca: Vec<u8>,
    /// The client's certificate, DER.
    pub crt: Vec<u8>,
}

/// The context of this name in a talosconfig.
///
/// # Errors
/// Where the file has no such context, or it lacks certificates.
pub fn talos_context(talosconfig: &Value, name: &str) -> Result<TalosContext, CallError> {
    let wrong = |why: String| CallError::new(ErrorKind::Invalid, why).before_effect();
    let context = talosconfig.get("contexts").and_then(|c| c.get(name)).ok_or_else(|| {
        let known: Vec<&String> = talosconfig
            .get("contexts")
            .and_then(Value::as_object)
            .map(|c| c.keys().collect())
            .unwrap_or_default();
        wrong(format!("the talosconfig has no context `{name}`, but {known:?}"))
    })?;
    let part = |field: &str| {
        let text = context.get(field).and_then(Value::as_str).unwrap_or_default();
        let pem = base64(text.as_bytes()).filter(|bytes| !bytes.is_empty());
        pem.map(|bytes| der(&bytes))
            .ok_or_else(|| wrong(format!("context `{name}` of the talosconfig has no `{field}`")))
    };
    Ok(TalosContext { ca: part("ca")?, crt: part("crt")? })
}

/// What makes two kubeconfigs reach the same API as the same user by the same name: server, CA and context. Client certificates differ in
/// every copy that the node hands out, so they do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeAccess {
    /// Name of the context.
    pub context: String,
    /// URL of the API.
    pub server: String,
    /// The API's certificate authority, DER.
    pub ca: Vec<u8>,
    /// End of the client certificate's life, where it can be read.
    pub not_after: Option<Time>,
}

/// The current context of a kubeconfig.
///
/// # Errors
/// Where it has no current context or that lacks a part.
pub fn kube_access(kubeconfig: &Value) -> Result<KubeAccess, CallError> {
    let wrong =
        |why: &str| CallError::new(ErrorKind::Parse, format!("the kubeconfig has no {why}"));
    let text = |v: Option<&Value>| v.and_then(Value::as_str).map(str::to_owned);
    let named = |list: &str, name: &str| {
        let list = kubeconfig.get(list)?.as_array()?;
        list.iter().find(|e| e.get("name").and_then(Value::as_str) == Some(name))
    };
    let context =
        text(kubeconfig.get("current-context")).ok_or_else(|| wrong("current-context"))?;
    let entry = named("contexts", &context).and_then(|c| c.get("context"));
    let entry = entry.ok_or_else(|| wrong("entry for its current context"))?;
    let cluster = text(entry.get("cluster")).unwrap_or_default();
    let cluster = named("clusters", &cluster).and_then(|c| c.get("cluster"));
    let cluster = cluster.ok_or_else(|| wrong("cluster of its current context"))?;
    let user = text(entry.get("user")).unwrap_or_default();
    let crt = named("users", &user)
        .and_then(|u| text(u.get("user")?.get("client-certificate-data")))
        .and_then(|t| base64(t.as_bytes()));
    let ca = text(cluster.get("certificate-authority-data")).and_then(|t| base64(t.as_bytes()));
    Ok(KubeAccess {
        context,
        server: text(cluster.get("server")).ok_or_else(|| wrong("server"))?,
        ca: der(&ca.ok_or_else(|| wrong("certificate-authority-data"))?),
        not_after: crt.and_then(|pem| not_after(&der(&pem))),
    })
}

/// The bytes of a PEM document's first block; other bytes as they are.
pub fn der(pem: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(pem) else { return pem.to_vec() };
    let body: String = text
        .lines()
        .skip_while(|l| !l.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|l| !l.starts_with("-----END"))
        .collect();
    match base64(body.as_bytes()) {
        Some(bytes) if !bytes.is_empty() => bytes,
        _ => pem.to_vec(),
    }
}

/// Decodes base64 (standard letters, padded or not); white space is passed over. None where anything else stands in it.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.iter().filter(|b| !b.is_ascii_whitespace() && **b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// The end of a certificate's life, from its DER. None where the bytes are no X.509 certificate.
///
/// `Certificate → tbsCertificate → [version] serial algorithm issuer validity → notAfter`: a walk over five tags needs no X.509 library.
pub fn not_after(certificate: &[u8]) -> Option<Time> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (tag, certificate, _) = element(certificate)?;
    let (inner, body, _) = element(certificate)?;
    if tag != SEQUENCE || inner != SEQUENCE {
        return None;
    }
    let (first, _, mut rest) = element(body)?;
    if first == VERSION {
        rest = element(rest)?.2; // serial number
    }
    rest = element(rest)?.2; // algorithm
    rest = element(rest)?.2; // issuer
    let (_, validity, _) = element(rest)?;
    let (_, _, after) = element(validity)?;
    let (tag, text, _) = element(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Tag, content and what follows of the first DER element.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            digits
                .iter()
                .try_fold(0_usize, |n, d| n.checked_mul(256)?.checked_add(usize::from(*d)))?,
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (UTCTime, 23) or `YYYYMMDDHHMMSSZ` (GeneralizedTime, 24).
fn time(tag: u8, text: &str) -> Option<Time> {
    let full = match tag {
        23 if text.get(..2)? < "50" => format!("20{text}"),
        23 => format!("19{text}"),
        24 => text.to_owned(),
        _ => return None,
    };
    let digits = full.strip_suffix('Z')?;
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let seconds = number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?;
    // Days since the epoch by the civil calendar, counted from a March so that the leap day comes last.
    let shifted = if month <= 2 { year.checked_sub(1)? } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    Some(Time((days.checked_sub(719_468)? * 86_400 + seconds) * 1000))
}
