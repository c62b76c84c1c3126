//! Tokens as egui's style, so that stock widgets look like ours.

use egui::epaint::Shadow;
use egui::style::{ScrollStyle, Selection, TextCursorStyle, WidgetVisuals, Widgets};
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, Style, TextStyle, Visuals, vec2};

use super::fonts::strong;
use super::tokens::{Tokens, radius, size, space};

pub(super) fn style(t: &Tokens) -> Style {
    let mut style = Style { visuals: visuals(t), ..Style::default() };
    style.text_styles = [
        (TextStyle::Small, FontId::new(size::SMALL, FontFamily::Proportional)),
        (TextStyle::Body, FontId::new(size::BODY, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(size::BODY, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(size::TITLE, strong())),
        (TextStyle::Monospace, FontId::new(size::DATA, FontFamily::Monospace)),
    ]
    .into();
    style.animation_time = 0.08;
    style.explanation_tooltips = false;
    style.spacing.item_spacing = vec2(space::NORMAL, space::TIGHT);
    style.spacing.button_padding = vec2(space::NORMAL, 3.0);
    style.spacing.interact_size = vec2(32.0, space::CONTROL);
    style.spacing.window_margin = Margin::same(14);
    style.spacing.menu_margin = Margin::same(6);
    style.spacing.indent = space::ROOM;
    style.spacing.icon_width = 15.0;
    style.spacing.icon_width_inner = 9.0;
    style.spacing.icon_spacing = space::SMALL;
    style.spacing.tooltip_width = 420.0;
    style.spacing.scroll =
        ScrollStyle { bar_width: 10.0, floating_width: 6.0, floating_allocated_width: 8.0, ..ScrollStyle::floating() };
    style.spacing.scroll.dormant_handle_opacity = 0.5;
    style.spacing.scroll.foreground_color = true;
    style.interaction.tooltip_delay = 0.35;
    style
}

fn visuals(t: &Tokens) -> Visuals {
    let base = if t.dark { Visuals::dark() } else { Visuals::light() };
    let shadow = |blur| Shadow { offset: [0, 4], blur, spread: 0, color: t.shadow };
    Visuals {
        override_text_color: None,
        weak_text_color: Some(t.text.weak),
        widgets: widgets(t),
        // Also the edge of a text field that has the keyboard.
        selection: Selection { bg_fill: t.surface.selected, stroke: Stroke::new(2.0, t.accent) },
        hyperlink_color: t.accent,
        faint_bg_color: t.surface.stripe,
        extreme_bg_color: t.surface.sunken,
        text_edit_bg_color: Some(t.surface.sunken),
        code_bg_color: t.surface.raised,
        warn_fg_color: t.amber.ink,
        error_fg_color: t.red.ink,
        window_corner_radius: CornerRadius::same(radius::LARGE),
        window_shadow: shadow(24),
        window_fill: t.surface.overlay,
        window_stroke: Stroke::new(1.0, t.line.normal),
        menu_corner_radius: CornerRadius::same(radius::NORMAL),
        panel_fill: t.surface.ground,
        popup_shadow: shadow(14),
        text_cursor: TextCursorStyle { stroke: Stroke::new(2.0, t.accent), ..TextCursorStyle::default() },
        disabled_alpha: 0.6,
        ..base
    }
}

fn widgets(t: &Tokens) -> Widgets {
    let make = |fill: Color32, edge: Stroke, ink: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: edge,
        corner_radius: CornerRadius::same(radius::NORMAL),
        fg_stroke: Stroke::new(1.0, ink),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: make(t.surface.ground, Stroke::new(1.0, t.line.faint), t.text.normal),
        inactive: make(t.surface.raised, Stroke::new(1.0, t.line.normal), t.text.normal),
        hovered: make(t.surface.hover, Stroke::new(1.0, t.line.strong), t.text.strong),
        // Also what has the keyboard: the edge is the focus ring.
        active: make(t.surface.hover, Stroke::new(2.0, t.focus), t.text.strong),
        open: make(t.surface.hover, Stroke::new(1.0, t.line.strong), t.text.strong),
    }
}
