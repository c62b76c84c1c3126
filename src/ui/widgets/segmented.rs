//! One of a few: a row of words, one of them down.

use egui::{CornerRadius, Role, Sense, StrokeKind, Ui, UiBuilder, WidgetInfo, vec2};

use crate::ui::theme::{font, radius, space, tokens};

/// Shows `options`; gives true when `value` changed. `name` is what a screen reader says.
pub fn segmented<T: Copy + PartialEq>(ui: &mut Ui, name: &str, value: &mut T, options: &[(T, &str)]) -> bool {
    show(ui, name, value, options, (Role::RadioGroup, Role::RadioButton))
}

/// The same as tabs of a pane.
pub fn tab_row<T: Copy + PartialEq>(ui: &mut Ui, name: &str, value: &mut T, tabs: &[(T, &str)]) -> bool {
    show(ui, name, value, tabs, (Role::TabList, Role::Tab))
}

fn show<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    options: &[(T, &str)],
    (group, role): (Role, Role),
) -> bool {
    let before = *value;
    let builder = UiBuilder::new().accessibility_role(group).accessibility_label(name);
    ui.scope_builder(builder, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, 2.0);
            for (n, (option, text)) in options.iter().enumerate() {
                let (first, last) = (n == 0, n + 1 == options.len());
                if segment(ui, text, *value == *option, (first, last), role) {
                    *value = *option;
                }
            }
        });
    });
    *value != before
}

fn segment(ui: &mut Ui, text: &str, on: bool, (first, last): (bool, bool), role: Role) -> bool {
    let t = tokens(ui);
    let galley = ui.painter().layout_no_wrap(text.to_owned(), font::body(), t.text.normal);
    let (rect, response) =
        ui.allocate_exact_size(vec2(galley.size().x + 2.0 * space::NORMAL, space::CONTROL), Sense::click());
    response.widget_info(|| WidgetInfo::selected(role, ui.is_enabled(), on, text));
    if role == Role::Tab {
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_selected(on));
    }
    if ui.is_rect_visible(rect) {
        let (left, right) = (if first { radius::NORMAL } else { 0 }, if last { radius::NORMAL } else { 0 });
        let corners = CornerRadius { nw: left, sw: left, ne: right, se: right };
        let (fill, edge, ink) = if on {
            (t.surface.selected, t.accent, t.text.strong)
        } else if response.hovered() {
            (t.surface.hover, t.line.normal, t.text.strong)
        } else {
            (t.surface.raised, t.line.normal, t.text.normal)
        };
        let painter = ui.painter();
        painter.rect(rect, corners, fill, (1.0, edge), StrokeKind::Inside);
        if response.has_focus() {
            painter.rect_stroke(rect, corners, (2.0, t.focus), StrokeKind::Inside);
        }
        painter.galley_with_override_text_color(rect.center() - galley.size() / 2.0, galley, ink);
    }
    response.clicked()
}
