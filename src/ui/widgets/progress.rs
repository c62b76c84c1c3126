//! Long work: how far it is, and how to stop it.

use egui::{Role, Sense, Ui, WidgetInfo, vec2};

use super::button::icon_button;
use super::icons::Icon;
use crate::ui::theme::{font, space, tokens};

/// A bar with its name and figures. Gives true when it shall be cancelled.
///
/// `total` of zero means that the end is not known: the bar then shows figures only.
pub fn progress(ui: &mut Ui, what: &str, done: u64, total: u64) -> bool {
    let t = tokens(ui);
    let share = if total == 0 { 0.0 } else { (done as f64 / total as f64).clamp(0.0, 1.0) as f32 };
    ui.horizontal(|ui| {
        ui.label(what);
        let (rect, response) = ui.allocate_exact_size(vec2(140.0, 6.0), Sense::hover());
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, what);
            info.value = (total > 0).then_some(f64::from(share));
            info
        });
        let painter = ui.painter();
        painter.rect_filled(rect, 3, t.surface.hover);
        let mut filled = rect;
        filled.set_width(rect.width() * share);
        painter.rect_filled(filled, 3, t.accent);
        let figures = if total == 0 { super::format::count(done) } else { format!("{:.0} %", share * 100.0) };
        ui.label(egui::RichText::new(figures).font(font::small()).color(t.text.weak));
        ui.add_space(space::TIGHT);
        icon_button(ui, Icon::Cross, &format!("Cancel: {what}")).clicked()
    })
    .inner
}
