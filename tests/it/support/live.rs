//! The real window over the real engine: everything but the graphics card.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{Key, Modifiers, OutputCommand, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::capture::Writer;
use sessionscope::engine::Engine;
use sessionscope::engine::console::{Console, ConsoleOptions, LogPlace};
use sessionscope::engine::places::Places;
use sessionscope::model::{Clock, Environment, ManualClock, SystemClock, Wall};
use sessionscope::ui::app::{App, Parts};
use sessionscope::ui::picker::NoPicker;
use sessionscope::ui::seams::{Audit, LiveLog, Log, SavedLog};
use sessionscope::ui::settings::Store;
use sessionscope::vault::Vault;

const LIMIT: Duration = Duration::from_secs(20);
/// What tells nobody that it happened (a file was written) is looked for this often.
const LOOK: Duration = Duration::from_millis(20);

/// Rings whenever the engine, the writer or the projections have something new.
#[derive(Default)]
struct Bell {
    count: Mutex<u64>,
    rung: Condvar,
}

/// What outlives a window: its folders, and the clock.
pub struct Home {
    pub folder: tempfile::TempDir,
    pub place: LogPlace,
    pub clock: Option<Arc<ManualClock>>,
    /// Environments beside those that were stored.
    pub environments: Vec<Environment>,
}

impl Default for Home {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), place: LogPlace::Memory, clock: None, environments: Vec::new() }
    }
}

impl Home {
    /// With a clock that stands still until it is moved.
    pub fn with_paused_clock() -> Self {
        Self { clock: Some(ManualClock::starting_at(Wall::from_secs(1_790_000_000))), ..Self::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn places(&self) -> Places {
        Places { config: self.path("config"), captures: self.path("captures") }
    }

    /// Opens the window as the program does, without file dialogs of the system.
    pub fn open(&self) -> Window {
        let bell = Arc::<Bell>::default();
        let ring = bell.clone();
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            *ring.count.lock().unwrap() += 1;
            ring.rung.notify_all();
        });
        let clock: Arc<dyn Clock> = match &self.clock {
            Some(clock) => clock.clone(),
            None => SystemClock::shared(),
        };
        let (store, mut settings, report) = Store::open(&self.places().config);
        (settings.utc, settings.reduced_motion) = (true, true);
        settings.environments.extend(self.environments.clone());
        let console = Console::start(ConsoleOptions {
            place: self.place.clone(),
            wake: wake.clone(),
            clock,
            vault: Some(Vault::in_memory()),
            places: Some(self.places()),
            ..ConsoleOptions::default()
        })
        .unwrap();
        let Console { engine, projector, writer, redactor, clock, audit, .. } = console;
        let engine = Arc::new(engine);
        let app = App::new(Parts {
            backend: Box::new(engine.clone()),
            clock,
            log: Box::new(LiveLog::new(writer.clone(), projector).unwrap()),
            open_log: Arc::new(move |file| {
                Ok(Box::new(SavedLog::open(file, sessionscope::projection::Knowledge::embedded(), wake.clone())?)
                    as Box<dyn Log>)
            }),
            mask: Arc::new(redactor),
            audit: audit.map(|log| Arc::new(log) as Arc<dyn Audit>),
            settings,
            store,
            picker: Box::new(NoPicker::default()),
            vault: None,
            captures: (self.place == LogPlace::Folder).then(|| self.places().captures),
            reports: report.into_iter().collect(),
            open: None,
        });
        let copied = Arc::<Mutex<Vec<String>>>::default();
        let clipboard = copied.clone();
        let paint = move |ui: &mut egui::Ui, app: &mut App| {
            app.frame(ui);
            let texts = ui.output(|o| {
                let texts = o.commands.iter().filter_map(|c| match c {
                    OutputCommand::CopyText(text) => Some(text.clone()),
                    _ => None,
                });
                texts.collect::<Vec<_>>()
            });
            clipboard.lock().unwrap().extend(texts);
        };
        let h = super::builder([1440.0, 1400.0], Theme::Dark)
            .with_max_steps(40)
            .allow_missing_glyphs()
            .build_ui_state(paint, app);
        Window { h, engine, writer, copied, bell }
    }
}

/// A window that is driven by what a screen reader sees.
pub struct Window {
    pub h: Harness<'static, App>,
    pub engine: Arc<Engine>,
    pub writer: Writer,
    copied: Arc<Mutex<Vec<String>>>,
    bell: Arc<Bell>,
}

impl Window {
    /// Paints until `good`, anew whenever something happened; fails with what is in view otherwise.
    #[track_caller]
    pub fn until(&mut self, what: &str, good: impl Fn(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        loop {
            let heard = *self.bell.count.lock().unwrap();
            self.h.run_ok();
            if good(self) {
                return;
            }
            assert!(Instant::now() < end, "never: {what}\n{}", self.labels().join("\n"));
            let count = self.bell.count.lock().unwrap();
            drop(self.bell.rung.wait_timeout_while(count, LOOK, |count| *count == heard).unwrap());
        }
    }

    /// All names and texts in view.
    pub fn labels(&self) -> Vec<String> {
        let text = |node: egui_kittest::Node<'_>| {
            let node = node.accesskit_node();
            node.label().or_else(|| node.value()).filter(|l| !l.is_empty())
        };
        let mut all: Vec<String> = self.h.root().children_recursive().filter_map(text).collect();
        all.dedup();
        all
    }

    /// The first name or text that holds this.
    pub fn find(&self, part: &str) -> Option<String> {
        self.labels().into_iter().find(|l| l.contains(part))
    }

    pub fn sees(&self, part: &str) -> bool {
        self.find(part).is_some()
    }

    #[track_caller]
    pub fn await_label(&mut self, part: &str) -> String {
        self.until(part, |w| w.sees(part));
        self.find(part).unwrap()
    }

    #[track_caller]
    pub fn press(&mut self, name: &str) {
        self.h.get_by_role_and_label(Role::Button, name).click();
        self.h.run_ok();
    }

    #[track_caller]
    pub fn choose(&mut self, name: &str) {
        self.h.get_by_role_and_label(Role::RadioButton, name).click();
        self.h.run_ok();
    }

    #[track_caller]
    fn type_into(&mut self, role: Role, name: &str, text: &str) {
        self.h.get_by_role_and_label(role, name).focus();
        self.h.run_ok();
        self.h.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.h.run_ok();
        self.h.get_by_role_and_label(role, name).type_text(text);
        self.h.run_ok();
    }

    /// Replaces what stands in a field.
    #[track_caller]
    pub fn fill(&mut self, name: &str, text: &str) {
        self.type_into(Role::TextInput, name, text);
    }

    /// Writes a message into the composer.
    #[track_caller]
    pub fn write(&mut self, text: &str) {
        self.type_into(Role::MultilineTextInput, "Message", text);
    }

    /// Runs a command by its name in the palette.
    pub fn command(&mut self, title: &str) {
        self.keys(Modifiers::COMMAND, Key::K);
        self.fill("Find a command", title);
        self.keys(Modifiers::NONE, Key::Enter);
    }

    pub fn keys(&mut self, modifiers: Modifiers, key: Key) {
        self.h.key_press_modifiers(modifiers, key);
        self.h.run_ok();
    }

    /// By the one button of a first start; waits until one can write.
    #[track_caller]
    pub fn converse(&mut self) {
        self.press("Start a conversation in the sandbox");
        self.await_label("Bot · Sandbox: Hello, this is the sandbox");
    }

    #[track_caller]
    pub fn say(&mut self, text: &str) {
        self.write(text);
        self.press("Send");
    }

    /// What went into the clipboard since the last look.
    pub fn copied(&self) -> Vec<String> {
        std::mem::take(&mut self.copied.lock().unwrap())
    }

    /// Closes the window as the program does.
    pub fn close(self) {
        let Self { mut h, engine, writer, .. } = self;
        eframe::App::on_exit(h.state_mut(), None);
        drop(h);
        engine.shutdown(Duration::from_secs(5));
        writer.close().unwrap();
    }
}
