//! Paths as a talconfig names them, decided by their words alone: links on a
//! disk are the business of whoever reads.

/// The path that `name` means when it is written in a file of `folder`, both
/// relative to the repository; it has no `.` and `..` any more.
///
/// # Errors
/// The path is empty, absolute, or leaves the repository.
pub fn within(folder: &str, name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if name.starts_with(['/', '~']) {
        return Err(format!("`{name}` does not lie in the repository; use a relative path"));
    }
    if name.contains('\0') {
        return Err("a path holds no zero byte".to_owned());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(format!("`{name}` leaves the repository"));
                }
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err(format!("`{name}` is a folder")) } else { Ok(parts.join("/")) }
}
