//! Opening files that somebody else may have put there: a pipe or a device in the place of a file is an error, nobody waits for it or reads it
//! without end. Knows nothing of what is in them.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file or a folder for reading, with its stat as it was then.
///
/// # Errors
/// As the system says; `Unsupported` for a pipe, a socket or a device.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // A pipe without a writer would be waited for already when it is opened.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    only(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
}

/// The same, of what has been opened without waiting.
///
/// # Errors
/// As above.
pub fn only(file: File) -> io::Result<(File, Metadata)> {
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok((file, metadata));
    }
    let what = if kind.is_fifo() { "a pipe" } else { "a device" };
    Err(io::Error::new(ErrorKind::Unsupported, format!("it is {what}, no file")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_file_and_a_folder_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "text").unwrap();
        let (mut file, stat) = open(&dir.path().join("f")).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), stat.len()), ("text", 4));
        assert!(open(dir.path()).unwrap().1.is_dir());
        assert_eq!(open(&dir.path().join("g")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, zero) = (dir.path().join("pipe"), dir.path().join("zero"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        symlink("/dev/zero", &zero).unwrap();
        assert_eq!(open(&pipe).unwrap_err().to_string(), "it is a pipe, no file");
        assert_eq!(open(&zero).unwrap_err().to_string(), "it is a device, no file");
    }
}
