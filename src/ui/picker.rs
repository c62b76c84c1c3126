//! File dialogs: those of the system where there are any, else a path field of ours.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What to ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub title: String,
    /// Choose a name to write to, instead of a file that is there.
    pub save: bool,
    /// Where to look first.
    pub folder: Option<PathBuf>,
    /// Suggested file name.
    pub name: String,
    /// Name and endings of what is wanted, none for any file.
    pub filter: Option<(String, Vec<String>)>,
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Chosen(PathBuf),
    Cancelled,
    /// The system has no file dialog; ask by a path field.
    Nobody(String),
}

/// Asks for a file. One question at a time.
pub trait FilePicker: Send {
    /// Starts asking. Answers come by [`FilePicker::poll`]. `wake` is called when one is there.
    fn ask(&mut self, question: Question, wake: Arc<dyn Fn() + Send + Sync>);
    fn poll(&mut self) -> Option<Answer>;
}

/// Where no dialog can be shown: every question is answered by [`Answer::Nobody`].
#[derive(Default)]
pub struct NoPicker {
    asked: bool,
}

impl FilePicker for NoPicker {
    fn ask(&mut self, _question: Question, _wake: Arc<dyn Fn() + Send + Sync>) {
        self.asked = true;
    }

    fn poll(&mut self) -> Option<Answer> {
        std::mem::take(&mut self.asked).then(|| Answer::Nobody("This system offers no file dialog.".into()))
    }
}

/// The dialogs of the system, by `rfd`, on a thread of its own.
#[derive(Default)]
pub struct SystemPicker {
    waiting: Option<Receiver<Answer>>,
    /// What the portal said when it was asked first, so that it is asked once only.
    portal: Arc<Mutex<Option<Result<(), String>>>>,
}

impl FilePicker for SystemPicker {
    fn ask(&mut self, question: Question, wake: Arc<dyn Fn() + Send + Sync>) {
        let (sender, receiver) = sync_channel(1);
        self.waiting = Some(receiver);
        // On macOS the dialog must be made on the main thread; waiting for it may happen on any.
        #[cfg(target_os = "macos")]
        let made = dialog(&question);
        let portal = self.portal.clone();
        let give = sender.clone();
        let call = wake.clone();
        let spawned = std::thread::Builder::new().name("file-dialog".into()).spawn(move || {
            let answer = match ready(&portal) {
                Err(why) => Answer::Nobody(why),
                Ok(()) => {
                    #[cfg(not(target_os = "macos"))]
                    let made = dialog(&question);
                    match block_on(made) {
                        Some(file) => Answer::Chosen(file.path().to_owned()),
                        None => Answer::Cancelled,
                    }
                }
            };
            hand(&give, answer);
            call();
        });
        if let Err(e) = spawned {
            hand(&sender, Answer::Nobody(format!("No thread for the file dialog: {e}")));
            wake();
        }
    }

    fn poll(&mut self) -> Option<Answer> {
        match self.waiting.as_ref()?.try_recv() {
            Ok(answer) => {
                self.waiting = None;
                Some(answer)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.waiting = None;
                Some(Answer::Nobody("The file dialog broke off.".into()))
            }
        }
    }
}

/// The asker may be gone; then nobody wants the answer.
fn hand(sender: &SyncSender<Answer>, answer: Answer) {
    let _ = sender.try_send(answer);
}

type Made = std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>>;

fn dialog(q: &Question) -> Made {
    let mut dialog = rfd::AsyncFileDialog::new().set_title(&q.title);
    if let Some(folder) = &q.folder {
        dialog = dialog.set_directory(folder);
    }
    if let Some((name, endings)) = &q.filter {
        dialog = dialog.add_filter(name, endings);
        if !q.save {
            dialog = dialog.add_filter("All files", &["*"]);
        }
    }
    if q.save { Box::pin(dialog.set_file_name(&q.name).save_file()) } else { Box::pin(dialog.pick_file()) }
}

/// Waits for a future on this thread.
fn block_on<T>(mut future: std::pin::Pin<Box<dyn Future<Output = T> + Send>>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

fn ready(portal: &Mutex<Option<Result<(), String>>>) -> Result<(), String> {
    let mut known = portal.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_with(|| probe(Duration::from_secs(2))).clone()
}

/// Whether a dialog can be shown at all. `rfd` cannot tell a missing portal from a cancelled dialog, so the portal
/// is asked for its version first. Takes at most `limit`: a stale session bus may never answer.
#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub fn probe(limit: Duration) -> Result<(), String> {
    let (sender, receiver) = sync_channel(1);
    let spawned = std::thread::Builder::new().name("portal-probe".into()).spawn(move || {
        let _ = sender.send(portal_version().map(|_| ()).map_err(|e| e.to_string()));
    });
    if let Err(e) = spawned {
        return Err(format!("No thread to ask for the desktop portal: {e}"));
    }
    let outcome = receiver.recv_timeout(limit).unwrap_or_else(|_| Err("it did not answer in time".into()));
    match outcome {
        Ok(()) => Ok(()),
        Err(_) if has_zenity() => Ok(()),
        Err(e) => Err(format!(
            "The desktop portal for file dialogs does not run ({e}). Install xdg-desktop-portal and a backend such as \
             xdg-desktop-portal-gtk, or type the path."
        )),
    }
}

#[cfg(any(windows, target_os = "macos"))]
pub fn probe(_limit: Duration) -> Result<(), String> {
    Ok(())
}

#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn portal_version() -> zbus::Result<u32> {
    let bus = zbus::blocking::Connection::session()?;
    let portal = zbus::blocking::Proxy::new(
        &bus,
        "org.freedesktop.portal.Desktop",
        "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.FileChooser",
    )?;
    portal.get_property("version")
}

/// `rfd` falls back to it.
#[cfg(any(
    target_os = "linux",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
))]
fn has_zenity() -> bool {
    std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join("zenity").is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_dialogs_the_answer_is_nobody_once_per_question() {
        let mut p = NoPicker::default();
        assert_eq!(p.poll(), None);
        p.ask(Question::default(), Arc::new(|| {}));
        assert!(matches!(p.poll(), Some(Answer::Nobody(_))));
        assert_eq!(p.poll(), None);
    }

    #[test]
    fn a_future_is_waited_for() {
        let (sender, receiver) = std::sync::mpsc::channel::<std::task::Waker>();
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let flag = done.clone();
        std::thread::spawn(move || {
            let waker = receiver.recv().unwrap();
            flag.store(true, std::sync::atomic::Ordering::SeqCst);
            waker.wake();
        });
        let got = block_on(Box::pin(std::future::poll_fn(move |cx| {
            if done.load(std::sync::atomic::Ordering::SeqCst) {
                return std::task::Poll::Ready(7);
            }
            let _ = sender.send(cx.waker().clone());
            std::task::Poll::Pending
        })));
        assert_eq!(got, 7);
    }
}
