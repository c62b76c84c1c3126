//! Latencies over time.

use egui::{Role, Ui, UiBuilder};
use egui_plot::{GridInput, GridMark, HoverPosition, MarkerShape, Plot, PlotPoints, Points};

use super::figures::Laid;
use crate::model::Wall;
use crate::ui::format;
use crate::ui::theme::tokens;

const HEIGHT: f32 = 150.0;
/// Width of the figures at the left.
const VALUES: f32 = 46.0;
/// About the width of a letter of the times below.
const LETTER: f64 = 7.0;
const GOOD: &str = "good";
const FAILED: &str = "failed";

pub fn paint(ui: &mut Ui, laid: &Laid, utc: bool) {
    let t = tokens(ui);
    let builder = UiBuilder::new().accessibility_role(Role::Image).accessibility_label(laid.plot.as_str());
    ui.scope_builder(builder, |ui| {
        if laid.good.is_empty() && laid.bad.is_empty() {
            ui.label(egui::RichText::new("No latency was measured yet.").small().color(t.text.weak));
            return;
        }
        let width = ui.available_width().max(160.0);
        ui.add(egui::Label::new(laid.caption.clone()).selectable(false));
        Plot::new("latencies")
            .height(HEIGHT)
            .width(width)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .show_crosshair(false)
            .include_y(0.0)
            .grid_color(t.line.faint)
            .grid_fade(0.0)
            .y_axis_min_width(VALUES)
            .x_grid_spacer(|grid| marks(&grid, &SECONDS, (width / 80.0) as usize))
            .y_grid_spacer(|grid| marks(&grid, &MILLISECONDS, 5))
            .x_axis_formatter(|mark, range| {
                let text = time(mark.value, mark.step_size, utc);
                // It would be cut off at the edge.
                let half = text.len() as f64 * LETTER / 2.0 / f64::from(width - VALUES) * (range.end() - range.start());
                if mark.value + half <= *range.end() { text } else { String::new() }
            })
            .y_axis_formatter(|mark, _| if mark.value < 0.0 { String::new() } else { milliseconds(mark.value) })
            .label_formatter(|at| match at {
                HoverPosition::NearDataPoint { plot_name, position, index } => {
                    let names = &laid.names[usize::from(*plot_name == FAILED)];
                    let name = names.get(*index).map_or("", |n| n);
                    let at = format::time_of_day(wall(position.x), utc);
                    let failed = if *plot_name == FAILED { ", failed" } else { "" };
                    Some(format!("{name}{failed}\n{} at {at}", format::span((position.y * 1e3) as u64)))
                }
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                let good = Points::new(GOOD, PlotPoints::Borrowed(&laid.good)).color(t.accent).radius(2.5);
                let bad = Points::new(FAILED, PlotPoints::Borrowed(&laid.bad)).color(t.red.ink).radius(4.0);
                plot.points(good.shape(MarkerShape::Circle));
                plot.points(bad.shape(MarkerShape::Cross));
            });
    });
}

fn wall(seconds: f64) -> Wall {
    Wall((seconds * 1e6) as i64)
}

/// Distances between marks that people count in.
const SECONDS: [f64; 20] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0,
    43_200.0, 86_400.0, 604_800.0,
];
const MILLISECONDS: [f64; 18] = [
    0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 30_000.0,
    60_000.0, 600_000.0,
];

/// Marks at the least of these distances that makes no more than so many of them.
fn marks(grid: &GridInput, steps: &[f64], most: usize) -> Vec<GridMark> {
    let (from, to) = grid.bounds;
    let most = most.max(1);
    let fits = |step: &&f64| (to - from) / **step <= most as f64;
    let Some(step) = steps.iter().find(fits).or(steps.last()).copied() else { return Vec::new() };
    let first = (from / step).ceil();
    let mark = |n: usize| GridMark { value: (first + n as f64) * step, step_size: step };
    (0..=most).map(mark).take_while(|mark| mark.value <= to).collect()
}

/// Parts of seconds only where they tell marks apart.
fn time(at: f64, step: f64, utc: bool) -> String {
    let full = format::time_of_day(wall(at), utc);
    let length = if step < 1.0 { 12 } else { 8 };
    full.get(..length).unwrap_or(&full).to_owned()
}

fn milliseconds(value: f64) -> String {
    match value {
        0.0..1.0 if value > 0.0 => format!("{value:.1} ms"),
        ..1_000.0 => format!("{value:.0} ms"),
        _ => format!("{:.1} s", value / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_round_and_within_the_plot() {
        for (from, to) in [(0.0, 99.0), (1_767_705_975.1, 1_767_705_975.2), (0.0, 1e9), (-3.0, 7_000_000.0), (5.0, 5.0)]
        {
            for steps in [&SECONDS[..], &MILLISECONDS] {
                let all = marks(&GridInput { bounds: (from, to), base_step_size: 1.0 }, steps, 5);
                assert!(all.len() <= 6);
                assert!(all.iter().all(|m| m.value >= from && m.value <= to && steps.contains(&m.step_size)));
            }
        }
        let values: Vec<f64> = marks(&GridInput { bounds: (0.0, 99.0), base_step_size: 1.0 }, &MILLISECONDS, 5)
            .into_iter()
            .map(|m| m.value)
            .collect();
        assert_eq!(values, [0.0, 20.0, 40.0, 60.0, 80.0]);
    }
}
