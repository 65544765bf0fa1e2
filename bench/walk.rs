//! The floor of an up-to-date check: every file below a folder, found and asked for its stat, on all processors. Compiled by `fresh.py`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

fn main() {
    let root = PathBuf::from(env::args().nth(1).unwrap_or_else(|| ".".into()));
    let (mut open, mut files) = (vec![root], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (next, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let size = fs::metadata(path).map_or(0, |stat| stat.len() as usize);
                    bytes.fetch_add(size, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} files, {} bytes", files.len(), bytes.load(Ordering::Relaxed));
}
