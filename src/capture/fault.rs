//! What went wrong with a file, as a report for people.
use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::model::Report;

/// Turns an error of SQLite into a report. `doing` completes "The capture could not be …".
pub fn report(error: &Error, doing: &str, place: &str) -> Report {
    let title = format!("The capture could not be {doing}");
    let made = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Report::new("disk-full", title, format!("There is no space left for {place}."))
            .remedy("Free some space on that disk; writing goes on by itself.")
            .remedy("Delete old captures in the settings."),
        Some(ErrorCode::NotADatabase) => not_sqlite(place),
        Some(ErrorCode::DatabaseCorrupt) => damaged(place),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Report::new("capture-in-use", title, format!("Another program holds {place} locked."))
                .remedy("Close the program that uses it and try again.")
        }
        Some(ErrorCode::ReadOnly) => {
            Report::new("capture-read-only", title, format!("{place} lies where nothing can be written."))
                .remedy("Copy it, with the -wal file beside it, to a folder that can be written.")
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            Report::new("capture-denied", title, format!("The system refuses access to {place}."))
                .remedy("Check the permissions of the file and its folder.")
        }
        Some(ErrorCode::CannotOpen) => {
            Report::new("capture-not-opened", title, format!("{place} could not be opened."))
                .remedy("Check the permissions of the file and its folder.")
        }
        Some(ErrorCode::SystemIoFailure) => {
            Report::new("capture-io", title, format!("Reading or writing {place} failed."))
                .remedy("Check the disk, or whether a network folder is still there.")
        }
        _ => Report::new("capture-failed", title, format!("The database refused an operation on {place}.")),
    };
    made.detail(format!("SQLite: {error}"))
}

/// A file without a record or a table, which is what a capture looks like whose WAL was left behind.
pub fn empty(path: &Path) -> Report {
    let wal = super::files::beside(path, "-wal");
    Report::new("capture-empty", "This file has nothing in it", format!("{} holds no records.", path.display()))
        .remedy(format!(
            "Where the program that wrote it was cut off, the records lie in a second file beside it, {}: copy both, \
             and open the copy.",
            wal.file_name().unwrap_or(wal.as_os_str()).to_string_lossy()
        ))
        .remedy("Else choose another capture (.sscope).")
}

pub fn damaged(place: &str) -> Report {
    Report::new(
        "capture-damaged",
        "The capture is damaged",
        format!("{place} is a capture, but parts of it cannot be read. It was not changed."),
    )
    .remedy("Open an intact copy of the file, if there is one.")
    .remedy("“sqlite3 FILE .recover” often saves what is still readable.")
}

pub fn not_sqlite(place: &str) -> Report {
    Report::new("not-a-capture", "This is not a capture", format!("{place} is not a database file."))
        .remedy("Choose a file that this program has written (.sscope).")
}

pub fn not_ours(place: &str) -> Report {
    Report::new("not-a-capture", "This is not a capture", format!("{place} is a database of another program."))
        .remedy("Choose a file that this program has written (.sscope).")
}

pub fn newer(place: &str, found: i32, known: i32) -> Report {
    Report::new(
        "capture-newer",
        "The capture is from a newer version",
        format!("{place} has schema version {found}; this program knows versions up to {known}."),
    )
    .remedy("Open it with a newer version of this program.")
}

/// Turns an error of the file system into a report.
pub fn io(error: &std::io::Error, doing: &str, path: &Path) -> Report {
    use std::io::ErrorKind as K;
    let (code, why) = match error.kind() {
        // A file that is to be made can lack its folder only.
        K::NotFound if doing == "created" => ("file-missing", "lies in a folder that does not exist"),
        K::NotFound => ("file-missing", "does not exist"),
        K::PermissionDenied => ("file-denied", "may not be accessed"),
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => ("disk-full", "does not fit on the disk any more"),
        K::ReadOnlyFilesystem => ("file-read-only", "lies on a read-only file system"),
        K::AlreadyExists => ("file-exists", "exists already"),
        K::IsADirectory => ("file-is-folder", "is a folder"),
        _ => ("file-failed", "could not be used"),
    };
    let report = Report::new(code, format!("The file could not be {doing}"), format!("{} {why}.", path.display()))
        .detail(error.to_string());
    match error.kind() {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => {
            report.remedy("Free some space on that disk and try again.")
        }
        K::PermissionDenied | K::ReadOnlyFilesystem => report.remedy("Choose a folder that you may write to."),
        K::NotFound => report.remedy("Check the path."),
        K::AlreadyExists => report.remedy("Choose another name: nothing is overwritten."),
        _ => report,
    }
}
