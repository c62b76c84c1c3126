//! Simple icons painted as shapes, so that they look alike on every system and never turn into empty boxes.

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2, pos2, vec2};

/// A picture of one idea. It is always shown with a word, a tooltip or an accessible name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icon {
    ArrowUp,
    ArrowDown,
    ArrowLeft,
    ArrowRight,
    ChevronDown,
    ChevronRight,
    ChevronUp,
    Dot,
    Ring,
    Square,
    Diamond,
    Play,
    Pause,
    Stop,
    Search,
    Filter,
    Gear,
    Sun,
    Moon,
    System,
    Plus,
    Minus,
    Cross,
    Check,
    Warning,
    Info,
    Clip,
    Copy,
    Flag,
    Note,
    Eye,
    Lock,
    Refresh,
    Trash,
    Folder,
    Save,
    Send,
    More,
    Columns,
    Clock,
    Mute,
    Plug,
    Unplug,
    Bubble,
    Scissors,
    Question,
}

impl Icon {
    pub const ALL: [Self; 46] = [
        Self::ArrowUp,
        Self::ArrowDown,
        Self::ArrowLeft,
        Self::ArrowRight,
        Self::ChevronDown,
        Self::ChevronRight,
        Self::ChevronUp,
        Self::Dot,
        Self::Ring,
        Self::Square,
        Self::Diamond,
        Self::Play,
        Self::Pause,
        Self::Stop,
        Self::Search,
        Self::Filter,
        Self::Gear,
        Self::Sun,
        Self::Moon,
        Self::System,
        Self::Plus,
        Self::Minus,
        Self::Cross,
        Self::Check,
        Self::Warning,
        Self::Info,
        Self::Clip,
        Self::Copy,
        Self::Flag,
        Self::Note,
        Self::Eye,
        Self::Lock,
        Self::Refresh,
        Self::Trash,
        Self::Folder,
        Self::Save,
        Self::Send,
        Self::More,
        Self::Columns,
        Self::Clock,
        Self::Mute,
        Self::Plug,
        Self::Unplug,
        Self::Bubble,
        Self::Scissors,
        Self::Question,
    ];

    /// Paints it as large as fits into `rect`, in the middle.
    pub fn paint(self, painter: &Painter, rect: Rect, color: Color32) {
        let side = rect.width().min(rect.height());
        let pen = Pen { painter, origin: rect.center() - Vec2::splat(side / 2.0), unit: side / 16.0, color };
        pen.draw(self);
    }
}

/// Draws on a grid of 16 by 16.
struct Pen<'a> {
    painter: &'a Painter,
    origin: Pos2,
    unit: f32,
    color: Color32,
}

impl Pen<'_> {
    fn at(&self, (x, y): (f32, f32)) -> Pos2 {
        self.origin + vec2(x, y) * self.unit
    }

    fn stroke(&self) -> Stroke {
        Stroke::new((self.unit * 1.5).max(1.0), self.color)
    }

    fn line(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|p| self.at(*p)).collect();
        self.painter.add(Shape::line(points, self.stroke()));
    }

    fn closed(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|p| self.at(*p)).collect();
        self.painter.add(Shape::closed_line(points, self.stroke()));
    }

    fn solid(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|p| self.at(*p)).collect();
        self.painter.add(Shape::convex_polygon(points, self.color, Stroke::NONE));
    }

    fn dot(&self, center: (f32, f32), r: f32) {
        self.painter.circle_filled(self.at(center), r * self.unit, self.color);
    }

    fn ring(&self, center: (f32, f32), r: f32) {
        self.painter.circle_stroke(self.at(center), r * self.unit, self.stroke());
    }

    /// Angles in turns, clockwise from the top.
    fn arc(&self, center: (f32, f32), r: f32, from: f32, to: f32) {
        let c = self.at(center);
        self.painter.add(Shape::line(arc_points(c, r * self.unit, from, to), self.stroke()));
    }

    fn frame(&self, (left, top): (f32, f32), (right, bottom): (f32, f32)) {
        self.closed(&[(left, top), (right, top), (right, bottom), (left, bottom)]);
    }

    fn draw(&self, icon: Icon) {
        match icon {
            Icon::ArrowUp => self.arrow((8.0, 13.5), (8.0, 2.5)),
            Icon::ArrowDown => self.arrow((8.0, 2.5), (8.0, 13.5)),
            Icon::ArrowLeft => self.arrow((13.5, 8.0), (2.5, 8.0)),
            Icon::ArrowRight => self.arrow((2.5, 8.0), (13.5, 8.0)),
            Icon::ChevronDown => self.line(&[(4.0, 6.0), (8.0, 10.0), (12.0, 6.0)]),
            Icon::ChevronRight => self.line(&[(6.0, 4.0), (10.0, 8.0), (6.0, 12.0)]),
            Icon::ChevronUp => self.line(&[(4.0, 10.0), (8.0, 6.0), (12.0, 10.0)]),
            Icon::Dot => self.dot((8.0, 8.0), 4.0),
            Icon::Ring => self.ring((8.0, 8.0), 4.5),
            Icon::Square => self.frame((4.0, 4.0), (12.0, 12.0)),
            Icon::Diamond => self.closed(&[(8.0, 2.5), (13.5, 8.0), (8.0, 13.5), (2.5, 8.0)]),
            Icon::Play => self.solid(&[(5.0, 3.0), (13.0, 8.0), (5.0, 13.0)]),
            Icon::Pause => {
                self.solid(&[(4.0, 3.0), (6.8, 3.0), (6.8, 13.0), (4.0, 13.0)]);
                self.solid(&[(9.2, 3.0), (12.0, 3.0), (12.0, 13.0), (9.2, 13.0)]);
            }
            Icon::Stop => self.solid(&[(4.0, 4.0), (12.0, 4.0), (12.0, 12.0), (4.0, 12.0)]),
            Icon::Search => {
                self.ring((7.0, 7.0), 4.5);
                self.line(&[(10.4, 10.4), (14.0, 14.0)]);
            }
            Icon::Filter => self.closed(&[(2.0, 3.0), (14.0, 3.0), (9.5, 8.5), (9.5, 13.5), (6.5, 12.0), (6.5, 8.5)]),
            Icon::Gear => self.gear(),
            Icon::Sun => self.sun(),
            Icon::Moon => self.moon(),
            Icon::System => {
                self.frame((2.0, 3.0), (14.0, 11.0));
                self.line(&[(5.0, 13.8), (11.0, 13.8)]);
            }
            Icon::Plus => {
                self.line(&[(8.0, 3.0), (8.0, 13.0)]);
                self.line(&[(3.0, 8.0), (13.0, 8.0)]);
            }
            Icon::Minus => self.line(&[(3.0, 8.0), (13.0, 8.0)]),
            Icon::Cross => {
                self.line(&[(4.0, 4.0), (12.0, 12.0)]);
                self.line(&[(12.0, 4.0), (4.0, 12.0)]);
            }
            Icon::Check => self.line(&[(3.0, 8.5), (6.5, 12.0), (13.0, 4.5)]),
            Icon::Warning => {
                self.closed(&[(8.0, 2.0), (14.8, 13.5), (1.2, 13.5)]);
                self.line(&[(8.0, 6.3), (8.0, 9.6)]);
                self.dot((8.0, 11.5), 0.9);
            }
            Icon::Info => {
                self.ring((8.0, 8.0), 6.0);
                self.line(&[(8.0, 7.5), (8.0, 11.3)]);
                self.dot((8.0, 5.1), 0.95);
            }
            Icon::Question => {
                self.ring((8.0, 8.0), 6.0);
                self.arc((8.0, 6.6), 1.9, -0.25, 0.42);
                self.line(&[(8.0, 8.4), (8.0, 9.4)]);
                self.dot((8.0, 11.4), 0.9);
            }
            Icon::Clip => self.clip(),
            Icon::Copy => {
                self.frame((5.5, 5.5), (13.5, 13.5));
                self.line(&[(3.8, 10.5), (2.5, 10.5), (2.5, 2.5), (10.5, 2.5), (10.5, 3.8)]);
            }
            Icon::Flag => {
                self.line(&[(4.0, 14.0), (4.0, 2.5)]);
                self.solid(&[(4.0, 2.5), (13.0, 5.5), (4.0, 8.7)]);
            }
            Icon::Note => {
                self.closed(&[(3.0, 2.5), (13.0, 2.5), (13.0, 10.0), (9.5, 13.5), (3.0, 13.5)]);
                self.line(&[(5.5, 6.0), (10.5, 6.0)]);
                self.line(&[(5.5, 9.0), (8.5, 9.0)]);
            }
            Icon::Eye => self.eye(),
            Icon::Lock => {
                self.frame((3.5, 7.0), (12.5, 13.5));
                self.line(&[(5.5, 7.0), (5.5, 5.0)]);
                self.line(&[(10.5, 7.0), (10.5, 5.0)]);
                self.arc((8.0, 5.0), 2.5, -0.25, 0.25);
            }
            Icon::Refresh => {
                self.arc((8.0, 8.0), 5.2, 0.08, 0.86);
                self.solid(&[(6.6, 0.6), (10.9, 3.2), (6.9, 5.9)]);
            }
            Icon::Trash => {
                self.line(&[(2.5, 4.5), (13.5, 4.5)]);
                self.line(&[(6.0, 4.2), (6.0, 2.5), (10.0, 2.5), (10.0, 4.2)]);
                self.line(&[(4.0, 4.5), (4.7, 13.5), (11.3, 13.5), (12.0, 4.5)]);
            }
            Icon::Folder => self.closed(&[(2.0, 3.5), (6.5, 3.5), (8.0, 5.3), (14.0, 5.3), (14.0, 12.8), (2.0, 12.8)]),
            Icon::Save => {
                self.arrow((8.0, 2.0), (8.0, 9.5));
                self.line(&[(2.5, 10.5), (2.5, 13.5), (13.5, 13.5), (13.5, 10.5)]);
            }
            Icon::Send => {
                self.closed(&[(2.0, 2.8), (14.0, 8.0), (2.0, 13.2), (4.2, 8.0)]);
                self.line(&[(4.2, 8.0), (9.0, 8.0)]);
            }
            Icon::More => [3.0, 8.0, 13.0].into_iter().for_each(|x| self.dot((x, 8.0), 1.4)),
            Icon::Columns => {
                self.frame((2.0, 3.0), (14.0, 13.0));
                self.line(&[(6.0, 3.0), (6.0, 13.0)]);
                self.line(&[(10.0, 3.0), (10.0, 13.0)]);
            }
            Icon::Clock => {
                self.ring((8.0, 8.0), 6.0);
                self.line(&[(8.0, 4.5), (8.0, 8.0), (10.5, 9.8)]);
            }
            Icon::Mute => {
                self.closed(&[(2.5, 6.0), (5.0, 6.0), (8.5, 3.0), (8.5, 13.0), (5.0, 10.0), (2.5, 10.0)]);
                self.line(&[(10.5, 6.0), (14.5, 10.0)]);
                self.line(&[(14.5, 6.0), (10.5, 10.0)]);
            }
            Icon::Plug => {
                self.line(&[(1.5, 8.0), (5.0, 8.0)]);
                self.line(&[(11.0, 8.0), (14.5, 8.0)]);
                self.frame((5.0, 5.0), (11.0, 11.0));
            }
            Icon::Unplug => {
                self.line(&[(1.5, 8.0), (5.0, 8.0)]);
                self.line(&[(11.0, 8.0), (14.5, 8.0)]);
                self.line(&[(5.0, 4.5), (5.0, 11.5)]);
                self.line(&[(11.0, 4.5), (11.0, 11.5)]);
            }
            Icon::Bubble => {
                self.closed(&[
                    (2.0, 3.0),
                    (14.0, 3.0),
                    (14.0, 11.0),
                    (8.0, 11.0),
                    (4.8, 13.8),
                    (4.8, 11.0),
                    (2.0, 11.0),
                ]);
            }
            Icon::Scissors => {
                self.ring((4.0, 11.5), 2.0);
                self.ring((12.0, 11.5), 2.0);
                self.line(&[(5.2, 9.8), (11.5, 2.0)]);
                self.line(&[(10.8, 9.8), (4.5, 2.0)]);
            }
        }
    }

    fn arrow(&self, tail: (f32, f32), head: (f32, f32)) {
        let (tail, head) = (self.at(tail), self.at(head));
        let along = (head - tail).normalized();
        let side = along.rot90();
        let wing = 4.2 * self.unit;
        self.painter.line_segment([tail, head], self.stroke());
        let wings = vec![head - along * wing + side * wing, head, head - along * wing - side * wing];
        self.painter.add(Shape::line(wings, self.stroke()));
    }

    fn gear(&self) {
        self.ring((8.0, 8.0), 4.2);
        self.dot((8.0, 8.0), 1.4);
        for k in 0..8 {
            let (sin, cos) = (k as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
            self.line(&[(8.0 + 4.6 * cos, 8.0 + 4.6 * sin), (8.0 + 6.8 * cos, 8.0 + 6.8 * sin)]);
        }
    }

    fn sun(&self) {
        self.ring((8.0, 8.0), 3.0);
        for k in 0..8 {
            let (sin, cos) = (k as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
            self.line(&[(8.0 + 5.2 * cos, 8.0 + 5.2 * sin), (8.0 + 7.0 * cos, 8.0 + 7.0 * sin)]);
        }
    }

    fn moon(&self) {
        // A circle less another: the arcs end where the two cross. Joined into one line, the sharp ends would grow
        // spikes.
        self.arc((7.6, 8.4), 5.6, 0.284, 0.966);
        self.arc((10.4, 5.6), 4.8, 0.406, 0.844);
    }

    fn clip(&self) {
        let mut points = vec![self.at((11.5, 6.0)), self.at((11.5, 10.5))];
        points.extend(arc_points(self.at((8.0, 10.5)), 3.5 * self.unit, 0.25, 0.75));
        points.extend(arc_points(self.at((6.9, 4.7)), 2.4 * self.unit, -0.25, 0.25));
        points.extend(arc_points(self.at((8.0, 10.0)), 1.3 * self.unit, 0.25, 0.75));
        points.push(self.at((6.7, 6.0)));
        self.painter.add(Shape::line(points, self.stroke()));
    }

    fn eye(&self) {
        let mut points = arc_points(self.at((8.0, 12.0)), 8.0 * self.unit, -0.145, 0.145);
        points.extend(arc_points(self.at((8.0, 4.0)), 8.0 * self.unit, 0.355, 0.645));
        self.painter.add(Shape::closed_line(points, self.stroke()));
        self.dot((8.0, 8.0), 2.0);
    }
}

/// Points of an arc; angles in turns, clockwise from the top.
pub(super) fn arc_points(center: Pos2, r: f32, from: f32, to: f32) -> Vec<Pos2> {
    let steps = (((to - from).abs() * 40.0).ceil() as usize).max(2);
    (0..=steps)
        .map(|k| {
            let turn = from + (to - from) * k as f32 / steps as f32;
            let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
            pos2(center.x + r * sin, center.y - r * cos)
        })
        .collect()
}
