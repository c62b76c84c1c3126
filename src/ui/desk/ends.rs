//! Both ends of a conversation as two lanes on one timeline: each message once, with its two journeys.

use std::sync::Arc;

use egui::{Align2, Label, Rect, RichText, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use crate::model::Mono;
use crate::model::happening::Side;
use crate::projection::Pair;
use crate::projection::ends::{Event, Journey, Leg, Legs, Oddity};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, disclosure, format as figures, icon_toggle, text_toggle};

const ROW: f32 = 40.0;
/// With less height than this, the sentence of the proof stands in a hint only.
const LOW: f32 = 230.0;

/// What is shown of a pair, made anew when it changed or when time may have lost something.
#[derive(Default)]
pub struct EndsPane {
    of: Option<Arc<Pair>>,
    /// Until which second the oddities are good.
    at: u64,
    rows: Vec<Row>,
    odd: Vec<(u64, String)>,
    legs: Vec<(Leg, String)>,
    proof: String,
    only_odd: bool,
    show_legs: bool,
}

struct Row {
    seqs: Vec<u64>,
    /// Left lane, right lane, what lies between, all ready to paint.
    guest: String,
    agent: String,
    between: String,
    /// The leg that follows at the other end.
    then: String,
    side: Option<Side>,
    odd: Option<(String, String)>,
    label: String,
    event: bool,
}

/// The switch; greyed out while the other end is not known.
pub fn toggle(ui: &mut Ui, on: &mut bool, known: bool) {
    let tip = match known {
        true => "Guest and agent of this conversation on one timeline",
        false => "The other end is not in this capture, or nothing joins the two yet",
    };
    let narrow = ui.available_width() < 300.0;
    ui.add_enabled_ui(known, |ui| match narrow {
        true => icon_toggle(ui, Icon::Columns, "Both ends", on),
        false => text_toggle(ui, Some(Icon::Columns), "Both ends", on),
    })
    .inner
    .on_hover_text(tip)
    .on_disabled_hover_text(tip);
}

/// At a guest's session: the way to both ends, where there is another.
pub fn offer(ui: &mut Ui, on: &mut bool, pair: &Pair, scene: &Scene<'_>) {
    ui.horizontal(|ui| {
        toggle(ui, on, true);
        let names: Vec<String> = pair
            .agents
            .iter()
            .filter_map(|id| scene.board.session(*id))
            .map(|v| scene.book.name(v).to_string())
            .collect();
        let t = tokens(ui);
        let text = format!("The other end is {}.", names.join(", "));
        ui.add(Label::new(RichText::new(format::shown(&text).as_ref()).small().color(t.text.weak)).truncate());
    });
}

pub fn paint(ui: &mut Ui, pane: &mut EndsPane, pair: &Arc<Pair>, scene: &Scene<'_>, acts: &mut Acts) {
    pane.prepare(pair, scene);
    let t = tokens(ui);
    let low = ui.available_height() < LOW;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::TIGHT, space::HAIR);
        let (icon, word, tone) = match pair.proof.is_certain() {
            true => (Icon::Check, "joined by ids", Tone::Ok),
            false => (Icon::Question, "joined by likeness", Tone::Amber),
        };
        badge(ui, Some(icon), word, tone).on_hover_text(&pane.proof);
        if let Some((_, guest, agent)) = &pair.proof.first {
            let link = ui.link(RichText::new("show the evidence").small());
            if link.on_hover_text(&pane.proof).clicked() {
                acts.push(Act::Select(vec![*agent, *guest]));
            }
        }
        if pane.odd.is_empty() {
            badge(ui, Some(Icon::Check), "nothing odd", Tone::Ok);
        } else {
            let text = format::plural(pane.odd.len() as u64, "oddity", "oddities");
            badge(ui, Some(Icon::Warning), &text, Tone::Amber);
            ui.checkbox(&mut pane.only_odd, "only these");
        }
        if !pane.legs.is_empty() {
            let mut open = pane.show_legs;
            if disclosure(ui, "Latency per leg", &mut open) {
                pane.show_legs = open;
            }
        }
    });
    if !low {
        ui.add(Label::new(RichText::new(&pane.proof).small().color(t.text.weak)).wrap());
    }
    if pane.show_legs && !pane.legs.is_empty() {
        legs(ui, &pane.legs);
    }
    if pair.older > 0 {
        let text = format!("{} older are not shown; the records have all", figures::count(pair.older));
        ui.label(RichText::new(text).small().color(t.text.weak));
    }
    lanes_head(ui);
    timeline(ui, pane, pair, acts);
}

fn legs(ui: &mut Ui, legs: &[(Leg, String)]) {
    let t = tokens(ui);
    egui::Grid::new("legs").num_columns(2).spacing(vec2(space::ROOM, space::HAIR)).show(ui, |ui| {
        for (leg, text) in legs {
            ui.label(RichText::new(leg.title()).small().color(t.text.normal));
            ui.label(RichText::new(text).font(font::small_data()).color(t.text.strong));
            ui.end_row();
        }
    });
}

fn lanes_head(ui: &mut Ui) {
    let t = tokens(ui);
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), 18.0));
    let lanes = Lanes::of(rect);
    for (range, text, align) in
        [(lanes.guest, "guest's end", Align2::LEFT_CENTER), (lanes.agent, "agent's end", Align2::LEFT_CENTER)]
    {
        let at = pos2(range.0 + space::SMALL, rect.center().y);
        ui.painter().text(at, align, text, font::small_strong(), t.text.weak);
    }
}

/// Where the lanes lie.
struct Lanes {
    guest: (f32, f32),
    middle: (f32, f32),
    agent: (f32, f32),
}

impl Lanes {
    fn of(rect: Rect) -> Self {
        let middle = (rect.width() * 0.2).clamp(64.0, 130.0);
        let lane = (rect.width() - middle) / 2.0;
        let (a, b) = (rect.left() + lane, rect.left() + lane + middle);
        Self { guest: (rect.left(), a), middle: (a, b), agent: (b, rect.right()) }
    }
}

fn timeline(ui: &mut Ui, pane: &EndsPane, pair: &Pair, acts: &mut Acts) {
    let shown: Vec<usize> = match pane.only_odd {
        true => (0..pane.rows.len()).filter(|n| pane.rows[*n].odd.is_some()).collect(),
        false => Vec::new(),
    };
    let count = if pane.only_odd { shown.len() } else { pane.rows.len() };
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Both ends");
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical()
            .id_salt(("ends", pair.guest.0, &pair.conversation))
            .auto_shrink([false, false])
            .stick_to_bottom(!pane.only_odd)
            .show_rows(ui, ROW, count, |ui, rows| {
                for n in rows {
                    let n = if pane.only_odd { shown.get(n).copied().unwrap_or(0) } else { n };
                    if let Some(row) = pane.rows.get(n) {
                        paint_row(ui, row, (n + 1, pane.rows.len()), acts);
                    }
                }
            });
    });
}

fn paint_row(ui: &mut Ui, row: &Row, place: (usize, usize), acts: &mut Acts) {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(Role::ListItem, true, &row.label));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
    if response.clicked() {
        acts.push(Act::Select(row.seqs.clone()));
    }
    let lanes = Lanes::of(rect);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, radius::NORMAL, t.surface.hover);
    }
    let cell = |ui: &mut Ui, (left, right): (f32, f32), salt: &str, fill: bool, text: RichText| {
        let place = Rect::from_min_max(pos2(left + 2.0, rect.top() + 3.0), pos2(right - 2.0, rect.bottom() - 3.0));
        if fill {
            let bubble = match row.side {
                Some(Side::Guest) => t.guest.bubble,
                Some(Side::Agent) => t.agent.bubble,
                Some(Side::Bot) => t.bot.bubble,
                _ => t.surface.raised,
            };
            ui.painter().rect_filled(place, radius::NORMAL, bubble);
        }
        let mut inner =
            ui.new_child(UiBuilder::new().id_salt((place.min.y as i32, salt)).max_rect(place.shrink2(vec2(6.0, 4.0))));
        inner.set_clip_rect(place.intersect(ui.clip_rect()));
        inner.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.add(Label::new(text).truncate().selectable(false));
        });
    };
    if row.event {
        let range = if row.guest.is_empty() { lanes.agent } else { lanes.guest };
        let text = if row.guest.is_empty() { &row.agent } else { &row.guest };
        cell(ui, range, "event", false, RichText::new(text).small().color(t.text.weak));
        return;
    }
    cell(ui, lanes.guest, "guest", !row.guest.is_empty(), RichText::new(&row.guest).color(t.text.normal));
    cell(ui, lanes.agent, "agent", !row.agent.is_empty(), RichText::new(&row.agent).color(t.text.normal));
    let middle = (lanes.middle.0 + lanes.middle.1) / 2.0;
    let icon = if row.side == Some(Side::Guest) { Icon::ArrowRight } else { Icon::ArrowLeft };
    let ink = if row.odd.is_some() { t.amber.ink } else { t.text.weak };
    let (above, below) = (rect.top() + 13.0, rect.bottom() - 11.0);
    let main = row.odd.as_ref().map_or(row.between.as_str(), |(word, _)| word.as_str());
    let text = ui.painter().text(pos2(middle + 7.0, above), Align2::CENTER_CENTER, main, font::small_data(), ink);
    let spot = pos2(text.left() - 9.0, above);
    icon.paint(ui.painter(), Rect::from_center_size(spot, Vec2::splat(11.0)), ink);
    ui.painter().text(pos2(middle, below), Align2::CENTER_CENTER, &row.then, font::small(), t.text.weak);
    if let Some((_, sentence)) = &row.odd {
        response.on_hover_text(sentence);
    } else {
        response.on_hover_text(&row.label);
    }
}

impl EndsPane {
    fn prepare(&mut self, pair: &Arc<Pair>, scene: &Scene<'_>) {
        let now = scene.shown_at.mono;
        let second = now.0 / 1_000_000;
        if self.at == second && self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, pair)) {
            return;
        }
        self.of = Some(Arc::clone(pair));
        self.at = second;
        self.proof = format!("Joined because {}.", pair.proof.sentence());
        let odd = pair.oddities(now);
        self.odd = odd.iter().map(|o| (o.journey, o.odd.sentence())).collect();
        self.legs = Leg::ALL
            .into_iter()
            .filter_map(|leg| Legs::of(&pair.journeys, leg))
            .map(|l| {
                let span = |d: std::time::Duration| figures::span(d.as_micros() as u64);
                (l.leg, format!("p50 {}  p95 {}  max {}  n {}", span(l.p50), span(l.p95), span(l.max), l.count))
            })
            .collect();
        let mut rows: Vec<(Mono, u64, Row)> = pair
            .journeys
            .iter()
            .map(|j| {
                let at = j.begin().unwrap_or_default();
                (at.at.mono, at.seq, of_journey(j, &odd))
            })
            .chain(pair.events.iter().map(|e| (e.at.mono, e.seq, of_event(e))))
            .collect();
        rows.sort_by_key(|(at, seq, _)| (*at, *seq));
        self.rows = rows.into_iter().map(|(.., row)| row).collect();
    }
}

fn of_journey(j: &Journey, odd: &[Oddity]) -> Row {
    let text = j.text().map_or("(no text yet)", |t| t);
    let shown = format::shown(text.lines().next().unwrap_or_default()).into_owned();
    let of_guest = j.is_of_guest();
    let at_guest = j.guest.is_some();
    let at_agent = j.agents.iter().any(|a| a.sent.is_some() || a.seen.is_some() || a.taken.is_some());
    let leg = |l: Leg| j.leg(l).map(|d| figures::span(d.as_micros() as u64));
    let (main, second) = if of_guest { (Leg::ToAgent, Leg::Text) } else { (Leg::ToGuest, Leg::AgentTaken) };
    let between = leg(main).unwrap_or_default();
    let word = if of_guest { "text" } else { "taken" };
    let then = leg(second).map(|took| format!("{word} {took}")).unwrap_or_default();
    let mine: Vec<&Oddity> = odd.iter().filter(|o| o.journey == j.number).collect();
    let odd = mine.first().map(|o| {
        let sentences: Vec<String> = mine.iter().map(|o| o.odd.sentence()).collect();
        (o.odd.word().to_owned(), sentences.join("\n"))
    });
    let legs: Vec<String> = [Leg::GuestEcho, main, second]
        .into_iter()
        .filter_map(|l| leg(l).map(|took| format!("{}: {took}", l.title())))
        .collect();
    let who = if of_guest { "guest" } else { "agent" };
    let strange = odd.as_ref().map(|(_, s)| format!(", {s}")).unwrap_or_default();
    let label = format!("{who}: {shown}{strange}\n{}", legs.join("\n"));
    let guest = j.guest.iter().flat_map(|g| [g.sent, g.seen]);
    let agents = j.agents.iter().flat_map(|a| [a.sent, a.taken, a.seen, a.fetched]);
    let mut seqs: Vec<u64> = guest.chain(agents).flatten().map(|m| m.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let lane = |there: bool, half: Option<&Arc<str>>| match there {
        true => {
            half.map_or_else(|| shown.clone(), |t| format::shown(t.lines().next().unwrap_or_default()).into_owned())
        }
        false => String::new(),
    };
    Row {
        seqs,
        guest: lane(at_guest, j.guest.as_ref().and_then(|g| g.text.as_ref())),
        agent: lane(at_agent, j.agents.iter().find_map(|a| a.text.as_ref())),
        between,
        then,
        side: j.side,
        odd,
        label,
        event: false,
    }
}

fn of_event(e: &Event) -> Row {
    let text = format::shown(&e.text).into_owned();
    Row {
        seqs: vec![e.seq],
        guest: if e.guest { text.clone() } else { String::new() },
        agent: if e.guest { String::new() } else { text.clone() },
        between: String::new(),
        then: String::new(),
        side: None,
        odd: None,
        label: text,
        event: true,
    }
}
