//! The types of one machinery version, out of its reflected table. Every type
//! that leaves Go's general rules has its own rule named here, or the table is
//! refused: a new machinery version cannot be misread silently.

use std::collections::BTreeMap;
use std::fmt;

use super::table::{self, Table};

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
    types: Vec<Type>,
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
    pub(crate) name: String,
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
    pub(crate) go: String,
    pub(crate) key: String,
    pub(crate) tagged: bool,
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
    pub(crate) name: String,
    /// Field indices, through inlined structs.
    pub(crate) path: Vec<usize>,
    pub(crate) type_id: TypeId,
    pub(crate) omitempty: bool,
}

/// How a type reads and writes YAML by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Codec {
    Enumeration {
        names: Vec<(i128, String)>,
        folds: bool,
    },
    FailOverMac(Vec<(i128, String)>),
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
    pub(crate) fn load_table(text: &str) -> Result<Profile, String> {
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
        &self.types[type_id.0]
    }

    pub(crate) fn fields(&self, type_id: TypeId) -> &[Field] {
        match &self.get(type_id).shape {
            Shape::Struct(fields) => fields,
            _ => &[],
        }
    }

    fn from_table(text: &str) -> Result<Profile, String> {
        let table: Table = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let ids: BTreeMap<&str, TypeId> =
            table.types.keys().enumerate().map(|(at, name)| (name.as_str(), TypeId(at))).collect();
        let id = |name: &str| ids.get(name).copied().ok_or_else(|| format!("no type `{name}`"));
        let mut types = Vec::with_capacity(table.types.len());
        for (name, entry) in &table.types {
            types.push(build_type(name, entry, &id)?);
        }
        let mut profile = Profile {
            machinery: table.machinery.clone(),
            strict_skips_own: table.strict_skips_own,
            go_yaml: GoYaml::of(&table.yaml)?,
            skips_missing: table.skips_missing,
            documents: Vec::new(),
            types,
            any_type: id("interface {}")?,
        };
        for at in 0..profile.types.len() {
            let (keys, inline_map) = flatten(&profile, &table, TypeId(at));
            profile.types[at].keys = keys;
            profile.types[at].inline_map = inline_map;
        }
        for document in &table.documents {
            profile.documents.push(Document {
                kind: document.kind.clone(),
                type_id: id(&document.type_name)?,
                name_key: Some(document.name_field.clone()).filter(|key| !key.is_empty()),
                conflicts: document.conflicts.clone(),
            });
        }
        Ok(profile)
    }
}

fn build_type(
    name: &str,
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
    let shape = match (&codec, entry.kind.as_str()) {
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
        (_, "ptr") => Shape::Pointer(id(&entry.elem)?),
        (_, "slice") if entry.elem == "uint8" => Shape::Bytes,
        (_, "slice") => Shape::List(id(&entry.elem)?),
        (_, "map") => Shape::Map(id(&entry.elem)?),
        (_, "struct") => Shape::Struct(
            entry
                .fields
                .iter()
                .map(|field| {
                    Ok(Field {
                        go: field.go.clone(),
                        key: field.key.clone(),
                        tagged: field.tagged,
                        inline: field.inline,
                        replace: field.replace,
                        private: field.private,
                        copied: field.type_name.ends_with("Unstructured").then_some(field.copied),
                        type_id: id(&field.type_name)?,
                    })
                })
                .collect::<Result<_, String>>()?,
        ),
        // Only behind types whose inside is never looked at.
        _ => Shape::Any,
    };
    let (keys, inline_map) = (Vec::new(), None);
    Ok(Type { name: name.to_owned(), shape, codec, merger, keys, inline_map })
}

fn codec(name: &str, entry: &table::Type) -> Result<Option<Codec>, String> {
    let names = || entry.names.iter().map(|name| (name.value, name.text.clone())).collect();
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

/// The keys of a struct in the order they are written.
fn flatten(profile: &Profile, table: &Table, type_id: TypeId) -> (Vec<Key>, Option<usize>) {
    let mut keys = Vec::new();
    let mut inline_map = None;
    let Some(entry) = table.types.get(&profile.get(type_id).name) else { return (keys, None) };
    for (at, field) in profile.fields(type_id).iter().enumerate() {
        if field.private || entry.fields[at].key == "-" {
            continue;
        }
        if field.inline {
            if matches!(profile.get(field.type_id).shape, Shape::Map(_)) {
                inline_map = Some(at);
                continue;
            }
            for mut key in flatten(profile, table, field.type_id).0 {
                key.path.insert(0, at);
                keys.push(key);
            }
            continue;
        }
        let key = match field.key.as_str() {
            "" => entry.fields[at].go.to_lowercase(),
            key => key.to_owned(),
        };
        let omitempty = entry.fields[at].omitempty;
        keys.push(Key { name: key, path: vec![at], type_id: field.type_id, omitempty });
    }
    (keys, inline_map)
}
