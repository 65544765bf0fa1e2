//! Randomness of the operating system. The only place that asks for it.

use std::io;

/// 64 random bits.
///
/// # Errors
/// Where the system has none to give.
pub fn bits() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}

/// 32 random bytes: a key.
///
/// # Errors
/// Where the system has none to give.
pub fn key() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(key)
}
