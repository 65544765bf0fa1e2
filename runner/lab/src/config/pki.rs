//! Certificates and keys of a simulated cluster: DER that every parser reads, with a signature that
//! nobody made. Fingerprints, roles and dates are as in the real ones; trust is a comparison of bytes.

use super::encode::{base64, civil};
use crate::rng::Stream;

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        len @ 0..=127 => out.push(len as u8),
        len @ 128..=255 => out.extend([0x81, len as u8]),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend_from_slice(body);
    out
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn oid(body: &[u8]) -> Vec<u8> {
    tlv(0x06, body)
}

fn name(organization: &str) -> Vec<u8> {
    let value = tlv(0x13, organization.as_bytes());
    seq(&[tlv(0x31, &seq(&[oid(&[0x55, 0x04, 0x0a]), value]))])
}

fn time(unix: u64) -> Vec<u8> {
    let [year, month, day, hour, minute, second] = civil(unix);
    let year = year % 100;
    tlv(0x17, format!("{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z").as_bytes())
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// What a certificate says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// Issuer's organization.
    pub(crate) issuer: &'a str,
    /// Own organization: `talos`, `kubernetes`, or the role of a client.
    pub(crate) organization: &'a str,
    /// Whether it is a CA.
    pub(crate) authority: bool,
    /// Unix second from which it is valid.
    pub(crate) from: u64,
    /// Days it is valid.
    pub(crate) days: u64,
}

/// A certificate in PEM.
pub(crate) fn certificate(subject: Subject<'_>, random: &mut Stream) -> String {
    let ed25519 = seq(&[oid(&[0x2b, 0x65, 0x70])]);
    let mut serial = random.bytes(16);
    serial[0] = serial[0] & 0x7f | 1;
    let bits = |bytes: &[u8]| tlv(0x03, &[&[0][..], bytes].concat());
    let mut tbs = vec![
        tlv(0xa0, &tlv(0x02, &[2])),
        tlv(0x02, &serial),
        ed25519.clone(),
        name(subject.issuer),
        seq(&[time(subject.from), time(subject.from + subject.days * 86_400)]),
        name(subject.organization),
        seq(&[ed25519.clone(), bits(&random.bytes(32))]),
    ];
    if subject.authority {
        let basic = seq(&[
            oid(&[0x55, 0x1d, 0x13]),
            tlv(0x01, &[0xff]),
            tlv(0x04, &seq(&[tlv(0x01, &[0xff])])),
        ]);
        tbs.push(tlv(0xa3, &seq(&[basic])));
    }
    let der = seq(&[seq(&tbs), ed25519, bits(&random.bytes(64))]);
    pem("CERTIFICATE", &der)
}

/// A private key in PEM under the label that Talos writes for this kind.
pub(crate) fn key(label: &str, random: &mut Stream) -> String {
    let secret = tlv(0x04, &tlv(0x04, &random.bytes(32)));
    let der = seq(&[tlv(0x02, &[0]), seq(&[oid(&[0x2b, 0x65, 0x70])]), secret]);
    pem(label, &der)
}

/// What a certificate says of its holder: organization, and the year, month and day of its end.
/// Looks for the two values in the DER as they are laid out in every Talos certificate.
pub(crate) fn describe(pem: &str) -> Option<(String, [u64; 3])> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = super::encode::unbase64(&body)?;
    let times: Vec<usize> = der
        .windows(2)
        .enumerate()
        .filter(|(_, two)| *two == [0x17, 13])
        .map(|(at, _)| at)
        .collect();
    let end = der.get(times.get(1)? + 2..)?;
    let number = |at: usize| std::str::from_utf8(end.get(at..at + 2)?).ok()?.parse::<u64>().ok();
    let after = der.get(times.get(1)? + 15..)?;
    let organization = [0x06, 0x03, 0x55, 0x04, 0x0a];
    let at = after.windows(5).position(|five| five == organization)?;
    let length = usize::from(*after.get(at + 6)?);
    let name = String::from_utf8(after.get(at + 7..at + 7 + length)?.to_vec()).ok()?;
    Some((name, [2_000 + number(0)?, number(2)?, number(4)?]))
}
