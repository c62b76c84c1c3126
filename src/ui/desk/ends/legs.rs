//! How long each leg took: its figures, and each message over time.

use std::sync::Arc;
use std::time::Duration;

use egui::{Color32, RichText, Sense, Ui, vec2};

use crate::projection::Pair;
use crate::projection::ends::{Leg, Legs};
use crate::ui::format;
use crate::ui::plot::{self, Mark, Series};
use crate::ui::theme::{Tokens, font, space, tokens};

/// Points of one leg, the newest.
const POINTS: usize = 1_000;
/// Longer texts are cut under the pointer.
const WORDS: usize = 60;

/// The legs of a pair, ready to paint.
#[derive(Default)]
pub(super) struct LegFigures {
    rows: Vec<(Leg, String)>,
    series: Vec<Series>,
    /// What a screen reader says of the plot.
    spoken: String,
}

impl LegFigures {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Each leg has a shape of its own.
fn mark(leg: Leg) -> Mark {
    match leg {
        Leg::GuestEcho => Mark::Circle,
        Leg::ToAgent => Mark::Square,
        Leg::Text => Mark::Plus,
        Leg::AgentTaken => Mark::Triangle,
        Leg::ToGuest => Mark::Diamond,
    }
}

fn ink(leg: Leg) -> fn(&Tokens) -> Color32 {
    match leg {
        Leg::GuestEcho | Leg::ToAgent | Leg::Text => |t| t.guest.ink,
        Leg::AgentTaken | Leg::ToGuest => |t| t.agent.ink,
    }
}

/// Those of which something is known. Points are at most so many of the newest; the figures are over all.
pub(super) fn figures(pair: &Pair) -> LegFigures {
    let mut all = LegFigures::default();
    for leg in Leg::ALL {
        let Some(l) = Legs::of(&pair.journeys, leg) else { continue };
        let span = |d: Duration| format::span(d.as_micros() as u64);
        all.rows.push((leg, format!("p50 {}  p95 {}  max {}  n {}", span(l.p50), span(l.p95), span(l.max), l.count)));
        let mut series = Series::new(leg.title(), mark(leg), 3.5, ink(leg));
        let known = pair.journeys.iter().filter_map(|j| Some((j, j.leg(leg)?, j.begin()?)));
        for (j, took, begin) in known.skip(l.count.saturating_sub(POINTS)) {
            let said: String = j.text().map_or("", |t| t).chars().take(WORDS).collect();
            let about: Arc<str> = format!("{}\n{}", leg.title(), format::shown(&said)).into();
            series.add(begin.at.wall, took.as_micros() as u64, about);
        }
        all.series.push(series);
    }
    let spoken: Vec<String> = all.rows.iter().map(|(leg, text)| format!("{}: {text}", leg.title())).collect();
    all.spoken = format!("Latency per leg over time. {}", spoken.join("; "));
    all
}

pub(super) fn paint(ui: &mut Ui, legs: &LegFigures, utc: bool) {
    let t = tokens(ui);
    egui::Grid::new("legs").num_columns(3).spacing(vec2(space::NORMAL, space::HAIR)).show(ui, |ui| {
        for (leg, text) in &legs.rows {
            let (rect, _) = ui.allocate_exact_size(vec2(12.0, 14.0), Sense::hover());
            mark(*leg).paint(ui.painter(), rect.center(), 4.0, ink(*leg)(t));
            ui.label(RichText::new(leg.title()).small().color(t.text.normal));
            ui.label(RichText::new(text).font(font::small_data()).color(t.text.strong));
            ui.end_row();
        }
    });
    plot::paint(ui, &legs.series, &legs.spoken, utc);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_leg_has_a_shape_and_a_name_of_its_own() {
        let marks: HashSet<Mark> = Leg::ALL.into_iter().map(mark).collect();
        let names: HashSet<&str> = Leg::ALL.into_iter().map(Leg::title).collect();
        assert_eq!((marks.len(), names.len()), (Leg::ALL.len(), Leg::ALL.len()));
    }
}
