//! Whether the kernel hears of every change below a folder. Other machines write to a network mount without telling this one.

use std::path::Path;

/// File systems that others write to: what `statfs` calls them, by the numbers of Linux' `magic.h` and of the drivers outside the kernel.
#[cfg(target_os = "linux")]
const SHARED: [(u32, &str); 17] = [
    (0x6969, "nfs"),
    (0x517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0102_1997, "9p"),
    // Also virtiofs, and many a local one: nobody can tell, and polling those too does no harm.
    (0x6573_5546, "fuse"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x7375_7245, "coda"),
    (0x564c, "ncp"),
    (0x7461_636f, "ocfs2"),
    (0x0116_1970, "gfs2"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

/// The name of the file system, where others may write to it unheard.
#[cfg(target_os = "linux")]
pub(super) fn shared(folder: &Path) -> Option<&'static str> {
    let found = rustix::fs::statfs(folder).ok()?;
    named(found.f_type as u32)
}

/// The name of the file system, where others may write to it unheard.
#[cfg(not(target_os = "linux"))]
pub(super) fn shared(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(target_os = "linux")]
fn named(number: u32) -> Option<&'static str> {
    SHARED.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_mounts_are_known_by_their_numbers() {
        for (number, name) in [(0x6969, "nfs"), (0xff53_4d42, "cifs"), (0x0102_1997, "9p")] {
            assert_eq!(named(number), Some(name));
        }
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x5846_5342, 0x794c_7630] {
            assert_eq!(named(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_nobodys() {
        assert_eq!(shared(Path::new("/no/such/folder")), None);
        assert_eq!(shared(Path::new("/proc")), None);
    }
}
