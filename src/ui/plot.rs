//! Latencies over time, as points of one or several series. Series differ by their shape; colour only helps.

use std::sync::Arc;

use egui::{Color32, Painter, Pos2, Role, Shape, Stroke, Ui, UiBuilder, vec2};
use egui_plot::{GridInput, GridMark, HoverPosition, MarkerShape, Plot, PlotPoint, PlotPoints, Points};

use crate::model::Wall;
use crate::ui::format;
use crate::ui::theme::{Tokens, tokens};

const HEIGHT: f32 = 150.0;
/// Width of the figures at the left.
const VALUES: f32 = 46.0;
/// About the width of a letter of the times below.
const LETTER: f64 = 7.0;

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    Circle,
    Square,
    Diamond,
    Triangle,
    Plus,
    Cross,
}

impl Mark {
    fn shape(self) -> MarkerShape {
        match self {
            Self::Circle => MarkerShape::Circle,
            Self::Square => MarkerShape::Square,
            Self::Diamond => MarkerShape::Diamond,
            Self::Triangle => MarkerShape::Up,
            Self::Plus => MarkerShape::Plus,
            Self::Cross => MarkerShape::Cross,
        }
    }

    /// For a legend beside the plot.
    pub fn paint(self, painter: &Painter, at: Pos2, radius: f32, ink: Color32) {
        let line = |a: egui::Vec2| {
            painter.line_segment([at - a * radius, at + a * radius], Stroke::new(1.5, ink));
        };
        let filled = |corners: &[(f32, f32)]| {
            let points = corners.iter().map(|(x, y)| at + vec2(*x, *y) * radius).collect();
            painter.add(Shape::convex_polygon(points, ink, Stroke::NONE));
        };
        match self {
            Self::Circle => _ = painter.circle_filled(at, radius, ink),
            Self::Square => filled(&[(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]),
            Self::Diamond => filled(&[(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]),
            Self::Triangle => filled(&[(0.0, -1.0), (0.9, 0.7), (-0.9, 0.7)]),
            Self::Plus => [vec2(1.0, 0.0), vec2(0.0, 1.0)].into_iter().for_each(line),
            Self::Cross => [vec2(0.8, 0.8), vec2(0.8, -0.8)].into_iter().for_each(line),
        }
    }
}

/// Points of one kind.
pub struct Series {
    /// Tells it from the others of its plot.
    pub name: &'static str,
    pub mark: Mark,
    pub radius: f32,
    pub ink: fn(&Tokens) -> Color32,
    /// Seconds since 1970, milliseconds.
    pub points: Vec<PlotPoint>,
    /// What is said of each point under the pointer, before its value and time.
    pub about: Vec<Arc<str>>,
}

impl Series {
    pub fn new(name: &'static str, mark: Mark, radius: f32, ink: fn(&Tokens) -> Color32) -> Self {
        Self { name, mark, radius, ink, points: Vec::new(), about: Vec::new() }
    }

    /// `at`: of this computer's clock.
    pub fn add(&mut self, at: Wall, micros: u64, about: Arc<str>) {
        self.points.push(PlotPoint::new(at.0 as f64 / 1e6, micros as f64 / 1e3));
        self.about.push(about);
    }
}

/// Paints them all. `spoken` is what a screen reader says of it.
pub fn paint(ui: &mut Ui, series: &[Series], spoken: &str, utc: bool) {
    let t = tokens(ui);
    let builder = UiBuilder::new().accessibility_role(Role::Image).accessibility_label(spoken);
    ui.scope_builder(builder, |ui| {
        let width = ui.available_width().max(160.0);
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
                    let of = series.iter().find(|s| s.name == *plot_name);
                    let about = of.and_then(|s| s.about.get(*index)).map_or("", |n| n);
                    let at = format::time_of_day(wall(position.x), utc);
                    Some(format!("{about}\n{} at {at}", format::span((position.y * 1e3) as u64)))
                }
                HoverPosition::Elsewhere { .. } => None,
            })
            .show(ui, |plot| {
                for s in series {
                    let points = Points::new(s.name, PlotPoints::Borrowed(&s.points)).color((s.ink)(t));
                    plot.points(points.radius(s.radius).shape(s.mark.shape()));
                }
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
