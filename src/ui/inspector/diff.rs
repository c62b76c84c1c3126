//! The difference of two records: heads and payloads, JSON laid out line by line.

use std::time::Duration;

use egui::{Align2, Label, Rect, RichText, Role, Ui, UiBuilder, WidgetInfo, pos2};
use similar::{ChangeTag, TextDiff};

use super::job::{Job, Poll};
use super::json::{JsonKind, Node, Tree, parse, unquote};
use crate::model::Record;
use crate::ui::theme::{font, space, tokens};
use crate::ui::widgets::{Icon, Scroller, Tone, badge, format, icon_button, progress, row_list, text_toggle};

/// Payloads longer than this are compared on a thread.
const AT_ONCE: usize = 128 * 1024;
const ROW: f32 = 18.0;

/// One line of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub tag: ChangeTag,
    pub text: String,
}

/// The diff tab.
pub(super) struct DiffView {
    /// Do not count ids and times as differences.
    pub ignore: bool,
    key: Option<(u64, u64, bool)>,
    lines: Vec<Line>,
    job: Option<Job<Vec<Line>>>,
    scroller: Scroller,
    lost: bool,
}

impl Default for DiffView {
    fn default() -> Self {
        Self { ignore: true, key: None, lines: Vec::new(), job: None, scroller: Scroller::default(), lost: false }
    }
}

impl DiffView {
    /// Gives true when comparing shall end.
    pub fn show(&mut self, ui: &mut Ui, a: &Record, b: &Record) -> bool {
        self.prepare(ui, a, b);
        let mut close = false;
        let t = tokens(ui);
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("Record {} → {}", a.seq, b.seq)).font(font::strong()));
            text_toggle(ui, None, "Ignore ids and times", &mut self.ignore);
            let count = |tag| self.lines.iter().filter(|l| l.tag == tag).count();
            let (gone, new) = (count(ChangeTag::Delete), count(ChangeTag::Insert));
            if self.job.is_none() {
                if gone + new == 0 {
                    badge(ui, Some(Icon::Check), "no difference", Tone::Ok);
                } else {
                    badge(ui, Some(Icon::Minus), &format!("{gone} lines"), Tone::Red);
                    badge(ui, Some(Icon::Plus), &format!("{new} lines"), Tone::Ok);
                }
            }
            close = icon_button(ui, Icon::Cross, "Stop comparing").clicked();
        });
        if let Some(job) = &self.job {
            match job.poll() {
                Poll::Running(done) => {
                    if progress(ui, "Comparing", done, job.total) {
                        self.job = None;
                        self.lost = true;
                    }
                    return close;
                }
                Poll::Done(lines) => {
                    self.lines = lines;
                    self.job = None;
                }
                Poll::Lost => {
                    self.job = None;
                    self.lost = true;
                }
            }
        }
        if self.lost {
            ui.label(RichText::new("Not compared.").color(t.text.weak));
            return close;
        }
        let lines = &self.lines;
        row_list(
            ui,
            &mut self.scroller,
            "Lines of the difference",
            Role::Document,
            lines.len() as u64,
            ROW,
            |ui, row, rect| {
                if let Some(line) = lines.get(row as usize) {
                    diff_row(ui, rect, row, line);
                }
            },
        );
        close
    }

    /// Compares anew where something else is to be compared.
    fn prepare(&mut self, ui: &Ui, a: &Record, b: &Record) {
        let key = (a.seq, b.seq, self.ignore);
        if self.key == Some(key) {
            return;
        }
        self.key = Some(key);
        self.lost = false;
        self.scroller = Scroller::default();
        if a.body.len() + b.body.len() <= AT_ONCE {
            self.lines = compare(a, b, self.ignore, Duration::from_millis(50));
            self.job = None;
            return;
        }
        let (a, b, ignore) = (a.clone(), b.clone(), self.ignore);
        self.lines.clear();
        self.job = Some(Job::start(ui.ctx(), 0, move |_| compare(&a, &b, ignore, Duration::from_secs(10))));
    }
}

fn diff_row(ui: &mut Ui, rect: Rect, row: u64, line: &Line) {
    let t = tokens(ui);
    let (fill, sign, ink, word) = match line.tag {
        ChangeTag::Equal => (None, "", t.text.weak, ""),
        ChangeTag::Delete => (Some(t.removed), "−", t.red.ink, "removed: "),
        ChangeTag::Insert => (Some(t.added), "+", t.ok.ink, "added: "),
    };
    if let Some(fill) = fill {
        ui.painter().rect_filled(rect, 0, fill);
        ui.painter().text(pos2(rect.left() + 10.0, rect.center().y), Align2::CENTER_CENTER, sign, font::data(), ink);
    }
    let room = Rect::from_min_max(pos2(rect.left() + 24.0, rect.top()), rect.max);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    ui.scope_builder(
        UiBuilder::new().max_rect(room.shrink2(egui::vec2(space::HAIR, 0.0))).layout(layout).id_salt(row),
        |ui| {
            let rich = RichText::new(format::visible_controls(&line.text)).font(font::data()).color(t.text.normal);
            let response = ui.add(Label::new(rich).truncate().selectable(true));
            if !word.is_empty() {
                response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{word}{}", line.text)));
            }
        },
    );
}

/// Head and payload of both, line by line. `patience` bounds the time; what is left then counts as changed.
pub(super) fn compare(a: &Record, b: &Record, ignore: bool, patience: Duration) -> Vec<Line> {
    let (a, b) = (layout(a, ignore), layout(b, ignore));
    let diff = TextDiff::configure().timeout(patience).diff_lines(&a, &b);
    diff.iter_all_changes()
        .map(|change| Line { tag: change.tag(), text: change.value().trim_end_matches('\n').to_owned() })
        .collect()
}

/// A record as lines.
fn layout(record: &Record, ignore: bool) -> String {
    let mut out = String::new();
    for part in [record.head.as_str(), &String::from_utf8_lossy(&record.body)] {
        if part.is_empty() {
            continue;
        }
        match parse(part, &mut |_| true) {
            Ok(tree) => {
                let change = |tree: &Tree, text: &str, node: &Node| {
                    (ignore && is_volatile(tree, text, node)).then(|| "…".to_owned())
                };
                out.push_str(&tree.pretty(part, &change));
            }
            Err(_) => out.push_str(part),
        }
        out.push('\n');
    }
    out
}

/// True for what differs from one message to the next without meaning: ids and times, by key and by look.
fn is_volatile(tree: &Tree, text: &str, node: &Node) -> bool {
    let raw = Tree::raw(text, &node.span);
    let key = owner_key(tree, text, node).to_lowercase();
    let by_key = ["id", "ids", "time", "date", "timestamp", "_us", "token", "nonce", "etag", "expires"]
        .iter()
        .any(|end| key.ends_with(end))
        || matches!(key.as_str(), "exp" | "iat" | "nbf" | "age" | "seq");
    if by_key {
        return matches!(node.kind, JsonKind::String | JsonKind::Number);
    }
    if node.kind != JsonKind::String {
        return false;
    }
    let value = unquote(raw);
    uuid::Uuid::try_parse(&value).is_ok() || value.parse::<jiff::Timestamp>().is_ok()
}

/// The key of a value, or of the list that it stands in. Headers are pairs in a list: there the name is the key.
fn owner_key(tree: &Tree, text: &str, node: &Node) -> String {
    if node.index == 1
        && let Some(pair) = node.parent.map(|n| &tree.nodes[n as usize])
        && pair.kind == JsonKind::Array
        && pair.children == 2
        && let Some(name) = pair.parent.and(tree.nodes.iter().rfind(|n| n.span.end < node.span.start))
        && name.kind == JsonKind::String
        && name.parent == node.parent
    {
        return unquote(Tree::raw(text, &name.span)).into_owned();
    }
    let mut at = Some(node);
    while let Some(node) = at {
        if let Some(key) = &node.key {
            return unquote(Tree::raw(text, key)).into_owned();
        }
        at = node.parent.map(|n| &tree.nodes[n as usize]);
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, Draft, Now, SessionId};

    fn record(body: &str) -> Record {
        let draft = Draft::new(Now::default(), SessionId(1), crate::model::Kind::Text, Direction::Received);
        Record { seq: 1, draft: draft.body(body.to_owned()) }
    }

    fn changed(a: &str, b: &str, ignore: bool) -> Vec<String> {
        compare(&record(a), &record(b), ignore, Duration::from_secs(5))
            .into_iter()
            .filter(|l| l.tag != ChangeTag::Equal)
            .map(|l| l.text)
            .collect()
    }

    #[test]
    fn only_what_matters_differs() {
        let a = r#"{"id":"1","time":"2026-01-06T13:26:15.174Z","body":{"text":"hi","n":1}}"#;
        let b = r#"{"id":"2","time":"2026-01-06T13:26:19.174Z","body":{"text":"ho","n":1}}"#;
        assert_eq!(changed(a, b, true), [r#"    "text": "hi","#, r#"    "text": "ho","#]);
        assert_eq!(changed(a, b, false).len(), 6);
        assert!(changed(a, a, false).is_empty());
    }

    #[test]
    fn ids_are_known_by_their_look_too() {
        let a = r#"["6a8b2c1e-0d3f-4e57-8b9a-1c2d3e4f5a6b",["Date","x"],["Accept","y"]]"#;
        let b = r#"["7a8b2c1e-0d3f-4e57-8b9a-1c2d3e4f5a6b",["Date","z"],["Accept","w"]]"#;
        assert_eq!(changed(a, b, true), [r#"    "y""#, r#"    "w""#]);
    }

    #[test]
    fn what_is_not_json_is_compared_as_text() {
        assert_eq!(changed("a\nb", "a\nc", true), ["b", "c"]);
    }
}
