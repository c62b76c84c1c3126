//! A path field, where the system offers no file dialog.

use std::path::PathBuf;

use egui::{Context, Key, Label, RichText, TextEdit};

use crate::ui::app::{Act, Acts, FilePurpose};
use crate::ui::picker::Question;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets::{Weight, button};

#[derive(Debug)]
pub struct PathDialog {
    question: Question,
    purpose: FilePurpose,
    /// Why there is no dialog of the system.
    why: String,
    text: String,
    problem: Option<String>,
    asked: bool,
    overwrite: bool,
}

impl PathDialog {
    pub fn new(question: Question, purpose: FilePurpose, why: String) -> Self {
        let text = match &question.folder {
            _ if question.save => usual_folder().join(&question.name).display().to_string(),
            // With its separator at the end: what comes next is a name in it.
            Some(folder) => folder.join("").display().to_string(),
            None => String::new(),
        };
        Self { question, purpose, why, text, problem: None, asked: false, overwrite: false }
    }

    fn chosen(&mut self) -> Option<PathBuf> {
        let path = expand(self.text.trim());
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        self.problem = if self.text.trim().is_empty() {
            Some("Type a path first.".into())
        } else if !self.question.save && path.is_dir() {
            Some(format!("{} is a folder. Add the name of a file in it.", path.display()))
        } else if !self.question.save && !path.is_file() {
            Some(format!("There is no file {}.", path.display()))
        } else if self.question.save && path.is_dir() {
            Some(format!("{} is a folder.", path.display()))
        } else if self.question.save && folder.is_some_and(|f| !f.is_dir()) {
            Some(format!("There is no folder {}.", folder.unwrap_or(&path).display()))
        } else if self.question.save && path.exists() && !self.overwrite {
            self.overwrite = true;
            Some("There is such a file already. Press again to replace it.".into())
        } else {
            return Some(path);
        };
        None
    }
}

fn usual_folder() -> PathBuf {
    etcetera::home_dir().unwrap_or_default()
}

fn expand(text: &str) -> PathBuf {
    match text.strip_prefix("~/") {
        Some(rest) => usual_folder().join(rest),
        None => PathBuf::from(text),
    }
}

/// Paints the field. True when it is done.
pub fn paint(ctx: &Context, dialog: &mut PathDialog, acts: &mut Acts) -> bool {
    let title = dialog.question.title.clone();
    super::frame(ctx, &title, 560.0, super::Shape::default(), |ui| {
        let t = tokens(ui);
        let edit = TextEdit::singleline(&mut dialog.text).hint_text("/path/to/file").desired_width(f32::INFINITY);
        let response = ui.add(edit.id_salt("path")).accessible_name("Path");
        if !std::mem::replace(&mut dialog.asked, true) {
            response.request_focus();
        }
        if response.changed() {
            dialog.overwrite = false;
            dialog.problem = None;
        }
        let enter = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        if let Some(problem) = &dialog.problem {
            ui.label(RichText::new(problem).color(t.red.ink));
        }
        ui.add_space(space::SMALL);
        ui.add(Label::new(RichText::new(&dialog.why).small().color(t.text.weak)).wrap());
        ui.add_space(space::NORMAL);
        ui.horizontal(|ui| {
            let word = if dialog.question.save { "Save" } else { "Open" };
            let pressed = button(ui, None, word, Weight::Primary).clicked();
            if (pressed || enter)
                && let Some(path) = dialog.chosen()
            {
                acts.push(Act::File(dialog.purpose.clone(), path));
                return true;
            }
            button(ui, None, "Cancel", Weight::Normal).clicked()
        })
        .inner
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(save: bool, text: &str) -> PathDialog {
        let question = Question { save, ..Question::default() };
        let mut d = PathDialog::new(question, FilePurpose::OpenCapture, String::new());
        d.text = text.to_owned();
        d
    }

    #[test]
    fn what_cannot_be_is_said_and_overwriting_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        let name = |p: &std::path::Path| p.display().to_string();
        assert!(dialog(false, "").chosen().is_none());
        let question = Question { folder: Some(dir.path().to_owned()), ..Question::default() };
        let mut begun = PathDialog::new(question, FilePurpose::OpenCapture, String::new());
        assert!(begun.text.starts_with(&name(dir.path())), "{}", begun.text);
        assert!(begun.chosen().is_none() && begun.problem.is_some_and(|p| p.contains("is a folder")));
        assert!(dialog(false, &name(&file)).chosen().is_none());
        assert_eq!(dialog(true, &name(&file)).chosen(), Some(file.clone()));
        std::fs::write(&file, b"x").unwrap();
        assert_eq!(dialog(false, &name(&file)).chosen(), Some(file.clone()));
        let mut save = dialog(true, &name(&file));
        assert!(save.chosen().is_none(), "asks first");
        assert_eq!(save.chosen(), Some(file.clone()));
        assert!(dialog(true, &name(dir.path())).chosen().is_none());
        assert!(dialog(true, &name(&dir.path().join("no/such"))).chosen().is_none());
    }
}
