//! The tree of a JSON payload.

use egui::{Button, Rect, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::host::InspectorEvent;
use super::json::{JsonKind, Node, Tree, unquote};
use super::placeholder;
use super::reveal::Desk;
use crate::model::Wall;
use crate::ui::theme::{Tokens, font, space, tokens};
use crate::ui::widgets::{Icon, Scroller, format, icon_button, row_list};

const ROW: f32 = 20.0;
const STEP: f32 = 14.0;
/// Characters of a value shown in its row; the text tab has all.
const PREVIEW: usize = 400;

/// Which nodes are open, and what was revealed.
#[derive(Default)]
pub(super) struct TreeView {
    closed: Vec<bool>,
    /// Nodes that are shown, in order.
    shown: Vec<u32>,
    scroller: Scroller,
    menu: Option<u32>,
}

impl TreeView {
    /// For a new tree: small ones are open, large ones show two levels.
    pub fn new(tree: &Tree) -> Self {
        let large = tree.nodes.len() > 400;
        let closed = tree.nodes.iter().map(|n| large && n.depth >= 2 && n.children > 0).collect();
        let mut view = Self { closed, ..Self::default() };
        view.list(tree);
        view
    }

    fn list(&mut self, tree: &Tree) {
        self.shown.clear();
        let mut n = 0;
        while let Some(node) = tree.nodes.get(n as usize) {
            self.shown.push(n);
            n = if self.closed[n as usize] { node.end } else { n + 1 };
        }
    }

    fn set_all(&mut self, tree: &Tree, closed: bool) {
        for (n, node) in tree.nodes.iter().enumerate() {
            self.closed[n] = closed && node.children > 0 && n > 0;
        }
        self.list(tree);
    }

    pub fn show(&mut self, ui: &mut Ui, tree: &Tree, text: &str, desk: &mut Desk<'_>) {
        ui.horizontal(|ui| {
            let t = tokens(ui);
            let count = format!("{} values", format::count(tree.nodes.len() as u64));
            ui.label(RichText::new(count).font(font::small()).color(t.text.weak));
            if icon_button(ui, Icon::Plus, "Open all").clicked() {
                self.set_all(tree, false);
            }
            if icon_button(ui, Icon::Minus, "Close all").clicked() {
                self.set_all(tree, true);
            }
        });
        let mut scroller = self.scroller;
        let rows = self.shown.len() as u64;
        let mut toggled = None;
        row_list(ui, &mut scroller, "Values of the payload", Role::Tree, rows, ROW, |ui, row, rect| {
            if let Some(&n) = self.shown.get(row as usize)
                && self.row(ui, rect, (tree, text), n, desk)
            {
                toggled = Some(n);
            }
        });
        self.scroller = scroller;
        if let Some(n) = toggled {
            self.closed[n as usize] = !self.closed[n as usize];
            self.list(tree);
        }
    }

    /// Paints a row; true when it shall open or close.
    fn row(&mut self, ui: &mut Ui, rect: Rect, (tree, text): (&Tree, &str), n: u32, desk: &mut Desk<'_>) -> bool {
        let t = tokens(ui);
        let node = &tree.nodes[n as usize];
        let key = key_text(node, text);
        let raw = Tree::raw(text, &node.span);
        let holds = node.children > 0;
        let closed = self.closed[n as usize];
        let id = ui.scope_id().with(("node", n));
        let response = ui.interact(rect, id, Sense::CLICK);
        response.widget_info(|| WidgetInfo::labeled(Role::TreeItem, true, format!("{key}: {}", value_text(node, raw))));
        ui.ctx().accesskit_node_builder(id, |a| {
            a.set_level(node.depth as usize + 1);
            if holds {
                a.set_expanded(!closed);
            }
        });
        if response.hovered() || self.menu == Some(n) && egui::Popup::is_any_open(ui.ctx()) {
            ui.painter().rect_filled(rect, 0, t.surface.hover);
        }
        // Deep trees would walk out of the view: indentation grows more slowly then.
        let depth = node.depth.min(24) as f32 + (node.depth.saturating_sub(24) as f32).sqrt();
        let mut x = rect.left() + space::TIGHT + depth * STEP;
        if holds {
            let spot = Rect::from_center_size(pos2(x + 6.0, rect.center().y), vec2(12.0, 12.0));
            (if closed { Icon::ChevronRight } else { Icon::ChevronDown }).paint(ui.painter(), spot, t.text.weak);
        }
        x += 15.0;
        if !key.is_empty() {
            let galley =
                ui.painter().layout_no_wrap(format::visible_controls(&key).into_owned(), font::data(), t.syntax.key);
            let width = galley.size().x;
            ui.painter().galley(pos2(x, rect.center().y - galley.size().y / 2.0), galley, t.syntax.key);
            x += width + space::NORMAL;
        }
        let room = Rect::from_min_max(pos2(x, rect.top()), rect.max);
        if room.width() > 8.0 {
            value(ui, room, node, (&key, raw), desk);
        }
        if response.secondary_clicked() {
            self.menu = Some(n);
        }
        if self.menu == Some(n) {
            response.context_menu(|ui| menu(ui, tree, text, n, desk.events));
        }
        holds && response.clicked()
    }
}

fn value(ui: &mut Ui, room: Rect, node: &Node, (key, raw): (&str, &str), desk: &mut Desk<'_>) {
    let t = tokens(ui);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let builder = UiBuilder::new().max_rect(room).layout(layout).id_salt(("value", node.span.start));
    let shown = value_text(node, raw);
    // A string that is nothing but a placeholder needs no quotes around its chip.
    let bare = shown.strip_prefix('"').and_then(|s| s.strip_suffix('"')).filter(|s| placeholder::is_placeholder(s));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = space::TIGHT;
        desk.line(ui, bare.unwrap_or(&shown), ink(node.kind, t));
        if node.kind == JsonKind::Number
            && let Some(instant) = instant(key, raw)
        {
            ui.add_space(space::SMALL);
            ui.label(RichText::new(instant).font(font::small()).color(t.text.weak));
        }
    });
}

/// A number that counts from 1970, as a date with its unit: seconds and milliseconds are easily mistaken for each
/// other. Seconds only where the key speaks of time; other numbers are as large.
fn instant(key: &str, raw: &str) -> Option<String> {
    /// 2001 to 2103, in seconds.
    const LIKELY: std::ops::Range<i64> = 1_000_000_000..4_200_000_000;
    let n: i64 = raw.parse().ok()?;
    let key = key.to_ascii_lowercase();
    let timely = ["exp", "iat", "nbf", "time", "date"].iter().any(|word| key.contains(word));
    let (at, unit) = if LIKELY.contains(&n) && timely {
        (Wall::from_secs(n), "s")
    } else if LIKELY.contains(&(n / 1_000)) && n >= 1_000_000_000_000 {
        (Wall::from_millis(n), "ms")
    } else if LIKELY.contains(&(n / 1_000_000)) && n >= 1_000_000_000_000_000 {
        (Wall(n), "µs")
    } else {
        return None;
    };
    let date = at.timestamp()?.strftime("%Y-%m-%d %H:%M:%S");
    Some(format!("{unit}: {date}Z"))
}

fn key_text(node: &Node, text: &str) -> String {
    match &node.key {
        Some(key) => unquote(Tree::raw(text, key)).into_owned(),
        None if node.parent.is_some() => node.index.to_string(),
        None => String::new(),
    }
}

/// A value in its row: containers by their size.
fn value_text(node: &Node, raw: &str) -> String {
    let count = |one: &str, many: &str| match node.children {
        1 => format!("1 {one}"),
        n => format!("{} {many}", format::count(u64::from(n))),
    };
    match node.kind {
        JsonKind::Object if node.children == 0 => "{}".to_owned(),
        JsonKind::Array if node.children == 0 => "[]".to_owned(),
        JsonKind::Object => format!("{{ {} }}", count("key", "keys")),
        JsonKind::Array => format!("[ {} ]", count("item", "items")),
        JsonKind::String => head(&format!("\"{}\"", unquote(head_raw(raw)))),
        _ => head(raw),
    }
}

/// Enough of a long string for its row, so that a value of megabytes is not decoded every frame.
fn head_raw(raw: &str) -> &str {
    if raw.len() <= PREVIEW * 8 {
        return raw;
    }
    let mut end = PREVIEW * 4;
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    &raw[..end]
}

fn head(text: &str) -> String {
    match text.char_indices().nth(PREVIEW) {
        Some((at, _)) => format!("{}… ({})", &text[..at], format::bytes(text.len() as u64)),
        None => text.to_owned(),
    }
}

fn ink(kind: JsonKind, t: &Tokens) -> egui::Color32 {
    match kind {
        JsonKind::String => t.syntax.string,
        JsonKind::Number => t.syntax.number,
        JsonKind::True | JsonKind::False | JsonKind::Null => t.syntax.word,
        JsonKind::Object | JsonKind::Array => t.syntax.punctuation,
    }
}

fn menu(ui: &mut Ui, tree: &Tree, text: &str, n: u32, events: &mut Vec<InspectorEvent>) {
    let node = &tree.nodes[n as usize];
    let raw = Tree::raw(text, &node.span);
    let value = if node.kind == JsonKind::String { unquote(raw).into_owned() } else { raw.to_owned() };
    let mut item = |ui: &mut Ui, text: &str, event: InspectorEvent| {
        if ui.add(Button::new(text)).clicked() {
            events.push(event);
            ui.close();
        }
    };
    if node.children == 0 && value.len() <= 512 {
        item(ui, "Filter by this value", InspectorEvent::FilterBy(quote(&value)));
        item(ui, "Filter out this value", InspectorEvent::FilterBy(format!("-{}", quote(&value))));
        ui.separator();
    }
    item(ui, "Copy value", InspectorEvent::Copy(value));
    item(ui, "Copy path", InspectorEvent::Copy(tree.path(text, n)));
    if let Some(key) = &node.key {
        item(ui, "Copy key", InspectorEvent::Copy(unquote(Tree::raw(text, key)).into_owned()));
    }
}

/// A text as the filter language wants it.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_since_1970_are_dates_with_their_unit() {
        let says = |key, raw, end: Option<&str>| {
            let told = instant(key, raw);
            match end {
                Some(end) => {
                    assert_eq!(told.as_deref(), Some(format!("{end}: 2026-11-21 13:04:12Z").as_str()))
                }
                None => assert_eq!(told, None, "{key}: {raw}"),
            }
        };
        says("exp", "1795266252", Some("s"));
        says("expirationDate", "1795266252535", Some("ms"));
        says("until", "1795266252535186", Some("µs"));
        for (key, raw) in [
            ("fileSize", "1795266252"),
            ("exp", "900"),
            ("exp", "1795266252.5"),
            ("exp", "17952662525351869999"),
            ("exp", "-1795266252"),
            ("n", "99999999999999999"),
        ] {
            says(key, raw, None);
        }
    }
}
