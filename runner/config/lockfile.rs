//! `clusters/NAME.lock.toml`: pins and profile as `ops adopt` wrote them. Judges nothing.

use std::path::Path;

use ops_core::error::{Code, Fault};
use ops_core::inventory::LockFile;

use super::source::Source;

/// Version of the file's schema.
pub const VERSION: u32 = 1;

const HEADER: &str = "\
# Written by `ops adopt`: what identifies this cluster and its machines. Commit it.
# A run refuses whatever does not match; to change a pin or the profile, run `ops adopt` again.
";

/// Reads a lock file; nothing where there is none.
///
/// # Errors
/// It cannot be read, has a mistake, or is of a newer `ops`.
pub fn read(root: &Path, name: &str) -> Result<Option<LockFile>, Fault> {
    Source::read(root, name)?.map(|source| parse(&source)).transpose()
}

/// The file's text for a lock.
pub fn text(lock: &LockFile) -> Result<String, Fault> {
    let body = toml::to_string(lock).map_err(|error| {
        Fault::new(Code::BUG, format!("the lock file cannot be written as TOML: {error}"))
    })?;
    Ok(format!("{HEADER}{body}"))
}

fn parse(source: &Source) -> Result<LockFile, Fault> {
    let lock: LockFile = source.decode().map_err(|fault| {
        fault.help("the file is written by `ops adopt`; take it from Git or adopt again")
    })?;
    if lock.version != VERSION {
        let found = lock.version;
        let title = format!("a lock file of version {found}; this ops knows version {VERSION}");
        return Err(Fault::new(Code::CONFIG_KEY, title).at(source.top()));
    }
    let digests = [("talos_ca", &lock.talos_ca), ("kubernetes_ca", &lock.kubernetes_ca)];
    for (key, digest) in digests {
        let hex = |d: &String| d.len() == 64 && d.chars().all(|c| c.is_ascii_hexdigit());
        if digest.as_ref().is_some_and(|d| !hex(d)) {
            let title = format!("`{key}` is no SHA-256 digest: 64 hexadecimal digits");
            return Err(Fault::new(Code::CONFIG_KEY, title).at(source.top()));
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops_core::inventory::{NodePin, Profile};

    fn lock(text: &str) -> Result<LockFile, Fault> {
        parse(&Source { name: "clusters/home.lock.toml".into(), text: text.into() })
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let pin = NodePin {
            uuid: Some("4c4c4544".into()),
            macs: vec!["aa:bb:cc:dd:ee:ff".into()],
            ..NodePin::default()
        };
        let written = LockFile {
            version: VERSION,
            profile: Profile::Production,
            talos_ca: Some("5b".repeat(32)),
            nodes: [("cp-1".to_owned(), pin)].into(),
            ..LockFile::default()
        };
        assert_eq!(lock(&text(&written).unwrap()).unwrap(), written);
    }

    #[test]
    fn a_lock_of_another_version_is_refused() {
        let fault = lock("version = 2").unwrap_err();
        assert_eq!(fault.code, Code::CONFIG_KEY);
        assert!(fault.title.contains("version 2"), "{fault}");
    }

    #[test]
    fn an_edited_profile_is_told_with_the_words_that_exist() {
        let fault = lock("version = 1\nprofile = \"devel\"").unwrap_err();
        assert_eq!(
            fault.to_string(),
            "OPS0202 unknown word `devel` (clusters/home.lock.toml:2:11)"
        );
        assert_eq!(fault.label.as_deref(), Some("one of: dev, standard, production"));
    }
}
