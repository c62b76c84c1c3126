//! Whether the CA file that a form names can be read. Looked at on a thread: the file may be on a slow share.

use std::fs::File;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use egui::Context;

/// What is known of the file that was looked at last.
#[derive(Debug, Default)]
pub(super) struct CaFile {
    path: String,
    problem: Option<String>,
    /// The look that is on its way. One at a time, however fast somebody types.
    looking: Option<Receiver<Option<String>>>,
}

impl CaFile {
    /// Why this file cannot be used, as far as it is known by now.
    pub(super) fn problem(&mut self, path: &str, ctx: &Context) -> Option<&str> {
        let path = path.trim();
        match self.looking.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Ok(problem)) => (self.problem, self.looking) = (problem, None),
            Some(Err(TryRecvError::Disconnected)) | None => self.looking = None,
        }
        if self.path != path {
            path.clone_into(&mut self.path);
            self.problem = None;
            if !path.is_empty() {
                self.look(ctx);
                return None;
            }
        }
        self.problem.as_deref()
    }

    fn look(&mut self, ctx: &Context) {
        let (sender, receiver) = sync_channel(1);
        let (path, ctx) = (self.path.clone(), ctx.clone());
        let thread = std::thread::Builder::new().name("ca-file".into()).spawn(move || {
            let _ = sender.send(look(&path));
            ctx.request_repaint();
        });
        match thread {
            Ok(_) => self.looking = Some(receiver),
            Err(e) => self.problem = Some(format!("The file could not be looked at: {e}.")),
        }
    }
}

fn look(path: &str) -> Option<String> {
    match File::open(path).and_then(|file| file.metadata()) {
        Ok(meta) if meta.is_file() => None,
        Ok(_) => Some("This is not a file.".into()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some("There is no such file.".into()),
        Err(e) => Some(format!("The file cannot be read: {e}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_at_and_what_is_wrong_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        assert_eq!(look(&file.display().to_string()).as_deref(), Some("There is no such file."));
        std::fs::write(&file, "x").unwrap();
        assert_eq!(look(&file.display().to_string()), None);
        assert!(look(&dir.path().display().to_string()).is_some());
    }

    #[test]
    fn what_was_found_belongs_to_the_path_that_stands_there() {
        let ctx = Context::default();
        let mut ca = CaFile::default();
        let mut settled = |path: &str| {
            ca.problem(path, &ctx);
            while ca.looking.is_some() {
                ca.problem(path, &ctx);
            }
            ca.problem(path, &ctx).map(str::to_owned)
        };
        assert!(settled("/no/such/file").is_some());
        assert_eq!(settled(" "), None);
        assert!(settled("/no/such/other").is_some());
    }
}
