//! That a settled value is the one that its text gives: for values of every
//! document's type, made from a tape of random numbers.

use super::settle;
use crate::machinery::any::Any;
use crate::machinery::decode::decode;
use crate::machinery::encode::encode;
use crate::machinery::profile::{Codec, GoYaml, Profile, Shape, TypeId, VERSIONS};
use crate::machinery::strict;
use crate::machinery::url::Url;
use crate::machinery::value::Value;
use crate::yaml::emit::emit;
use crate::yaml::read::{Source, read};
use crate::yaml::scalar::Dialect;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Texts that YAML reads as something else, writes in another style or folds.
const TEXTS: &[&str] = &[
    "",
    "a",
    "b-c",
    "yes",
    "null",
    "~",
    "1",
    "0x1f",
    "1e3",
    ".inf",
    "1:30",
    "2001-01-01",
    "<<",
    "a: b",
    "a #b",
    "- a",
    "--- x",
    "it's",
    "\"q\"",
    " lead",
    "trail ",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\na",
    "  a\nb",
    "a\n  b\n\n\nc",
    "tab\there",
    "a\n\tb",
    "ü",
    "\u{1f600}",
    "\u{85}",
    "a\r\nb",
    "{x}",
    "[",
    "&a",
    "*a",
    "!t",
    "%d",
    "@a",
    "`",
    "?",
    "? a",
    ":",
    "a:",
    "machine",
    "kind",
    "10.0.0.0/8",
    "https://x.example:6443",
    "true",
    "-",
    "a\n ",
    "# c\n",
    "\u{a0}",
    "\u{feff}a",
    "=",
];

struct Tape<'t> {
    profile: &'t Profile,
    numbers: std::slice::Iter<'t, u16>,
}

impl Tape<'_> {
    /// A number below `limit`; 0 where the tape has ended.
    fn below(&mut self, limit: usize) -> usize {
        self.numbers.next().map_or(0, |number| usize::from(*number) % limit)
    }

    fn text(&mut self) -> String {
        TEXTS[self.below(TEXTS.len())].to_owned()
    }

    fn one_of(&mut self, texts: &[&str]) -> String {
        texts[self.below(texts.len())].to_owned()
    }

    fn value(&mut self, type_id: TypeId) -> Value {
        let profile = self.profile;
        let kind = profile.get(type_id);
        if self.below(4) == 0 {
            return Value::zero(profile, type_id);
        }
        if let Some(codec) = &kind.codec
            && let Some(value) = self.own(codec, kind.keys.len())
        {
            return value;
        }
        match &kind.shape {
            Shape::Bool => Value::Bool(self.below(2) == 1),
            Shape::Int { bits, .. } => {
                Value::Int([0, 1, 60, 127, (1 << (bits - 1)) - 1][self.below(5)])
            }
            Shape::Float => Value::Float([0.0, 1.0, 1.5, 1e9][self.below(4)]),
            Shape::Text => Value::Text(self.text()),
            Shape::Any => self.any(3).map_or(Value::Nil, Value::Any),
            Shape::Pointer(elem) => Value::Pointer(Box::new(self.value(*elem))),
            Shape::List(elem) => {
                Value::List((0..self.below(3)).map(|_| self.value(*elem)).collect())
            }
            Shape::Map(elem) => {
                Value::Map((0..self.below(3)).map(|_| (self.text(), self.value(*elem))).collect())
            }
            Shape::Struct(fields) => {
                Value::Struct(fields.iter().map(|field| self.value(field.type_id)).collect())
            }
            Shape::Bytes => Value::Bytes(vec![1, 2]),
            Shape::Opaque | Shape::Url => Value::zero(profile, type_id),
        }
    }

    /// Values of types that write or read themselves.
    fn own(&mut self, codec: &Codec, parts: usize) -> Option<Value> {
        let boxed = |text: &str| Value::Pointer(Box::new(Value::Opaque(Some(text.to_owned()))));
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        Some(match codec {
            Codec::Enumeration { names, .. } | Codec::FailOverMac(names) => {
                Value::Int(names[self.below(names.len())].0)
            }
            Codec::ByteSize => Value::Opaque(Some(self.one_of(&["10GiB", "1 MB", "100"]))),
            Codec::PercentageSize => Value::Opaque(Some(self.one_of(&["50%", "-10%"]))),
            Codec::Size => Value::Struct(
                [
                    vec![boxed("50%"), boxed("1GB")],
                    vec![boxed("50%"), Value::Nil],
                    vec![Value::Nil, boxed("1GB")],
                ][self.below(3)]
                .clone(),
            ),
            Codec::Expression => {
                Value::Opaque(Some(self.one_of(&["disk.size > 1u", "a &&\nb", " x"])))
            }
            Codec::Address => Value::Opaque(Some(self.one_of(&["10.0.0.1", "fe80::1%eth0", "::"]))),
            Codec::AddressAndPort => Value::Opaque(Some(self.one_of(&["10.0.0.1:80", "[::1]:80"]))),
            Codec::Prefix => Value::Opaque(Some(self.one_of(&["10.0.0.1/8", "fd00::/64"]))),
            Codec::HardwareAddress => {
                [Value::Nil, bytes(&[]), bytes(&[0x10, 0x20]), bytes(&[1, 2, 3, 4, 5, 6])]
                    [self.below(4)]
                .clone()
            }
            Codec::Duration => {
                Value::Int([0, 1, 1_000_000_000, -90_000_000_000, 1_500_000][self.below(5)])
            }
            Codec::Url { .. } => {
                let url = Url::parse(&self.one_of(&[
                    "https://a.example:6443",
                    "http://u:p@h/p?q#f",
                    "a",
                    "",
                ]));
                let url = url.map(|url| Value::Pointer(Box::new(Value::Url(Box::new(url)))));
                Value::Struct(vec![[Value::Nil, url.ok()?][self.below(2)].clone()])
            }
            Codec::PortRange => {
                let low = self.below(70_000) as i128;
                Value::Struct(vec![Value::Int(low), Value::Int(low + self.below(2) as i128)])
            }
            Codec::Argument => {
                let list = (0..self.below(3)).map(|_| Value::Text(self.text())).collect();
                Value::Struct(
                    [
                        vec![Value::Nil, Value::Text(self.text())],
                        vec![Value::List(list), Value::Text(String::new())],
                    ][self.below(2)]
                    .clone(),
                )
            }
            Codec::Base64 => bytes([&b""[..], b"ab"][self.below(2)]),
            Codec::DiskSize => Value::Int([0, 999, 4_000_000_000, 12_345_000, -1][self.below(5)]),
            Codec::FileMode => Value::Int([0, 0o644, 0o7777, 1 << 20][self.below(4)]),
            Codec::DiskSizeCondition | Codec::InlineManifests => return None,
            Codec::Pem => {
                let part = |at: usize| {
                    [Value::Nil, bytes(b""), bytes(b"ab"), bytes(b"******")][at].clone()
                };
                Value::Struct((0..parts).map(|_| part(self.below(4))).collect())
            }
        })
    }

    fn any(&mut self, depth: usize) -> Option<Any> {
        Some(match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => Any::Null,
            1 => Any::Bool(self.below(2) == 1),
            2 => Any::Int([0, -1, i128::from(u64::MAX), 1 << 70][self.below(4)]),
            3 => Any::Float([1.0, 1.5][self.below(2)]),
            4 => Any::Text(self.text()),
            5 => return None,
            6 => Any::List((0..self.below(3)).filter_map(|_| self.any(depth - 1)).collect()),
            _ => Any::Map(
                (0..self.below(3))
                    .filter_map(|_| Some((self.text(), self.any(depth - 1)?)))
                    .collect(),
            ),
        })
    }
}

/// What the text of a value gives, if it can be read at all.
fn by_text(profile: &Profile, type_id: TypeId, value: &Value) -> Result<Value, String> {
    let tree = encode(profile, type_id, value);
    let text = emit(&tree, Dialect::V4, profile.go_yaml == GoYaml::Rc5);
    let told = |problem: &crate::Diagnostic| format!("{problem}\n{text}");
    let roots =
        read(Source { name: "x", bytes: text.as_bytes() }).map_err(|problem| told(&problem))?;
    let root = roots.first().ok_or("no document")?;
    if let Some(problem) = strict::check(profile, "x", root, type_id).first() {
        return Err(told(problem));
    }
    decode(profile, "x", root, type_id).map_err(|problems| told(&problems[0]))
}

#[test]
fn a_settled_value_is_what_its_text_gives() {
    for version in VERSIONS {
        let profile = Profile::load(version).unwrap();
        let count = profile.documents().len();
        let config = Config { cases: 1000, failure_persistence: None, ..Config::default() };
        let judged = std::cell::Cell::new(0);
        let tape = (0..count, vec(proptest::num::u16::ANY, 0..120));
        let run = TestRunner::new(config).run(&tape, |(document, numbers)| {
            let type_id = profile.documents()[document].type_id;
            let value = Tape { profile: &profile, numbers: numbers.iter() }.value(type_id);
            let mut settled = value.clone();
            if settle(&profile, type_id, &mut settled) {
                judged.set(judged.get() + 1);
                let given = by_text(&profile, type_id, &value);
                if given.as_ref() != Ok(&settled) {
                    return Err(TestCaseError::fail(format!("{settled:?}\nis not\n{given:?}")));
                }
            }
            Ok(())
        });
        run.unwrap_or_else(|why| panic!("{version}: {why}"));
        assert!(judged.get() > 500, "{version}: only {} were judged", judged.get());
    }
}
