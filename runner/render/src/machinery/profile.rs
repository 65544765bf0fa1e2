//! The types of one machinery version, out of its reflected table. Every type
//! that leaves Go's general rules has its own rule named here, or the table is
//! refused: a new machinery version cannot be misread silently.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use super::table::{self, Line};

/// The machinery versions whose tables are built in.
pub const VERSIONS: &[&str] = &["1.13.0", "1.13.9", "1.14.0-alpha.2"];

/// Index of a type in its profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeId(usize);

/// What one machinery version knows: its documents and their types.
#[derive(Debug)]
pub struct Profile {
    machinery: String,
    /// The check for unknown keys leaves alone what types read by themselves.
    pub(crate) strict_skips_own: bool,
    pub(crate) go_yaml: GoYaml,
    /// Deleting a document that is not there does nothing.
    pub(crate) skips_missing: bool,
    documents: Vec<Document>,
    /// Each is read when it is asked for.
    types: Vec<(Line, OnceLock<Type>)>,
    any_type: TypeId,
}

/// The release of go-yaml version 4 that a machinery version reads and writes
/// documents with. They differ in a few corners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GoYaml {
    Rc4,
    /// Refuses timestamps and local tags as text; quotes `yes` and its like singly.
    Rc5,
}

impl GoYaml {
    fn of(version: &str) -> Result<GoYaml, String> {
        match version {
            "4.0.0-rc.4" => Ok(GoYaml::Rc4),
            "4.0.0-rc.5" => Ok(GoYaml::Rc5),
            _ => Err(format!("no rules are known for go-yaml {version}")),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Document {
    /// Empty for the legacy document.
    pub(crate) kind: String,
    pub(crate) type_id: TypeId,
    /// The key that names a document of this kind, if its kind has names.
    pub(crate) name_key: Option<String>,
    pub(crate) conflicts: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) codec: Option<Codec>,
    pub(crate) merger: Option<Merger>,
    /// Keys as YAML sees them, inlined structs flattened.
    pub(crate) keys: Vec<Key>,
    /// Field of an inlined free-form mapping.
    pub(crate) inline_map: Option<usize>,
}

/// How values of a type are held.
#[derive(Debug)]
pub(crate) enum Shape {
    Bool,
    Int {
        bits: u32,
        signed: bool,
    },
    Float,
    Text,
    Any,
    Pointer(TypeId),
    List(TypeId),
    Map(TypeId),
    Struct(Vec<Field>),
    Bytes,
    /// Text with a meaning of its own, possibly unset.
    Opaque,
    Url,
}

/// One Go field. Merging walks all of them, YAML only those with a key.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name in Go, which templates use and which stays when types move on.
    pub(crate) go: &'static str,
    pub(crate) key: &'static str,
    pub(crate) tagged: bool,
    pub(crate) omitempty: bool,
    pub(crate) inline: bool,
    pub(crate) replace: bool,
    pub(crate) private: bool,
    /// Of a free-form field: copying the document copies it value by value.
    /// `None` for every other field.
    pub(crate) copied: Option<bool>,
    pub(crate) type_id: TypeId,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: Cow<'static, str>,
    /// Field indices, through inlined structs.
    pub(crate) path: Vec<usize>,
    pub(crate) type_id: TypeId,
    pub(crate) omitempty: bool,
}

/// How a type reads and writes YAML by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Codec {
    Enumeration {
        names: Vec<(i128, &'static str)>,
        folds: bool,
    },
    FailOverMac(Vec<(i128, &'static str)>),
    ByteSize,
    PercentageSize,
    Size,
    Expression,
    Address,
    AddressAndPort,
    Prefix,
    HardwareAddress,
    Duration,
    /// A URL in a struct; `empty_is_unset` where empty text leaves it nil.
    Url {
        empty_is_unset: bool,
    },
    PortRange,
    Argument,
    Base64,
    DiskSize,
    FileMode,
    DiskSizeCondition,
    Pem,
    InlineManifests,
}

/// How a type merges by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merger {
    /// The right side always wins, unset or not.
    Overwrite,
    /// Keys of the right side win whole.
    Arguments,
    /// By `interface`, else by `deviceSelector`.
    Devices,
    /// By `vlanId`.
    Vlans,
    /// By `name`.
    AdmissionPlugins,
    /// By `mountPath`.
    ConfigFiles,
    /// By `image`; a matching rule is replaced.
    ImageRules,
}

/// No table is built in under this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownProfile(pub String);

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no machinery profile `{}`; there are {}", self.0, VERSIONS.join(", "))
    }
}

impl std::error::Error for UnknownProfile {}

impl Profile {
    /// Loads the table of a machinery version, with or without a leading `v`.
    pub fn load(version: &str) -> Result<Profile, UnknownProfile> {
        let text = match version.strip_prefix('v').unwrap_or(version) {
            "1.13.0" => include_str!("../../data/1.13.0.json"),
            "1.13.9" => include_str!("../../data/1.13.9.json"),
            "1.14.0-alpha.2" => include_str!("../../data/1.14.0-alpha.2.json"),
            _ => return Err(UnknownProfile(version.to_owned())),
        };
        Profile::from_table(text).map_err(|error| UnknownProfile(format!("{version}: {error}")))
    }

    /// Loads a table of other files than machine configs. They are read by an
    /// older YAML library, which takes timestamps as text.
    pub(crate) fn load_table(text: &'static str) -> Result<Profile, String> {
        Profile::from_table(text).map(|profile| Profile { go_yaml: GoYaml::Rc4, ..profile })
    }

    /// The machinery version, for example `1.13.0`.
    pub fn machinery(&self) -> &str {
        &self.machinery
    }

    pub(crate) fn documents(&self) -> &[Document] {
        &self.documents
    }

    pub(crate) fn document(&self, kind: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.kind == kind)
    }

    /// The type of untyped values.
    pub(crate) fn any_type(&self) -> TypeId {
        self.any_type
    }

    pub(crate) fn get(&self, type_id: TypeId) -> &Type {
        let ((name, json), known) = &self.types[type_id.0];
        known.get_or_init(|| {
            // The tables are part of the program, and tests read all of them.
            self.build(name, json).unwrap_or_else(|why| panic!("{}: {why}", self.machinery))
        })
    }

    /// Reads every type, as tests do.
    ///
    /// # Errors
    /// A type for which no rule is known.
    #[cfg(test)]
    pub(super) fn check(&self) -> Result<(), String> {
        self.types.iter().try_for_each(|((name, json), _)| self.build(name, json).map(drop))
    }

    pub(crate) fn fields(&self, type_id: TypeId) -> &[Field] {
        match &self.get(type_id).shape {
            Shape::Struct(fields) => fields,
            _ => &[],
        }
    }

    fn from_table(text: &'static str) -> Result<Profile, String> {
        let (table, lines) = table::read(text)?;
        let mut profile = Profile {
            go_yaml: GoYaml::of(&table.yaml)?,
            machinery: table.machinery,
            strict_skips_own: table.strict_skips_own,
            skips_missing: table.skips_missing,
            documents: Vec::with_capacity(table.documents.len()),
            types: lines.into_iter().map(|line| (line, OnceLock::new())).collect(),
            any_type: TypeId(0),
        };
        profile.any_type = profile.id("interface {}")?;
        for document in table.documents {
            profile.documents.push(Document {
                type_id: profile.id(&document.type_name)?,
                kind: document.kind,
                name_key: Some(document.name_field).filter(|key| !key.is_empty()),
                conflicts: document.conflicts,
            });
        }
        Ok(profile)
    }

    fn id(&self, name: &str) -> Result<TypeId, String> {
        let found = self.types.binary_search_by_key(&name, |((known, _), _)| known);
        found.map(TypeId).map_err(|_| format!("no type `{name}`"))
    }

    fn build(&self, name: &'static str, json: &'static str) -> Result<Type, String> {
        let entry = table::Type::read(json).map_err(|why| format!("`{name}`: {why}"))?;
        let built = build_type(name, &entry, &|name: &str| self.id(name))?;
        let (keys, inline_map) = self.flatten(&built.shape);
        Ok(Type { keys, inline_map, ..built })
    }

    /// The keys of a struct in the order they are written, and the field of its free-form mapping.
    fn flatten(&self, shape: &Shape) -> (Vec<Key>, Option<usize>) {
        let (mut keys, mut inline_map) = (Vec::new(), None);
        let Shape::Struct(fields) = shape else { return (keys, None) };
        for (at, field) in fields.iter().enumerate() {
            if field.private || field.key == "-" {
                continue;
            }
            if field.inline {
                let inlined = self.get(field.type_id);
                if matches!(inlined.shape, Shape::Map(_)) {
                    inline_map = Some(at);
                    continue;
                }
                keys.extend(inlined.keys.iter().map(|key| {
                    let path = std::iter::once(at).chain(key.path.iter().copied()).collect();
                    Key { path, ..key.clone() }
                }));
                continue;
            }
            let name = match field.key {
                "" => field.go.to_lowercase().into(),
                key => key.into(),
            };
            let (type_id, omitempty) = (field.type_id, field.omitempty);
            keys.push(Key { name, path: vec![at], type_id, omitempty });
        }
        (keys, inline_map)
    }
}

fn build_type(
    name: &'static str,
    entry: &table::Type,
    id: &impl Fn(&str) -> Result<TypeId, String>,
) -> Result<Type, String> {
    let codec = codec(name, entry)?;
    let merger = merger(name, entry)?;
    if entry.zeroes && !name.starts_with('*') && !name.ends_with("Spec") && codec.is_none() {
        return Err(format!("`{name}` decides by itself when it is zero; no rule for it is known"));
    }
    if entry.fields.iter().any(|field| field.flow) {
        return Err(format!("`{name}` has a field in flow style, which is not written"));
    }
    let int = |bits, signed| Shape::Int { bits, signed };
    let shape = match (&codec, entry.kind) {
        (
            Some(
                Codec::ByteSize
                | Codec::PercentageSize
                | Codec::Expression
                | Codec::Address
                | Codec::AddressAndPort
                | Codec::Prefix,
            ),
            _,
        ) => Shape::Opaque,
        _ if name == "url.URL" => Shape::Url,
        (_, "bool") => Shape::Bool,
        (_, "int" | "int64") => int(64, true),
        (_, "int8") => int(8, true),
        (_, "int16") => int(16, true),
        (_, "int32") => int(32, true),
        (_, "uint" | "uint64") => int(64, false),
        (_, "uint8") => int(8, false),
        (_, "uint16") => int(16, false),
        (_, "uint32") => int(32, false),
        (_, "float32" | "float64") => Shape::Float,
        (_, "string") => Shape::Text,
        (_, "ptr") => Shape::Pointer(id(entry.elem)?),
        (_, "slice") if entry.elem == "uint8" => Shape::Bytes,
        (_, "slice") => Shape::List(id(entry.elem)?),
        (_, "map") => Shape::Map(id(entry.elem)?),
        (_, "struct") => Shape::Struct(
            entry
                .fields
                .iter()
                .map(|field| {
                    Ok(Field {
                        go: field.go,
                        key: field.key,
                        tagged: field.tagged,
                        omitempty: field.omitempty,
                        inline: field.inline,
                        replace: field.replace,
                        private: field.private,
                        copied: field.type_name.ends_with("Unstructured").then_some(field.copied),
                        type_id: id(field.type_name)?,
                    })
                })
                .collect::<Result<_, String>>()?,
        ),
        // Only behind types whose inside is never looked at.
        _ => Shape::Any,
    };
    let (keys, inline_map) = (Vec::new(), None);
    Ok(Type { name, shape, codec, merger, keys, inline_map })
}

fn codec(name: &str, entry: &table::Type) -> Result<Option<Codec>, String> {
    let names = || entry.names.iter().map(|name| (name.value, name.text)).collect();
    Ok(Some(match name {
        "nethelpers.FailOverMAC" => Codec::FailOverMac(names()),
        _ if !entry.names.is_empty() => Codec::Enumeration { names: names(), folds: entry.folds },
        "block.ByteSize" => Codec::ByteSize,
        "block.PercentageSize" => Codec::PercentageSize,
        "block.Size" => Codec::Size,
        "cel.Expression" => Codec::Expression,
        "netip.Addr" | "network.Addr" | "meta.Addr" => Codec::Address,
        "netip.AddrPort" | "network.AddrPort" | "meta.AddrPort" => Codec::AddressAndPort,
        "netip.Prefix" | "network.Prefix" | "meta.Prefix" => Codec::Prefix,
        "nethelpers.HardwareAddr" => Codec::HardwareAddress,
        "time.Duration" => Codec::Duration,
        "meta.URL" => Codec::Url { empty_is_unset: true },
        "v1alpha1.Endpoint" => Codec::Url { empty_is_unset: false },
        "network.PortRange" => Codec::PortRange,
        "v1alpha1.ArgValue" | "meta.ArgValue" => Codec::Argument,
        "v1alpha1.Base64Bytes" => Codec::Base64,
        "v1alpha1.DiskSize" => Codec::DiskSize,
        "v1alpha1.FileMode" => Codec::FileMode,
        "v1alpha1.InstallDiskSizeMatcher" => Codec::DiskSizeCondition,
        "x509.PEMEncodedCertificate"
        | "x509.PEMEncodedCertificateAndKey"
        | "x509.PEMEncodedKey" => Codec::Pem,
        "v1alpha1.ClusterInlineManifests" => Codec::InlineManifests,
        "url.URL" => return Ok(None),
        _ if name.starts_with('*') => return Ok(None),
        _ if entry.text || entry.own || entry.own_out || entry.own_ref => {
            return Err(format!("`{name}` reads or writes itself; no rule for it is known"));
        }
        _ => return Ok(None),
    }))
}

fn merger(name: &str, entry: &table::Type) -> Result<Option<Merger>, String> {
    Ok(Some(match name {
        "block.ByteSize" | "block.PercentageSize" | "cel.Expression" => Merger::Overwrite,
        "v1alpha1.Args" | "meta.Args" => Merger::Arguments,
        "v1alpha1.NetworkDeviceList" => Merger::Devices,
        "v1alpha1.VlanList" => Merger::Vlans,
        "v1alpha1.AdmissionPluginConfigList" => Merger::AdmissionPlugins,
        "extensions.ConfigFileList" => Merger::ConfigFiles,
        "security.ImageVerificationRules" => Merger::ImageRules,
        _ if entry.merges && !name.starts_with('*') => {
            return Err(format!("`{name}` merges itself; no rule for it is known"));
        }
        _ => return Ok(None),
    }))
}
