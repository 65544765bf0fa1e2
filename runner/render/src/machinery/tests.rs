//! Facts about Go's own types, each as a line of a table; and that every type
//! of every built-in profile has a rule.

use super::address::{address, address_and_port, prefix};
use super::codec::{decode_base64, encode_base64};
use super::profile::{Profile, VERSIONS};
use super::quantity::{bytes, disk_size, duration, format_duration};
use super::url::Url;

#[test]
fn every_profile_loads_and_knows_its_documents() {
    for version in VERSIONS {
        let profile = Profile::load(version).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(profile.machinery(), *version);
        assert_eq!(profile.check(), Ok(()));
        assert!(profile.documents().len() >= 45, "{version}");
        assert!(profile.document("").is_some(), "{version} has the legacy document");
    }
}

#[test]
fn sizes_are_read_like_humanize() {
    let table = [
        ("10GB", Some(10_000_000_000)),
        ("1.5 MiB", Some(1_572_864)),
        ("1,000", Some(1000)),
        ("5XB", None),
        ("GB", None),
        ("16EiB", None),
    ];
    for (text, expected) in table {
        assert_eq!(bytes(text).ok(), expected, "{text}");
    }
}

#[test]
fn a_disk_size_is_rounded_only_where_nothing_is_lost() {
    let table = [(0, "0 B"), (1_000_000_000, "1.0 GB"), (12_345_000, "12345000"), (999, "999")];
    for (value, text) in table {
        assert_eq!(disk_size(value).0, text);
    }
}

#[test]
fn durations_are_read_and_written_like_go() {
    let table = [
        ("1h30m", "1h30m0s"),
        ("1.5s", "1.5s"),
        ("100ms", "100ms"),
        ("90m", "1h30m0s"),
        ("-5m", "-5m0s"),
        ("0", "0s"),
        ("10us", "10\u{b5}s"),
    ];
    for (text, written) in table {
        assert_eq!(duration(text).map(format_duration).as_deref(), Ok(written), "{text}");
    }
    for text in ["", "10", "x", "1h30", ".s", "1..5s"] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn addresses_take_their_canonical_form() {
    assert_eq!(address("2001:DB8:0:0::1").as_deref(), Ok("2001:db8::1"));
    assert_eq!(address("fe80::1%eth0").as_deref(), Ok("fe80::1%eth0"));
    assert_eq!(prefix("10.1.2.3/8").as_deref(), Ok("10.1.2.3/8"));
    assert_eq!(address_and_port("[fe80::1]:80").as_deref(), Ok("[fe80::1]:80"));
    for text in ["10.0.0.01", "10.0.0", "fe80::1%"] {
        assert!(address(text).is_err(), "{text}");
    }
    for text in ["10.0.0.0/33", "10.0.0.0/08", "10.0.0.0"] {
        assert!(prefix(text).is_err(), "{text}");
    }
}

#[test]
fn urls_come_back_as_go_writes_them() {
    let same = [
        "https://10.0.0.10:6443",
        "http://u:p@h/p?q=1#f",
        "https://h/a%2Fb",
        "mailto:x@y",
        "/x",
        "",
    ];
    for text in same {
        assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Ok(text));
    }
    let changed = [("HTTPS://h/a b", "https://h/a%20b"), ("https://h/\u{e9}", "https://h/%C3%A9")];
    for (text, written) in changed {
        assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Ok(written));
    }
    for text in ["http://h:port", "%zz", "10.0.0.1:80", "http://[::1"] {
        assert!(Url::parse(text).is_err(), "{text}");
    }
}

#[test]
fn base64_is_read_strictly() {
    for text in ["", "YQ==", "YWI=", "YWJj"] {
        assert_eq!(decode_base64(text).map(|bytes| encode_base64(&bytes)).as_deref(), Some(text));
    }
    for text in ["Y", "YQ=", "Y===", "YQ==YQ==", "Y!=="] {
        assert_eq!(decode_base64(text), None, "{text}");
    }
}
