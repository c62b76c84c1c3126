//! A list of any number of rows of one height, of which only the visible ones exist.

use egui::{EventFilter, Key, Modifiers, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::scroller::{BAR, Extent, Scroller};

/// Shows a list in what is left of `ui`; `add` paints one row. It scrolls by wheel, bar and, while it has the
/// keyboard, by arrows, Page, Home and End.
pub fn row_list(
    ui: &mut Ui,
    scroller: &mut Scroller,
    name: &str,
    role: Role,
    rows: u64,
    row_height: f32,
    mut add: impl FnMut(&mut Ui, u64, Rect),
) {
    let (_, rect) = ui.allocate_space(ui.available_size());
    let body = Rect::from_min_max(rect.min, pos2(rect.right() - BAR, rect.bottom()));
    let extent = Extent { rows, row_height, view_height: body.height().max(1.0) };
    scroller.clamp(&extent);
    scroller.wheel(ui, body, &extent);
    let id = ui.scope_id().with(("rows", name));
    let builder = UiBuilder::new().scope_id(id).max_rect(body).sense(Sense::click()).accessibility_role(role);
    let list = ui.scope_builder(builder, |ui| {
        ui.set_clip_rect(ui.clip_rect().intersect(body));
        ui.set_min_size(body.size());
        if ui.memory(|m| m.has_focus(id)) {
            keys(ui, id, scroller, &extent);
        }
        for row in scroller.visible(&extent) {
            let top = body.top() + scroller.y(row, &extent);
            add(ui, row, Rect::from_min_size(pos2(body.left(), top), vec2(body.width(), row_height)));
        }
    });
    list.response.widget_info(|| WidgetInfo::labeled(role, true, name));
    ui.ctx().accesskit_node_builder(id, |node| node.set_size_of_set(rows as usize));
    if list.response.clicked() {
        list.response.request_focus();
    }
    let bar = Rect::from_min_max(pos2(body.right(), rect.top()), rect.max);
    if scroller.bar(ui, bar, &format!("Scroll {name}"), &extent) {
        ui.ctx().request_repaint();
    }
}

fn keys(ui: &Ui, id: egui::Id, scroller: &mut Scroller, extent: &Extent) {
    ui.memory_mut(|m| {
        m.set_focus_lock_filter(id, EventFilter { vertical_arrows: true, ..EventFilter::default() });
    });
    let page = extent.page().saturating_sub(1).max(1) as f32 * extent.row_height;
    let all = (extent.rows + 2) as f32 * extent.row_height;
    let steps = [
        (Key::ArrowDown, extent.row_height),
        (Key::ArrowUp, -extent.row_height),
        (Key::PageDown, page),
        (Key::PageUp, -page),
        (Key::Home, -all),
        (Key::End, all),
    ];
    for (key, by) in steps {
        let times = ui.input_mut(|i| i.count_and_consume_key(Modifiers::NONE, key));
        for _ in 0..times {
            scroller.scroll_by(by, extent);
        }
    }
}
