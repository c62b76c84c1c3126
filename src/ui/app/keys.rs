//! From key presses to commands.

use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

use crate::ui::commands::{ALL, Cmd, is_bare, is_navigation};

/// What has the keyboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keyboard {
    /// A text field has it: keys without Ctrl are its own.
    pub text: bool,
    /// Any widget has it: arrows and Space are its own.
    pub widget: bool,
    /// A menu is open: only keys with Ctrl reach the window.
    pub popup: bool,
    /// A dialog is open: what lies under it cannot be seen to change, so nothing there does.
    pub dialog: bool,
}

impl Keyboard {
    pub fn of(ctx: &Context, dialog: bool) -> Self {
        Self {
            text: ctx.text_edit_focused(),
            widget: ctx.memory(|m| m.focused().is_some()),
            popup: ctx.any_popup_open(),
            dialog,
        }
    }

    fn leaves(self, cmd: Cmd, key: &KeyboardShortcut) -> bool {
        if self.dialog {
            return matches!(cmd, Cmd::ZoomIn | Cmd::ZoomOut | Cmd::ZoomReset | Cmd::Quit);
        }
        let free = !self.popup && !self.text;
        !is_bare(key) || free && (!self.widget || !is_navigation(key.logical_key))
    }
}

/// Takes the presses that are commands out of the input, in their order.
pub(super) fn take(ctx: &Context, keyboard: Keyboard) -> Vec<Cmd> {
    let mut out = Vec::new();
    ctx.input_mut(|input| {
        input.events.retain(|event| {
            let Event::Key { key, pressed: true, modifiers, .. } = event else { return true };
            let found = ALL.iter().filter(|e| !is_of_table(e.cmd)).find(|e| {
                let fits = |k: &&KeyboardShortcut| k.logical_key == *key && fits(k, *modifiers);
                e.keys.iter().filter(fits).any(|k| keyboard.leaves(e.cmd, k))
            });
            match found {
                Some(entry) => {
                    out.push(entry.cmd);
                    false
                }
                None => true,
            }
        });
        if out.contains(&Cmd::Keys) || out.iter().any(|c| is_letter(*c)) {
            // The same press also arrives as text; nobody else shall type it.
            input.events.retain(|e| !matches!(e, Event::Text(_)));
        }
    });
    out
}

/// The record table takes these itself.
fn is_of_table(cmd: Cmd) -> bool {
    matches!(
        cmd,
        Cmd::RowUp
            | Cmd::RowDown
            | Cmd::PageUp
            | Cmd::PageDown
            | Cmd::First
            | Cmd::Last
            | Cmd::Follow
            | Cmd::TimeZero
            | Cmd::Diff
    )
}

fn is_letter(cmd: Cmd) -> bool {
    cmd.entry().keys.iter().any(is_bare)
}

/// Exact, but for Shift where the key itself needs it on some keyboards.
fn fits(shortcut: &KeyboardShortcut, pressed: Modifiers) -> bool {
    let shift_is_free = matches!(shortcut.logical_key, Key::Questionmark | Key::Plus | Key::Equals);
    let pressed = if shift_is_free { Modifiers { shift: false, ..pressed } } else { pressed };
    pressed.matches_exact(shortcut.modifiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(key: Key, modifiers: Modifiers, keyboard: Keyboard) -> (Vec<Cmd>, usize) {
        let ctx = Context::default();
        let mut input = egui::RawInput::default();
        input.events.push(Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers });
        let mut out = Vec::new();
        let mut left = 0;
        let output = ctx.run_ui(input, |ui| {
            out = take(ui.ctx(), keyboard);
            left = ui.ctx().input(|i| i.events.len());
        });
        output.drop_without_applying_deltas();
        (out, left)
    }

    const FREE: Keyboard = Keyboard { text: false, widget: false, popup: false, dialog: false };
    const TYPING: Keyboard = Keyboard { text: true, widget: true, ..FREE };

    #[test]
    fn a_text_field_keeps_its_letters_but_not_the_keys_with_ctrl() {
        assert_eq!(press(Key::M, Modifiers::NONE, FREE), (vec![Cmd::Mark], 0));
        assert_eq!(press(Key::M, Modifiers::NONE, TYPING), (vec![], 1));
        assert_eq!(press(Key::Space, Modifiers::NONE, TYPING), (vec![], 1));
        assert_eq!(press(Key::K, Modifiers::COMMAND, TYPING), (vec![Cmd::Palette], 0));
        assert_eq!(press(Key::Enter, Modifiers::COMMAND, TYPING), (vec![Cmd::Send], 0));
        assert_eq!(press(Key::Enter, Modifiers::NONE, TYPING), (vec![], 1));
    }

    #[test]
    fn shift_tells_two_commands_apart() {
        let both = Modifiers::COMMAND | Modifiers::SHIFT;
        assert_eq!(press(Key::N, Modifiers::COMMAND, FREE).0, [Cmd::NewSession]);
        assert_eq!(press(Key::N, both, FREE).0, [Cmd::StartInSandbox]);
        assert_eq!(press(Key::Questionmark, Modifiers::SHIFT, FREE).0, [Cmd::Keys]);
    }

    #[test]
    fn a_button_with_the_keyboard_keeps_space_and_arrows() {
        let button = Keyboard { widget: true, ..FREE };
        assert_eq!(press(Key::Space, Modifiers::NONE, button).1, 1);
        assert_eq!(press(Key::ArrowDown, Modifiers::NONE, button).1, 1);
        assert_eq!(press(Key::M, Modifiers::NONE, button).0, [Cmd::Mark]);
        assert_eq!(press(Key::J, Modifiers::NONE, FREE).1, 1, "the table takes it itself");
    }

    #[test]
    fn under_a_menu_only_keys_with_ctrl_are_commands() {
        let popup = Keyboard { popup: true, ..FREE };
        assert_eq!(press(Key::M, Modifiers::NONE, popup).1, 1);
        assert_eq!(press(Key::Comma, Modifiers::COMMAND, popup).0, [Cmd::Settings]);
    }

    #[test]
    fn under_a_dialog_nothing_is_a_command_but_size_and_quit() {
        let dialog = Keyboard { dialog: true, ..FREE };
        let taken: Vec<Cmd> =
            ALL.iter().flat_map(|e| e.keys).flat_map(|k| press(k.logical_key, k.modifiers, dialog).0).collect();
        assert_eq!(taken, [Cmd::ZoomIn, Cmd::ZoomIn, Cmd::ZoomOut, Cmd::ZoomReset, Cmd::Quit]);
    }
}
