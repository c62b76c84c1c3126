//! Both ends of a conversation as two lanes on one timeline: each message once, with its two journeys.

mod legs;
mod odd;
mod rows;

use std::collections::HashMap;
use std::sync::Arc;

use egui::{Align2, Frame, Label, Panel, Rect, RichText, Role, ScrollArea, Sense, Ui, UiBuilder, Vec2, pos2, vec2};

use self::legs::LegFigures;
use self::rows::{Row, of_event, of_journey};
use crate::model::Mono;
use crate::model::happening::Side;
use crate::projection::Pair;
use crate::projection::ends::{Journey, Odd, Oddity};
use crate::ui::app::{Act, Acts, Scene};
use crate::ui::format;
use crate::ui::theme::{font, radius, space, tokens};
use crate::ui::widgets::{Icon, Tone, badge, disclosure, format as figures, icon_toggle, text_toggle};

const ROW: f32 = 40.0;
/// With less height than this, the sentence of the proof stands in a hint only.
const LOW: f32 = 230.0;

/// What is shown of a pair: where each thing stands is made anew when the pair changed or when time may have lost
/// something, a row when it comes into view or what it tells is another.
#[derive(Default)]
pub struct EndsPane {
    of: Option<Arc<Pair>>,
    /// Until which second the oddities are good.
    at: u64,
    /// By the time of their beginning.
    order: Vec<Item>,
    /// In the order of the journeys.
    odd: Vec<Oddity>,
    /// Places of what is odd, in the order.
    only: Vec<usize>,
    rows: HashMap<Item, Kept>,
    legs: LegFigures,
    proof: String,
    only_odd: bool,
    show_legs: bool,
    /// The message that was chosen, by its number: what is odd with it is told below.
    chosen: Option<u64>,
    told: Option<Kept>,
}

/// Something on the timeline, by its place in the pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Journey(usize),
    Event(usize),
}

/// A row that is in view, and what it was made of; an event never changes.
struct Kept {
    journey: Option<(Arc<Journey>, Vec<Odd>)>,
    row: Row,
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
        if !pair.journeys.is_empty() {
            let mut open = pane.show_legs;
            if disclosure(ui, "Latency per leg", &mut open) {
                pane.show_legs = open;
                pane.measure(pair);
            }
        }
    });
    if !low {
        ui.add(Label::new(RichText::new(&pane.proof).small().color(t.text.weak)).wrap());
    }
    if pane.show_legs && !pane.legs.is_empty() {
        legs::paint(ui, &pane.legs, scene.settings.utc);
    }
    if pair.older > 0 {
        let text = format!("{} older are not shown; the records have all", figures::count(pair.older));
        ui.label(RichText::new(text).small().color(t.text.weak));
    }
    pane.tell(pair);
    if let Some(Kept { row, .. }) = &pane.told {
        let frame = Frame::new().fill(t.surface.raised).corner_radius(radius::NORMAL).inner_margin(6);
        Panel::bottom(("odd", pair.guest.0, &pair.conversation))
            .frame(frame)
            .resizable(false)
            .show_separator_line(false)
            .max_size(ui.available_height() * 0.5)
            .show(ui, |ui| odd::paint(ui, row));
    }
    lanes_head(ui);
    timeline(ui, pane, pair, acts);
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

fn timeline(ui: &mut Ui, pane: &mut EndsPane, pair: &Pair, acts: &mut Acts) {
    let count = if pane.only_odd { pane.only.len() } else { pane.order.len() };
    let builder = UiBuilder::new().accessibility_role(Role::List).accessibility_label("Both ends");
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical()
            .id_salt(("ends", pair.guest.0, &pair.conversation))
            .auto_shrink([false, false])
            .stick_to_bottom(!pane.only_odd)
            .show_rows(ui, ROW, count, |ui, rows| {
                let mut before = std::mem::take(&mut pane.rows);
                for n in rows {
                    let n = if pane.only_odd { pane.only.get(n).copied().unwrap_or(0) } else { n };
                    let Some(item) = pane.order.get(n).copied() else { continue };
                    let Some(kept) = pane.row(pair, item, before.remove(&item)) else { continue };
                    let number = kept.journey.as_ref().map(|(j, _)| j.number);
                    let chosen = number.is_some() && number == pane.chosen;
                    if paint_row(ui, &kept.row, (n + 1, pane.order.len()), chosen) {
                        acts.push(Act::Select(kept.row.seqs.clone()));
                        pane.chosen = number.filter(|_| !chosen);
                    }
                    pane.rows.insert(item, kept);
                }
            });
    });
}

/// True where it was clicked.
fn paint_row(ui: &mut Ui, row: &Row, place: (usize, usize), chosen: bool) -> bool {
    let t = tokens(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(Role::ListItem, true, &row.label));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(place.0);
        node.set_size_of_set(place.1);
    });
    let clicked = response.clicked();
    let lanes = Lanes::of(rect);
    if chosen {
        ui.painter().rect_filled(rect, radius::NORMAL, t.surface.selected_quiet);
    } else if response.hovered() || response.has_focus() {
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
        return clicked;
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
    clicked
}

impl EndsPane {
    fn prepare(&mut self, pair: &Arc<Pair>, scene: &Scene<'_>) {
        let now = scene.shown_at.mono;
        let second = now.0 / 1_000_000;
        if self.at == second && self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, pair)) {
            return;
        }
        if self.at != second || self.legs.is_empty() {
            self.measure(pair);
        }
        self.of = Some(Arc::clone(pair));
        self.at = second;
        self.proof = format!("Joined because {}.", pair.proof.sentence());
        self.odd = pair.oddities(now);
        self.odd.sort_by_key(|o| o.journey);
        let journeys = pair.journeys.iter().enumerate().map(|(n, j)| {
            let at = j.begin().unwrap_or_default();
            ((at.at.mono, at.seq), Item::Journey(n))
        });
        let events = pair.events.iter().enumerate().map(|(n, e)| ((e.at.mono, e.seq), Item::Event(n)));
        let mut all: Vec<((Mono, u64), Item)> = journeys.chain(events).collect();
        all.sort_by_key(|(at, _)| *at);
        self.order.clear();
        self.order.extend(all.into_iter().map(|(_, item)| item));
        self.only.clear();
        for (place, item) in self.order.iter().enumerate() {
            if let Item::Journey(n) = item
                && pair.journeys.get(*n).is_some_and(|j| !odd_of(&self.odd, j.number).is_empty())
            {
                self.only.push(place);
            }
        }
    }

    /// The figures of all legs, where they are in view: they are sorted anew for it.
    fn measure(&mut self, pair: &Pair) {
        self.legs = if self.show_legs { legs::figures(pair) } else { LegFigures::default() };
    }

    /// What is odd with the message that was chosen.
    fn tell(&mut self, pair: &Pair) {
        let place = self.chosen.and_then(|number| pair.journeys.iter().rposition(|j| j.number == number));
        let before = self.told.take();
        self.told = place.and_then(|n| self.row(pair, Item::Journey(n), before)).filter(|k| k.row.odd.is_some());
    }

    /// The row of something in view, as it was where nothing of it has changed.
    fn row(&self, pair: &Pair, item: Item, before: Option<Kept>) -> Option<Kept> {
        match item {
            Item::Event(n) => {
                let made = || Some(Kept { journey: None, row: of_event(pair.events.get(n)?) });
                before.filter(|kept| kept.row.seqs == [pair.events.get(n).map_or(0, |e| e.seq)]).or_else(made)
            }
            Item::Journey(n) => {
                let journey = pair.journeys.get(n)?;
                let odd = odd_of(&self.odd, journey.number);
                let same = |kept: &Kept| {
                    kept.journey
                        .as_ref()
                        .is_some_and(|(of, was)| Arc::ptr_eq(of, journey) && was.iter().eq(odd.iter().map(|o| &o.odd)))
                };
                before.filter(same).or_else(|| {
                    let was = odd.iter().map(|o| o.odd.clone()).collect();
                    Some(Kept { journey: Some((Arc::clone(journey), was)), row: of_journey(journey, odd) })
                })
            }
        }
    }
}

/// Those of one journey, of all in the order of the journeys.
fn odd_of(all: &[Oddity], journey: u64) -> &[Oddity] {
    let from = all.partition_point(|o| o.journey < journey);
    let to = all.partition_point(|o| o.journey <= journey);
    all.get(from..to).unwrap_or_default()
}
