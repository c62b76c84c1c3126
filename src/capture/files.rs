//! Files and folders that only their owner may read.
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Extension of capture files.
pub const EXTENSION: &str = "sscope";

/// Makes a folder and its parents; on Unix the folder itself is for the owner only.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        other => other,
    }
}

/// Makes a new file that only the owner may read and write (on Windows the folder's rights apply).
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a new empty capture file, named by the time: `2026-11-20T10-07-17.123Z.sscope`.
pub fn create_capture(folder: &Path, now: jiff::Timestamp) -> io::Result<PathBuf> {
    let stem = now.strftime("%Y-%m-%dT%H-%M-%S%.3fZ").to_string();
    for n in 1..1000 {
        let name = if n == 1 { format!("{stem}.{EXTENSION}") } else { format!("{stem}-{n}.{EXTENSION}") };
        let path = folder.join(name);
        match create_private(&path) {
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// The file of SQLite beside a database, e.g. `-wal`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path with links and dots resolved as far as it exists.
pub fn canonical(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match (path.parent().filter(|p| !p.as_os_str().is_empty()), path.file_name()) {
        (Some(parent), Some(name)) => {
            fs::canonicalize(parent).map_or_else(|_| path.to_owned(), |folder| folder.join(name))
        }
        _ => path.to_owned(),
    }
}

/// A file that takes the place of another only when it is complete. Dropped before, it leaves no trace.
pub struct Pending {
    target: PathBuf,
    part: PathBuf,
    done: bool,
}

impl Pending {
    /// Makes an empty private file beside `target`.
    pub fn new(target: &Path) -> io::Result<(Self, File)> {
        if target.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
        let part = target.with_file_name(part);
        let file = create_private(&part)?;
        Ok((Self { target: target.to_owned(), part, done: false }, file))
    }

    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Puts the file in its place. Whatever wrote it must have closed it.
    pub fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.part, &self.target)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.part);
            let _ = fs::remove_file(beside(&self.part, "-journal"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_even_within_a_millisecond() {
        let folder = tempfile::tempdir().unwrap();
        let now: jiff::Timestamp = "2026-11-20T10:07:17.123456Z".parse().unwrap();
        let first = create_capture(folder.path(), now).unwrap();
        let second = create_capture(folder.path(), now).unwrap();
        assert_eq!(first.file_name().unwrap(), "2026-11-20T10-07-17.123Z.sscope");
        assert_eq!(second.file_name().unwrap(), "2026-11-20T10-07-17.123Z-2.sscope");
    }

    #[test]
    fn an_unfinished_file_leaves_the_old_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.har");
        fs::write(&target, "old").unwrap();
        drop(Pending::new(&target).unwrap());
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let (pending, file) = Pending::new(&target).unwrap();
        io::Write::write_all(&mut &file, b"new").unwrap();
        drop(file);
        pending.finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }
}
