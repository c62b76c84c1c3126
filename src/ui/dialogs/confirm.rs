//! Questions before something is lost or leaves the program.

use egui::{Context, Label, RichText};

use crate::ui::app::{Act, Acts, FilePurpose};
use crate::ui::format;
use crate::ui::theme::{font, space};
use crate::ui::widgets::{Weight, button, copy_button};

/// A question, and the act that "yes" means.
#[derive(Debug)]
pub enum Confirm {
    DeleteEnvironment {
        id: String,
        name: String,
        /// Sessions of it that can be resumed.
        kept: usize,
    },
    /// An address that somebody else sent.
    Link { url: String },
    /// The file that is to be written afterwards.
    ExportPrivateKey(FilePurpose),
}

impl Confirm {
    pub fn link(url: String) -> Self {
        Self::Link { url }
    }
}

/// Paints the question. True when it was answered.
pub fn paint(ctx: &Context, confirm: &Confirm, acts: &mut Acts) -> bool {
    let title = match confirm {
        Confirm::DeleteEnvironment { .. } => "Delete environment?",
        Confirm::Link { .. } => "Open this address?",
        Confirm::ExportPrivateKey(_) => "Export the private key?",
    };
    super::frame(ctx, title, 460.0, super::Shape::default(), |ui| {
        let mut done = false;
        match confirm {
            Confirm::DeleteEnvironment { name, kept, .. } => {
                let tokens = match kept {
                    0 => String::new(),
                    n => format!(" and the tokens of {}", format::plural(*n as u64, "kept session", "kept sessions")),
                };
                let text = format!(
                    "“{name}” will be gone, and with it, in the keyring, its client secret{tokens}. Records of its \
                     sessions stay."
                );
                ui.add(Label::new(text).wrap());
            }
            Confirm::ExportPrivateKey(_) => {
                let text = "Whoever has the file can sign tokens as you, for any guest. It is written for you only; \
                            delete it when it has done its work.";
                ui.add(Label::new(text).wrap());
            }
            Confirm::Link { url } => {
                ui.label("It came with the conversation and opens in your browser:");
                ui.add(Label::new(RichText::new(format::shown(url)).font(font::data())).wrap());
                if let Ok(parsed) = url::Url::parse(url)
                    && !matches!(parsed.scheme(), "http" | "https")
                {
                    ui.label(format!("It is not a web address but “{}:”.", parsed.scheme()));
                }
            }
        }
        ui.add_space(space::NORMAL);
        ui.horizontal(|ui| {
            match confirm {
                Confirm::DeleteEnvironment { id, .. } => {
                    if button(ui, None, "Delete", Weight::Danger).clicked() {
                        acts.push(Act::DeleteEnvironment(id.clone()));
                        done = true;
                    }
                }
                Confirm::ExportPrivateKey(purpose) => {
                    if button(ui, None, "Choose a file…", Weight::Danger).clicked() {
                        acts.push(Act::AskFile(purpose.clone()));
                        done = true;
                    }
                }
                Confirm::Link { url } => {
                    if button(ui, None, "Open in browser", Weight::Primary).clicked() {
                        acts.push(Act::OpenLink(url.clone()));
                        done = true;
                    }
                    copy_button(ui, "Copy address", || url.clone());
                }
            }
            if button(ui, None, "Cancel", Weight::Normal).clicked() {
                done = true;
            }
        });
        done
    })
}
