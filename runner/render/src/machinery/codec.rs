//! Types that read and write themselves: text to value and value to text.
//! What shape of YAML they accept is decided in `decode` and `encode`.

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use super::profile::Codec;
use super::value::Value;
use super::{address, quantity};

impl Codec {
    /// Whether the type reads scalars only, by a method of its own, and
    /// refuses everything else, aliases included.
    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self,
            Codec::Enumeration { .. }
                | Codec::FailOverMac(_)
                | Codec::ByteSize
                | Codec::PercentageSize
                | Codec::Size
                | Codec::Expression
                | Codec::Address
                | Codec::AddressAndPort
                | Codec::Prefix
                | Codec::HardwareAddress
        )
    }

    /// Whether the type has an `UnmarshalYAML` of its own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(
            self,
            Codec::Url { .. }
                | Codec::PortRange
                | Codec::Argument
                | Codec::Base64
                | Codec::DiskSize
                | Codec::DiskSizeCondition
                | Codec::Pem
                | Codec::InlineManifests
        )
    }

    /// Reads the text of a scalar into a value that was zero before; `None`
    /// where the text leaves it so.
    pub(crate) fn parse(&self, text: &str) -> Result<Option<Value>, String> {
        let opaque = |text: &str| Ok(Some(Value::Opaque(Some(text.to_owned()))));
        match self {
            Codec::Enumeration { names, folds } => {
                let found = names.iter().find(|(_, name)| {
                    *name == text || (*folds && name.to_lowercase() == text.to_lowercase())
                });
                match found {
                    Some((value, _)) => Ok(Some(Value::Int(*value))),
                    None => Err(not_one_of(text, names)),
                }
            }
            Codec::FailOverMac(names) => {
                let by_name = names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value);
                let by_number =
                    text.parse::<i8>().ok().map(i128::from).filter(|n| (0..=2).contains(n));
                let none = text.is_empty().then_some(0);
                match by_name.or(none).or(by_number) {
                    Some(value) => Ok(Some(Value::Int(value))),
                    None => Err(not_one_of(text, names)),
                }
            }
            Codec::ByteSize
            | Codec::PercentageSize
            | Codec::Size
            | Codec::Expression
            | Codec::Address
            | Codec::AddressAndPort
            | Codec::Prefix
                if text.is_empty() =>
            {
                Ok(None)
            }
            Codec::ByteSize => quantity::byte_size(text).and_then(|()| opaque(text)),
            Codec::PercentageSize => quantity::percentage(text).and_then(|()| opaque(text)),
            Codec::Expression => opaque(text),
            Codec::Size => {
                let boxed = || Value::Pointer(Box::new(Value::Opaque(Some(text.to_owned()))));
                if text.contains('%') {
                    quantity::percentage(text)?;
                    Ok(Some(Value::Struct(vec![boxed(), Value::Nil])))
                } else {
                    quantity::byte_size(text)?;
                    Ok(Some(Value::Struct(vec![Value::Nil, boxed()])))
                }
            }
            Codec::Address => opaque(&address::address(text)?),
            Codec::AddressAndPort => opaque(&address::address_and_port(text)?),
            Codec::Prefix => opaque(&address::prefix(text)?),
            Codec::HardwareAddress => Ok(Some(Value::Bytes(address::hardware_address(text)?))),
            _ => Err(format!("`{text}` cannot be read here")),
        }
    }

    /// The text a value of a type with text form is written with, or compared
    /// by; `None` for types without one.
    pub(crate) fn format(&self, type_name: &str, value: &Value) -> Option<String> {
        Some(match (self, value) {
            (Codec::Enumeration { names, .. } | Codec::FailOverMac(names), Value::Int(number)) => {
                if let Some((_, name)) = names.iter().find(|(value, _)| value == number) {
                    (*name).to_owned()
                } else {
                    let short = type_name.rsplit('.').next().unwrap_or(type_name);
                    format!("{short}({number})")
                }
            }
            (Codec::Size, Value::Struct(parts)) => {
                let part = |at: usize| match parts.get(at).map(Value::pointee) {
                    Some(Value::Opaque(text)) => Some(text.clone().unwrap_or_default()),
                    _ => None,
                };
                part(1).or_else(|| part(0)).unwrap_or_default()
            }
            (_, Value::Opaque(text)) => text.clone().unwrap_or_default(),
            (Codec::HardwareAddress, Value::Bytes(bytes)) => {
                address::format_hardware_address(bytes)
            }
            (Codec::HardwareAddress, _) => String::new(),
            (Codec::Duration, Value::Int(nanoseconds)) => quantity::format_duration(*nanoseconds),
            (Codec::FileMode, Value::Int(mode)) => format!("0o{mode:o}"),
            (Codec::Url { .. }, Value::Struct(parts)) => match parts.first().map(Value::pointee) {
                Some(Value::Url(url)) => url.to_string(),
                _ => String::new(),
            },
            _ => return None,
        })
    }
}

fn not_one_of(text: &str, names: &[(i128, &str)]) -> String {
    let shown: Vec<&str> = names.iter().map(|(_, name)| *name).take(12).collect();
    format!("`{text}` is not one of {}", shown.join(", "))
}

/// As Go's own decoder, which lets the last group hold bits of no byte.
const LIKE_GO: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Standard base64 with padding; line breaks are skipped, as Go does.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    LIKE_GO.decode(text.replace(['\r', '\n'], "")).ok()
}

/// Standard base64 with padding.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    LIKE_GO.encode(bytes)
}
