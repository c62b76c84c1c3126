//! Everything that opens over the window. One dialog at a time, a question or path field on top of it.

mod about;
mod audit_log;
mod confirm;
mod environment_agents;
mod environment_ca;
mod environment_flows;
mod environment_form;
mod environment_guest;
mod environment_token;
mod environments;
mod export;
mod final_report;
mod flow_form;
mod help;
mod login;
mod order_forms;
mod path;
mod sandbox;
mod sandbox_flows;
mod secret_field;
mod session;
mod settings;
mod signing_keys;

pub use confirm::{Confirm, paint as paint_confirm};
pub use order_forms::order_name;
pub use path::{PathDialog, paint as paint_path};
pub use sandbox::SandboxPanel;

use std::path::Path;

use egui::{Context, Frame, Id, Modal, Popup, RichText, Role, ScrollArea, Ui, UiBuilder};

use super::app::{Acts, Scene};
use super::palette::Palette;
use super::settings::Settings;
use super::theme::{font, space, tokens};
use super::widgets::{Icon, icon_button};
use crate::model::{Environment, Report, SessionId};
use audit_log::AuditDialog;
use environments::Environments;
use export::Export;
use final_report::FinalReport;
use help::Help;
use login::SignIn;
use session::{NewSession, Note, Rename};
use signing_keys::SigningKeys;

/// A dialog and what is filled in.
#[derive(Debug)]
pub enum Dialog {
    Palette(Palette),
    Keys(String),
    Settings,
    Environments(Box<Environments>),
    NewSession(Box<NewSession>),
    SignIn(Box<SignIn>),
    Rename(Rename),
    Note(Note),
    Export(Export),
    About(String),
    SigningKeys(Box<SigningKeys>),
    Help(Help),
    FinalReport(FinalReport),
    AuditLog(Box<AuditDialog>),
    Report(Report),
}

/// How the built-in sandbox starts.
pub fn sandbox_options() -> crate::sandbox::Options {
    crate::sandbox::Options::default()
}

impl Dialog {
    pub fn palette() -> Self {
        Self::Palette(Palette::default())
    }

    pub fn keys() -> Self {
        Self::Keys(String::new())
    }

    pub fn environments(settings: &Settings) -> Self {
        Self::Environments(Box::new(Environments::showing(settings)))
    }

    /// The environments, with a new one being filled in.
    pub fn new_environment() -> Self {
        Self::Environments(Box::new(Environments::creating()))
    }

    /// True where closing it would lose what was filled in.
    pub fn is_unsaved(&self, settings: &Settings) -> bool {
        matches!(self, Self::Environments(e) if e.is_unsaved(settings))
    }

    pub fn new_session(environment: &str, name: String) -> Self {
        Self::NewSession(Box::new(NewSession::new(environment, name)))
    }

    pub fn sign_in(session: SessionId) -> Self {
        Self::SignIn(Box::new(SignIn::new(session)))
    }

    pub fn rename(session: SessionId, name: String) -> Self {
        Self::Rename(Rename { session, name })
    }

    pub fn note(session: SessionId, on: u64) -> Self {
        Self::Note(Note { session, on, text: String::new() })
    }

    pub fn export(session: Option<SessionId>) -> Self {
        Self::Export(Export::new(session))
    }

    pub fn about() -> Self {
        Self::About(String::new())
    }

    pub fn signing_keys(environment: Environment) -> Self {
        Self::SigningKeys(Box::new(SigningKeys::new(environment)))
    }

    /// What became of a session.
    pub fn final_report(session: SessionId) -> Self {
        Self::FinalReport(FinalReport::new(session))
    }

    pub fn audit_log() -> Self {
        Self::AuditLog(Box::default())
    }

    /// A page of the help, by its name.
    pub fn help(page: &str) -> Self {
        Self::Help(Help::at(page))
    }

    /// A file with certificate authorities was chosen.
    pub fn ca_file(&mut self, path: &Path) {
        if let Self::Environments(dialog) = self {
            dialog.ca_file(path);
        }
    }

    /// It is looked into while another dialog is being filled in.
    pub fn stands_above(&self) -> bool {
        matches!(self, Self::Help(_) | Self::SigningKeys(_))
    }

    /// It speaks of a session of the capture that is shown.
    pub fn is_about_session(&self) -> bool {
        matches!(self, Self::SignIn(_) | Self::Rename(_) | Self::Note(_) | Self::Export(_) | Self::FinalReport(_))
    }

    /// The keyring has the secret that was typed into the form.
    pub fn secret_kept(&mut self, key: &str) {
        if let Self::Environments(dialog) = self {
            dialog.secret_kept(key);
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Palette(_) => "Commands",
            Self::Keys(_) => "Keys",
            Self::Settings => "Settings",
            Self::Environments(_) => "Environments",
            Self::NewSession(_) => "New session",
            Self::SignIn(_) => "Sign the guest in",
            Self::Rename(_) => "Rename session",
            Self::Note(_) => "Note",
            Self::Export(_) => "Export",
            Self::About(_) => "About Sessionscope",
            Self::SigningKeys(_) => "Signing keys",
            Self::Help(_) => "Help",
            Self::FinalReport(_) => "Final report",
            Self::AuditLog(_) => "Audit log",
            Self::Report(_) => "What is wrong",
        }
    }

    fn width(&self) -> f32 {
        match self {
            Self::Palette(_) => 560.0,
            Self::Keys(_) => 760.0,
            Self::Environments(_) => 820.0,
            Self::About(_) => 620.0,
            Self::SigningKeys(_) => 640.0,
            Self::Help(_) | Self::FinalReport(_) => 820.0,
            Self::AuditLog(_) => 1080.0,
            Self::Settings => 520.0,
            _ => 440.0,
        }
    }
}

/// Paints the dialog. True when it shall close.
pub fn paint(
    ctx: &Context,
    dialog: &mut Dialog,
    settings: Option<&mut Settings>,
    scene: &Scene<'_>,
    acts: &mut Acts,
) -> bool {
    let (title, width) = (dialog.title(), dialog.width());
    let bare = matches!(dialog, Dialog::Palette(_));
    let scrolls = matches!(
        dialog,
        Dialog::Help(_) | Dialog::Palette(_) | Dialog::Keys(_) | Dialog::Environments(_) | Dialog::AuditLog(_)
    );
    // What grows and shrinks while it is filled in keeps its head where it is.
    let hangs = matches!(dialog, Dialog::Palette(_) | Dialog::NewSession(_) | Dialog::SignIn(_));
    frame(ctx, title, width, Shape { bare, scrolls, hangs }, |ui| match dialog {
        Dialog::Palette(palette) => palette.paint(ui, scene, acts),
        Dialog::Keys(filter) => {
            super::keys::paint(ui, filter);
            false
        }
        Dialog::Settings => {
            if let Some(settings) = settings {
                settings::paint(ui, settings, scene, acts);
            }
            false
        }
        Dialog::Environments(dialog) => dialog.paint(ui, scene, acts),
        Dialog::NewSession(dialog) => dialog.paint(ui, scene, acts),
        Dialog::SignIn(dialog) => dialog.paint(ui, scene, acts),
        Dialog::Rename(dialog) => dialog.paint(ui, acts),
        Dialog::Note(dialog) => dialog.paint(ui, acts),
        Dialog::Export(dialog) => dialog.paint(ui, scene, acts),
        Dialog::About(filter) => {
            about::paint(ui, filter);
            false
        }
        Dialog::SigningKeys(dialog) => dialog.paint(ui, scene, acts),
        Dialog::Help(help) => help.paint(ui, acts),
        Dialog::FinalReport(dialog) => dialog.paint(ui, scene, acts),
        Dialog::AuditLog(dialog) => dialog.paint(ui, scene, acts),
        Dialog::Report(report) => {
            super::widgets::report_card(ui, report, super::widgets::Tone::Amber, None, false);
            false
        }
    })
}

/// How a dialog stands in the window.
#[derive(Clone, Copy, Default)]
struct Shape {
    /// Without a title bar.
    bare: bool,
    /// Its content scrolls by itself.
    scrolls: bool,
    /// Hangs from a fixed height, instead of standing in the middle.
    hangs: bool,
}

/// A modal with a title bar (unless it is bare) and a closing cross. Esc and a click beside it close it too. What does
/// not fit is scrolled, by the content itself where it scrolls.
fn frame(
    ctx: &Context,
    title: &str,
    width: f32,
    Shape { bare, scrolls, hangs }: Shape,
    add: impl FnOnce(&mut Ui) -> bool,
) -> bool {
    let id = Id::unique(("dialog", title));
    let t = super::theme::tokens_of(ctx);
    let screen = ctx.content_rect();
    let width = width.min(screen.width() - 48.0);
    let mut area = Modal::default_area(id).accessible_name(title).role(Role::Dialog);
    if hangs {
        let top = ((screen.height() - 500.0) / 2.0).max(space::HALL);
        area = area.anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, top));
    }
    let response = Modal::new(id)
        .area(area)
        .backdrop_color(t.shade)
        .frame(Frame::window(&ctx.global_style()).inner_margin(14))
        .show(ctx, |ui| {
            ui.set_width(width);
            ui.set_max_height(screen.height() - 80.0);
            let mut close = false;
            if !bare {
                ui.horizontal(|ui| {
                    ui.label(RichText::new(title).font(font::title()).color(tokens(ui).text.strong));
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        close |= icon_button(ui, Icon::Cross, "Close dialog").clicked();
                    });
                });
                ui.add_space(space::NORMAL);
            }
            if scrolls {
                return close | add(ui);
            }
            let height = (screen.height() - 140.0).max(120.0);
            let area = ScrollArea::vertical().id_salt("dialog").max_height(height).auto_shrink([false, true]);
            close | area.show(ui, add).inner
        });
    if response.is_top_modal {
        keep_popups_above(ctx, response.response.layer_id);
    }
    response.inner || response.should_close()
}

/// A quick click presses and lets go within one frame. It brings the dialog to the front and opens a list in it at once,
/// and the dialog could win: the list would lie behind it, out of reach.
fn keep_popups_above(ctx: &Context, dialog: egui::LayerId) {
    let open = |ctx: &Context| {
        let layers = ctx.memory(|m| m.areas().visible_layer_ids());
        layers.into_iter().find(|l| l.order == dialog.order && Popup::is_id_open(ctx, l.id))
    };
    if let Some(popup) = Popup::is_any_open(ctx).then(|| open(ctx)).flatten() {
        ctx.set_sublayer(dialog, popup);
    }
}

/// Width of a field: what there is, as far as a line is easily read.
fn field_width(ui: &Ui) -> f32 {
    ui.available_width().min(420.0)
}

/// Width of the column of names: narrower where there is little room, at 200 % for instance.
fn names_width(ui: &Ui) -> f32 {
    (ui.available_width() * 0.32).clamp(96.0, 150.0)
}

/// What is in here keeps its ids whatever comes and goes above it, and with them keyboard, cursor and open menus. The
/// key is the only one of its kind in the dialog.
fn steady<R>(ui: &mut Ui, key: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let id = ui.scope_id().with(key);
    ui.scope_builder(UiBuilder::new().scope_id(id), add).inner
}

/// A row of a form: name at the left, field at the right.
fn field<R>(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    steady(ui, name, |ui| row(ui, name, add))
}

fn row<R>(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    let t = tokens(ui);
    let width = names_width(ui);
    ui.horizontal(|ui| {
        let size = egui::vec2(width, space::CONTROL);
        ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_size(size);
            ui.add(egui::Label::new(RichText::new(name).color(t.text.normal)).truncate()).on_hover_text(name);
        });
        ui.vertical(|ui| add(ui)).inner
    })
    .inner
}

/// A text field of a form; its row's name is its accessible name.
fn text(ui: &mut Ui, name: &str, value: &mut String, hint: &str) -> egui::Response {
    field(ui, name, |ui| {
        let edit = egui::TextEdit::singleline(value).hint_text(hint).desired_width(field_width(ui));
        ui.add(edit).accessible_name(name)
    })
}

/// A hint in the column of the fields.
fn under(ui: &mut Ui, text: &str) {
    field_of(ui, |ui| hint(ui, text));
}

/// Something in the column of the fields, without a name.
fn field_of<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let width = names_width(ui);
    ui.horizontal_top(|ui| {
        ui.add_space(width + ui.spacing().item_spacing.x);
        ui.vertical(add).inner
    })
    .inner
}

fn hint(ui: &mut Ui, text: &str) {
    let t = tokens(ui);
    ui.add(egui::Label::new(RichText::new(text).small().color(t.text.weak)).wrap());
}
