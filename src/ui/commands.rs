//! The one list of commands. Menus, palette, keys and tooltips are made from it.

use egui::{Key, KeyboardShortcut, Modifiers};

/// Something that a person can ask the window to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cmd {
    StartInSandbox,
    BothEnds,
    NewSession,
    NewSessionWith,
    CloseSession,
    RenameSession,
    Session(u8),
    Split,
    GoToRinging,
    Connect,
    Leave,
    StartNew,
    Reconnect,
    Send,
    WriteMessage,
    ClearConversation,
    History,
    Find,
    Follow,
    TimeZero,
    Diff,
    Mark,
    Note,
    Noise,
    RowUp,
    RowDown,
    PageUp,
    PageDown,
    First,
    Last,
    Back,
    Forward,
    OpenCapture,
    SaveCapture,
    Export,
    BackToLive,
    Environments,
    Sandbox,
    Palette,
    Keys,
    Settings,
    Theme,
    ShowRecords,
    ShowInspector,
    ShowMetrics,
    ShowLint,
    FinalReport,
    AuditLog,
    ZoomIn,
    ZoomOut,
    ZoomReset,
    About,
    Help,
    TourRefused,
    TourClosed,
    Quit,
}

/// Where a command stands in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Session,
    Conversation,
    Records,
    Capture,
    View,
    Tools,
}

impl Section {
    pub const ALL: [Self; 6] =
        [Self::Session, Self::Conversation, Self::Records, Self::Capture, Self::View, Self::Tools];

    pub fn title(self) -> &'static str {
        match self {
            Self::Session => "Session",
            Self::Conversation => "Conversation",
            Self::Records => "Records",
            Self::Capture => "Capture",
            Self::View => "View",
            Self::Tools => "Tools",
        }
    }
}

/// Why a saved capture takes no commands that would change it.
pub const SAVED: &str = "A saved capture is read-only. Go back to the live capture first.";

/// What has to be there for a command to make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// A session is chosen, live or saved.
    Session,
    /// A session of the running capture is chosen.
    Recorded,
    /// The chosen session is live: wishes reach it.
    LiveSession,
    /// A session with this number exists.
    SessionNumber(u8),
    /// A record is selected.
    Selection,
    /// A record of the running capture is selected.
    RecordedSelection,
    /// Two records are selected, or one that has something to be compared with.
    Pair,
    /// A saved capture is shown.
    SavedCapture,
    HistoryBack,
    HistoryForward,
    /// A conversation rings for an agent.
    Ringing,
}

/// What of the window decides which commands can be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    pub sessions: usize,
    pub session: bool,
    pub live: bool,
    pub selected: usize,
    pub saved: bool,
    pub back: bool,
    pub forward: bool,
    pub ringing: bool,
}

/// A command as menus and tooltips show it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub cmd: Cmd,
    pub title: &'static str,
    pub tip: &'static str,
    pub section: Section,
    pub keys: &'static [KeyboardShortcut],
    pub needs: Needs,
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)
}

const fn bare(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn entry(
    cmd: Cmd,
    section: Section,
    title: &'static str,
    tip: &'static str,
    keys: &'static [KeyboardShortcut],
    needs: Needs,
) -> Entry {
    Entry { cmd, title, tip, section, keys, needs }
}

macro_rules! session_entry {
    ($n:literal, $key:ident) => {
        entry(
            Cmd::Session($n),
            Section::Session,
            concat!("Show session ", $n),
            concat!("Show the session that stands at place ", $n, " of the list."),
            &[ctrl(Key::$key)],
            Needs::SessionNumber($n),
        )
    };
}

use Needs as N;
use Section as S;

/// All commands, in the order of menus and of the key sheet.
pub const ALL: &[Entry] = &[
    entry(
        Cmd::StartInSandbox,
        S::Session,
        "Start a conversation in the sandbox",
        "Start the built-in server where it is not running, open a session and connect it.",
        &[ctrl_shift(Key::N)],
        N::Nothing,
    ),
    entry(
        Cmd::BothEnds,
        S::Session,
        "Both ends in the sandbox",
        "Open an agent and a guest in the built-in server, side by side: the agent goes on queue and answers.",
        &[ctrl_shift(Key::B)],
        N::Nothing,
    ),
    entry(
        Cmd::NewSession,
        S::Session,
        "New session",
        "Open a session in the chosen environment and connect it.",
        &[ctrl(Key::N)],
        N::Nothing,
    ),
    entry(
        Cmd::NewSessionWith,
        S::Session,
        "New session with options…",
        "Choose name, environment and token of a new session.",
        &[],
        N::Nothing,
    ),
    entry(
        Cmd::CloseSession,
        S::Session,
        "Close session",
        "Close the connection and take the session from the list. Its records stay.",
        &[ctrl(Key::W)],
        N::Recorded,
    ),
    entry(
        Cmd::RenameSession,
        S::Session,
        "Rename session…",
        "Give the session another name in this window.",
        &[bare(Key::F2)],
        N::Session,
    ),
    entry(
        Cmd::FinalReport,
        S::Session,
        "Final report…",
        "States, figures, ids and faults of the session as text, to be copied or written to a file.",
        &[ctrl_shift(Key::R)],
        N::Session,
    ),
    session_entry!(1, Num1),
    session_entry!(2, Num2),
    session_entry!(3, Num3),
    session_entry!(4, Num4),
    session_entry!(5, Num5),
    session_entry!(6, Num6),
    session_entry!(7, Num7),
    session_entry!(8, Num8),
    session_entry!(9, Num9),
    entry(
        Cmd::GoToRinging,
        S::Session,
        "Go to the ringing conversation",
        "Show the conversation that has been ringing for an agent the longest.",
        &[ctrl_shift(Key::A)],
        N::Ringing,
    ),
    entry(
        Cmd::Connect,
        S::Session,
        "Connect",
        "Open the socket and configure the session with the token that it has.",
        &[],
        N::LiveSession,
    ),
    entry(Cmd::Leave, S::Session, "Disconnect", "Close the socket with code 1000.", &[], N::LiveSession),
    entry(
        Cmd::StartNew,
        S::Session,
        "Start a new conversation",
        "Leave a read-only conversation: close the session and configure a new one on the same socket.",
        &[],
        N::LiveSession,
    ),
    entry(
        Cmd::Reconnect,
        S::Session,
        "Reconnect by itself",
        "Open a lost socket again with the same token. Off at first, because it hides what a tester wants to see.",
        &[],
        N::LiveSession,
    ),
    entry(Cmd::Send, S::Conversation, "Send", "Send what the composer holds.", &[ctrl(Key::Enter)], N::LiveSession),
    entry(
        Cmd::WriteMessage,
        S::Conversation,
        "Write a message",
        "Put the cursor into the composer.",
        &[ctrl(Key::L)],
        N::LiveSession,
    ),
    entry(
        Cmd::History,
        S::Conversation,
        "Read history",
        "Read the conversation's history by REST and merge it.",
        &[],
        N::LiveSession,
    ),
    entry(
        Cmd::ClearConversation,
        S::Conversation,
        "Clear conversation",
        "Ask the server to end and clear the conversation of this guest.",
        &[],
        N::LiveSession,
    ),
    entry(
        Cmd::Note,
        S::Conversation,
        "Note…",
        "Write a note on the selected record, or on this moment where none is selected.",
        &[bare(Key::N)],
        N::Recorded,
    ),
    entry(Cmd::Find, S::Records, "Filter records", "Put the cursor into the filter.", &[ctrl(Key::F)], N::Nothing),
    entry(
        Cmd::Follow,
        S::Records,
        "Follow new records",
        "Keep the newest record in view, or let go.",
        &[bare(Key::Space)],
        N::Nothing,
    ),
    entry(
        Cmd::TimeZero,
        S::Records,
        "Set time zero",
        "Count the times of all records from the selected one.",
        &[bare(Key::T)],
        N::Selection,
    ),
    entry(
        Cmd::Diff,
        S::Records,
        "Compare",
        "Show the difference between the two selected records, or to the one before of its kind.",
        &[bare(Key::D)],
        N::Pair,
    ),
    entry(
        Cmd::Mark,
        S::Records,
        "Mark",
        "Set or take away a mark on the selected record.",
        &[bare(Key::M)],
        N::RecordedSelection,
    ),
    entry(
        Cmd::Noise,
        S::Records,
        "Show heartbeats and typing",
        "Show or fold away pings, health checks and typing.",
        &[bare(Key::H)],
        N::Nothing,
    ),
    entry(
        Cmd::RowUp,
        S::Records,
        "Row up",
        "Select the record above.",
        &[bare(Key::ArrowUp), bare(Key::K)],
        N::Nothing,
    ),
    entry(
        Cmd::RowDown,
        S::Records,
        "Row down",
        "Select the record below.",
        &[bare(Key::ArrowDown), bare(Key::J)],
        N::Nothing,
    ),
    entry(Cmd::PageUp, S::Records, "Page up", "Move up by what is visible.", &[bare(Key::PageUp)], N::Nothing),
    entry(Cmd::PageDown, S::Records, "Page down", "Move down by what is visible.", &[bare(Key::PageDown)], N::Nothing),
    entry(Cmd::First, S::Records, "First record", "Select the first record shown.", &[bare(Key::Home)], N::Nothing),
    entry(Cmd::Last, S::Records, "Last record", "Select the last record shown.", &[bare(Key::End)], N::Nothing),
    entry(Cmd::Back, S::Records, "Back", "Go to what was selected before.", &[ctrl(Key::OpenBracket)], N::HistoryBack),
    entry(
        Cmd::Forward,
        S::Records,
        "Forward",
        "Go to what was selected after.",
        &[ctrl(Key::CloseBracket)],
        N::HistoryForward,
    ),
    entry(Cmd::OpenCapture, S::Capture, "Open capture…", "Show a saved capture file.", &[ctrl(Key::O)], N::Nothing),
    entry(
        Cmd::SaveCapture,
        S::Capture,
        "Save capture…",
        "Copy the capture that is shown, as far as it got, to one whole file of your choice.",
        &[ctrl(Key::S)],
        N::Nothing,
    ),
    entry(
        Cmd::Export,
        S::Capture,
        "Export…",
        "Write the capture or one session as HAR, JSON Lines or transcript.",
        &[ctrl(Key::E)],
        N::Nothing,
    ),
    entry(
        Cmd::BackToLive,
        S::Capture,
        "Back to the live capture",
        "Close the saved capture and show what is being recorded.",
        &[],
        N::SavedCapture,
    ),
    entry(
        Cmd::Split,
        S::View,
        "Two conversations side by side",
        "Show a second conversation beside the first.",
        &[ctrl(Key::Backslash)],
        N::Session,
    ),
    entry(Cmd::ShowRecords, S::View, "Records pane", "Show or hide the record table.", &[ctrl(Key::R)], N::Nothing),
    entry(Cmd::ShowInspector, S::View, "Inspector pane", "Show or hide the inspector.", &[ctrl(Key::I)], N::Nothing),
    entry(
        Cmd::ShowMetrics,
        S::View,
        "Metrics pane",
        "Show attempts, errors and latencies in place of the records, or the records again.",
        &[ctrl_shift(Key::M)],
        N::Nothing,
    ),
    entry(
        Cmd::ShowLint,
        S::View,
        "Lint pane",
        "Show which rules of the protocol were broken in place of the records, or the records again.",
        &[ctrl_shift(Key::P)],
        N::Nothing,
    ),
    entry(Cmd::Theme, S::View, "Switch theme", "System, light, dark, and round again.", &[], N::Nothing),
    entry(Cmd::ZoomIn, S::View, "Larger", "Make everything larger.", &[ctrl(Key::Plus), ctrl(Key::Equals)], N::Nothing),
    entry(Cmd::ZoomOut, S::View, "Smaller", "Make everything smaller.", &[ctrl(Key::Minus)], N::Nothing),
    entry(Cmd::ZoomReset, S::View, "Usual size", "Show everything at its usual size.", &[ctrl(Key::Num0)], N::Nothing),
    entry(
        Cmd::Palette,
        S::Tools,
        "Commands",
        "Find and run a command, or go to a session or environment.",
        &[ctrl(Key::K)],
        N::Nothing,
    ),
    entry(
        Cmd::Environments,
        S::Tools,
        "Environments…",
        "Create, edit, test, duplicate and delete environments.",
        &[ctrl_shift(Key::E)],
        N::Nothing,
    ),
    entry(
        Cmd::Sandbox,
        S::Tools,
        "Sandbox…",
        "The built-in server: its addresses, its sessions, and faults on demand.",
        &[ctrl(Key::B)],
        N::Nothing,
    ),
    entry(
        Cmd::AuditLog,
        S::Tools,
        "Audit log…",
        "The last lines of the audit log, where it lies, and a copy of all of it.",
        &[ctrl_shift(Key::L)],
        N::Nothing,
    ),
    entry(Cmd::Settings, S::Tools, "Settings…", "Theme, recording, size and time.", &[ctrl(Key::Comma)], N::Nothing),
    entry(Cmd::Keys, S::Tools, "Keys", "Show all keys.", &[bare(Key::Questionmark), bare(Key::F1)], N::Nothing),
    entry(
        Cmd::TourRefused,
        S::Tools,
        "Tour: why was my message refused with 401?",
        "Reproduces the complaint in the sandbox, explains it, and mends it.",
        &[],
        N::Nothing,
    ),
    entry(
        Cmd::TourClosed,
        S::Tools,
        "Tour: why did my socket close with 1000?",
        "Reproduces the complaint in the sandbox, explains it, and mends it.",
        &[],
        N::Nothing,
    ),
    entry(Cmd::Help, S::Tools, "Help", "What each flow is, where it came from, what is doubtful.", &[], N::Nothing),
    entry(Cmd::About, S::Tools, "About and licences", "Version, and what this program is made of.", &[], N::Nothing),
    entry(Cmd::Quit, S::Tools, "Quit", "Close all sessions and the window.", &[ctrl(Key::Q)], N::Nothing),
];

impl Cmd {
    /// The entry of this command. Every command has one: a test holds this.
    pub fn entry(self) -> &'static Entry {
        ALL.iter().find(|e| e.cmd == self).unwrap_or(&ALL[0])
    }

    pub fn title(self) -> &'static str {
        self.entry().title
    }
}

impl Entry {
    pub fn enabled(&self, s: &Situation) -> bool {
        match self.needs {
            N::Nothing => true,
            N::Session => s.session,
            N::Recorded => s.session && !s.saved,
            N::LiveSession => s.live,
            N::SessionNumber(n) => usize::from(n) <= s.sessions,
            N::Selection => s.selected > 0,
            N::RecordedSelection => s.selected > 0 && !s.saved,
            N::Pair => s.selected > 0,
            N::SavedCapture => s.saved,
            N::HistoryBack => s.back,
            N::HistoryForward => s.forward,
            N::Ringing => s.ringing,
        }
    }

    /// Why the command cannot be given now.
    pub fn why_not(&self, s: &Situation) -> &'static str {
        match self.needs {
            N::Recorded | N::LiveSession | N::RecordedSelection if s.saved => SAVED,
            N::Nothing => "",
            N::Session | N::Recorded => "Choose a session first.",
            N::LiveSession => "Choose a live session first.",
            N::SessionNumber(_) => "There are not so many sessions.",
            N::Selection | N::RecordedSelection | N::Pair => "Select a record first.",
            N::SavedCapture => "The live capture is shown already.",
            N::HistoryBack => "Nothing was selected before.",
            N::HistoryForward => "Nothing was selected after.",
            N::Ringing => "No conversation rings.",
        }
    }

    /// The first key as text, with the names of this system.
    pub fn key_text(&self, ctx: &egui::Context) -> String {
        self.keys.first().map_or_else(String::new, |k| key_text(ctx, k))
    }

    /// Tooltip: what it does, and its key.
    pub fn tooltip(&self, ctx: &egui::Context) -> String {
        match self.keys.first() {
            Some(k) => format!("{}  ({})", self.tip, key_text(ctx, k)),
            None => self.tip.to_owned(),
        }
    }
}

/// A key with the names of this system: "Ctrl+Shift+K", "?".
pub fn key_text(ctx: &egui::Context, key: &KeyboardShortcut) -> String {
    let name = match key.logical_key {
        Key::ArrowUp => "Up",
        Key::ArrowDown => "Down",
        Key::Enter | Key::Space => key.logical_key.name(),
        Key::Minus => "-",
        other => other.symbol_or_name(),
    };
    let modifiers = ctx.format_modifiers(key.modifiers);
    if modifiers.is_empty() { name.to_owned() } else { format!("{modifiers}+{name}") }
}

/// A key without Ctrl or Command: a text field that has the focus keeps it.
pub fn is_bare(key: &KeyboardShortcut) -> bool {
    !key.modifiers.command && !key.modifiers.ctrl && !key.modifiers.alt && !is_function_key(key.logical_key)
}

fn is_function_key(key: Key) -> bool {
    matches!(key, Key::F1 | Key::F2)
}

/// Keys that move the focus or press what has it, unless nothing has.
pub fn is_navigation(key: Key) -> bool {
    matches!(key, Key::ArrowUp | Key::ArrowDown | Key::PageUp | Key::PageDown | Key::Home | Key::End | Key::Space)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_key_is_given_twice_and_every_command_once() {
        let mut keys = HashSet::new();
        let mut cmds = HashSet::new();
        for e in ALL {
            assert!(cmds.insert(e.cmd), "{:?} stands twice in the list", e.cmd);
            for k in e.keys {
                assert!(keys.insert((k.modifiers, k.logical_key)), "{k:?} of {:?} is taken", e.cmd);
            }
        }
    }

    #[test]
    fn every_command_has_a_title_and_a_tooltip_in_plain_sentences() {
        let mut titles = HashSet::new();
        for e in ALL {
            assert!(titles.insert(e.title), "two commands are called “{}”", e.title);
            assert!(e.tip.ends_with('.') && e.tip.len() > 8, "tooltip of {:?}", e.cmd);
            assert_eq!(e.cmd.entry().cmd, e.cmd);
            assert!(e.enabled(&Situation::default()) || !e.why_not(&Situation::default()).is_empty());
        }
    }

    #[test]
    fn the_keys_that_were_promised_are_there() {
        let has = |cmd: Cmd, k: KeyboardShortcut| assert!(cmd.entry().keys.contains(&k), "{cmd:?}");
        has(Cmd::Send, ctrl(Key::Enter));
        has(Cmd::Find, ctrl(Key::F));
        has(Cmd::Palette, ctrl(Key::K));
        has(Cmd::NewSession, ctrl(Key::N));
        has(Cmd::CloseSession, ctrl(Key::W));
        has(Cmd::Session(9), ctrl(Key::Num9));
        has(Cmd::RowDown, bare(Key::J));
        has(Cmd::Follow, bare(Key::Space));
        has(Cmd::TimeZero, bare(Key::T));
        has(Cmd::Diff, bare(Key::D));
        has(Cmd::Mark, bare(Key::M));
        has(Cmd::Note, bare(Key::N));
        has(Cmd::Back, ctrl(Key::OpenBracket));
        has(Cmd::Settings, ctrl(Key::Comma));
        has(Cmd::Keys, bare(Key::Questionmark));
    }

    #[test]
    fn keys_without_ctrl_are_left_to_text_fields() {
        assert!(is_bare(&bare(Key::T)) && is_bare(&bare(Key::Questionmark)));
        assert!(!is_bare(&ctrl(Key::T)) && !is_bare(&bare(Key::F1)));
    }

    #[test]
    fn what_needs_a_session_is_off_without_one() {
        let none = Situation::default();
        assert!(!Cmd::CloseSession.entry().enabled(&none));
        assert!(!Cmd::Session(1).entry().enabled(&none));
        assert!(Cmd::NewSession.entry().enabled(&none));
        let one = Situation { sessions: 1, session: true, live: true, ..none };
        assert!(Cmd::Session(1).entry().enabled(&one) && !Cmd::Session(2).entry().enabled(&one));
        assert!(Cmd::Send.entry().enabled(&one));
    }

    #[test]
    fn what_would_change_a_saved_capture_is_off_and_says_why() {
        let saved = Situation { sessions: 1, session: true, selected: 1, saved: true, ..Situation::default() };
        for cmd in [Cmd::CloseSession, Cmd::Note, Cmd::Mark, Cmd::Send] {
            assert!(!cmd.entry().enabled(&saved), "{cmd:?}");
            assert!(cmd.entry().why_not(&saved).contains("live"), "{cmd:?}");
        }
        for cmd in [Cmd::Export, Cmd::SaveCapture, Cmd::Find, Cmd::Diff, Cmd::RenameSession, Cmd::BackToLive] {
            assert!(cmd.entry().enabled(&saved), "{cmd:?}");
        }
    }
}
