//! The two themes. Values are chosen so that every text can be read on every surface; a test measures it.

use egui::Color32;

use super::tokens::{Chip, Lines, Side, State, Surfaces, Syntax, Texts, Tokens};

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

pub static DARK: Tokens = Tokens {
    dark: true,
    surface: Surfaces {
        sunken: rgb(0x0F1215),
        stripe: rgb(0x13171B),
        ground: rgb(0x171B20),
        raised: rgb(0x20262C),
        hover: rgb(0x2A3139),
        overlay: rgb(0x242A31),
        selected: rgb(0x17385C),
        selected_quiet: rgb(0x25303C),
    },
    text: Texts { strong: rgb(0xF2F5F8), normal: rgb(0xCFD6DE), weak: rgb(0xA0ABB7), on_accent: rgb(0xFFFFFF) },
    line: Lines { faint: rgb(0x2B323A), normal: rgb(0x485460), strong: rgb(0x7F8C9A) },
    accent: rgb(0x7DB8FF),
    accent_fill: rgb(0x2767B8),
    accent_fill_hover: rgb(0x2F74C8),
    focus: rgb(0x7DB8FF),
    sent: rgb(0x7DB8FF),
    received: rgb(0x82CFA5),
    local: rgb(0xA0ABB7),
    guest: Side { ink: rgb(0x7DB8FF), bubble: rgb(0x1B3350) },
    agent: Side { ink: rgb(0xC8AEF5), bubble: rgb(0x2A2736) },
    bot: Side { ink: rgb(0x7CCFCB), bubble: rgb(0x1C2E30) },
    system: Side { ink: rgb(0xA9B3BE), bubble: rgb(0x20262C) },
    ok: State { ink: rgb(0x82CFA5), tint: rgb(0x16291F) },
    amber: State { ink: rgb(0xECB752), tint: rgb(0x2E2510) },
    red: State { ink: rgb(0xFF9B93), tint: rgb(0x371B1B) },
    dead: State { ink: rgb(0xA0A7AF), tint: rgb(0x22262A) },
    placeholder: Chip { ink: rgb(0xE3C08A), fill: rgb(0x352C1E) },
    lit: rgb(0x443C14),
    syntax: Syntax {
        key: rgb(0x8FC1FF),
        string: rgb(0xA6D6A8),
        number: rgb(0xE5B98A),
        word: rgb(0xD0AEF5),
        punctuation: rgb(0xA0ABB7),
    },
    added: rgb(0x14301F),
    removed: rgb(0x3D1D20),
    shade: Color32::from_black_alpha(140),
    shadow: Color32::from_black_alpha(110),
};

pub static LIGHT: Tokens = Tokens {
    dark: false,
    surface: Surfaces {
        sunken: rgb(0xFFFFFF),
        stripe: rgb(0xF7F9FA),
        ground: rgb(0xF2F4F6),
        raised: rgb(0xE8EBEE),
        hover: rgb(0xDDE2E7),
        overlay: rgb(0xFBFCFD),
        selected: rgb(0xCCE2FA),
        selected_quiet: rgb(0xDFE6ED),
    },
    text: Texts { strong: rgb(0x101418), normal: rgb(0x2A323A), weak: rgb(0x4E5A66), on_accent: rgb(0xFFFFFF) },
    line: Lines { faint: rgb(0xD5DAE0), normal: rgb(0xA9B3BD), strong: rgb(0x66727E) },
    accent: rgb(0x0B4FA8),
    accent_fill: rgb(0x1A62BF),
    accent_fill_hover: rgb(0x1554A6),
    focus: rgb(0x0B4FA8),
    sent: rgb(0x0B4FA8),
    received: rgb(0x0C5C39),
    local: rgb(0x4E5A66),
    guest: Side { ink: rgb(0x0B4FA8), bubble: rgb(0xD8E8FB) },
    agent: Side { ink: rgb(0x61329F), bubble: rgb(0xEFE9F8) },
    bot: Side { ink: rgb(0x08575A), bubble: rgb(0xDFF1F0) },
    system: Side { ink: rgb(0x4E5A66), bubble: rgb(0xE8EBEE) },
    ok: State { ink: rgb(0x0C5C39), tint: rgb(0xDDF1E5) },
    amber: State { ink: rgb(0x724400), tint: rgb(0xFCEFD2) },
    red: State { ink: rgb(0xA31621), tint: rgb(0xFBE3E1) },
    dead: State { ink: rgb(0x525B65), tint: rgb(0xE6E9EC) },
    placeholder: Chip { ink: rgb(0x6A4708), fill: rgb(0xF6E9CF) },
    lit: rgb(0xFFF0A8),
    syntax: Syntax {
        key: rgb(0x0B4FA8),
        string: rgb(0x14592F),
        number: rgb(0x84390A),
        word: rgb(0x6A2FA5),
        punctuation: rgb(0x4E5A66),
    },
    added: rgb(0xDDF3E2),
    removed: rgb(0xFBE1E0),
    shade: Color32::from_black_alpha(70),
    shadow: Color32::from_black_alpha(40),
};
