//! Messages, failures and long jobs, at the lower right, clear of the composers. Failures stay until they are dismissed
//! or over.

use std::time::Duration;

use egui::{
    Align2, Area, AreaState, Context, Frame, Id, Label, Margin, Order, Rect, RichText, Role, ScrollArea, Ui, pos2,
};

use super::{Act, Acts, Job, Scene, Toast, Toasts};
use crate::engine::{Command, SignInWait};
use crate::ui::commands::Cmd;
use crate::ui::theme::{font, radius, space, tokens_of};
use crate::ui::widgets::{Icon, ReportAction, Tone, Weight, button, icon_button, progress, report_card};

const WIDTH: f32 = 380.0;
/// From the edges of the window; the lower one lies over the status bar.
const SIDE: f32 = 12.0;
const FOOT: f32 = 36.0;
/// What is kept free for the bars at the top.
const BARS: f32 = 76.0;

/// Lower right corner and greatest height of what is `high` and must not lie over one of the `composers`: below it where
/// there is room for all, else above it.
fn place(screen: Rect, high: f32, composers: &[Rect]) -> (egui::Pos2, f32) {
    let corner = pos2(screen.right() - SIDE, screen.bottom() - FOOT);
    let column = (corner.x - WIDTH.min(screen.width() - 2.0 * SIDE))..=corner.x;
    let half = screen.height() * 0.5;
    let under = |c: &&Rect| c.left() < *column.end() && c.right() > *column.start();
    let Some(top) = composers.iter().filter(under).map(Rect::top).reduce(f32::min) else { return (corner, half) };
    let foot = composers.iter().filter(under).map(Rect::bottom).fold(top, f32::max);
    let below = corner.y - foot - space::SMALL;
    if high <= below {
        return (corner, below.min(half));
    }
    (pos2(corner.x, top - space::SMALL), (top - space::SMALL - screen.top() - BARS).clamp(60.0, half))
}

pub(super) fn paint(
    ctx: &Context,
    toasts: &mut Toasts,
    jobs: &[Job],
    composers: &[Rect],
    scene: &Scene<'_>,
    acts: &mut Acts,
) {
    if let Some(wait) = toasts.expire(scene.now.mono) {
        ctx.request_repaint_after(wait);
    }
    let sign_ins = &scene.book.sign_ins;
    if toasts.list.is_empty() && jobs.is_empty() && sign_ins.is_empty() {
        return;
    }
    let screen = ctx.content_rect();
    let id = Id::unique("toasts");
    let high = AreaState::load(ctx, id).and_then(|s| s.size).map_or(0.0, |size| size.y);
    let (corner, most) = place(screen, high, composers);
    let shown = Area::new(id)
        .order(Order::Foreground)
        .pivot(Align2::RIGHT_BOTTOM)
        .fixed_pos(corner)
        .accessible_name("Messages")
        .role(Role::Group)
        .show(ctx, |ui| {
            ui.set_width(WIDTH.min(screen.width() - 2.0 * SIDE));
            ui.spacing_mut().item_spacing.y = space::SMALL;
            for job in jobs {
                card(ui, |ui| {
                    if progress(ui, &job.title, job.done, job.total) {
                        acts.push(Act::Engine(Box::new(Command::CancelJob { job: job.id })));
                    }
                });
            }
            for (id, waiting) in sign_ins {
                ui.push_id(id, |ui| card(ui, |ui| browser(ui, id, waiting, scene, acts)));
            }
            let failures = toasts.list.iter().filter(|t| matches!(t, Toast::Failed(_))).count();
            let mut gone = None;
            // The area hangs on its lower edge: it must not take the room that it has for all that it may have.
            let list = ScrollArea::vertical().id_salt("messages").max_height(most).min_scrolled_height(most);
            list.auto_shrink([false, true]).show(ui, |ui| {
                // The newest first: what just happened is seen without scrolling.
                for (n, toast) in toasts.list.iter().enumerate().rev() {
                    ui.push_id(n, |ui| {
                        if one(ui, toast, scene, acts) {
                            gone = Some(n);
                        }
                    });
                }
            });
            if let Some(n) = gone {
                toasts.list.remove(n);
            }
            if failures > 1 || toasts.dropped > 0 {
                card(ui, |ui| {
                    ui.horizontal(|ui| {
                        let dropped = toasts.dropped;
                        if dropped > 0 {
                            ui.label(format!("and {dropped} older"));
                        }
                        if button(ui, None, "Dismiss all", Weight::Quiet).clicked() {
                            toasts.dismiss_all();
                        }
                    });
                });
            }
        });
    if shown.response.contains_pointer() {
        toasts.hold();
    }
}

/// Somebody is awaited from the login page.
fn browser(ui: &mut Ui, id: &str, waiting: &SignInWait, scene: &Scene<'_>, acts: &mut Acts) {
    let t = tokens_of(ui.ctx());
    ui.spacing_mut().item_spacing.y = space::TIGHT;
    let left = waiting.until.since(scene.now.mono).as_secs();
    ui.ctx().request_repaint_after(Duration::from_secs(1));
    ui.label(RichText::new("Waiting for the browser").font(font::strong()));
    let who = if waiting.person.is_empty() { "Somebody" } else { waiting.person.as_str() };
    let what = format!("{who} shall sign in to “{}”. {}:{:02} left.", waiting.environment, left / 60, left % 60);
    ui.add(Label::new(RichText::new(what).color(t.text.weak)).wrap());
    ui.horizontal_wrapped(|ui| {
        let copy = button(ui, Some(Icon::Copy), "Copy address", Weight::Normal);
        if copy.on_hover_text("Open it in another browser on this computer.").clicked() {
            acts.push(Act::Copy(waiting.address.clone()));
        }
        if button(ui, None, "Cancel", Weight::Quiet).on_hover_text("Wait no longer.").clicked() {
            acts.push(Act::Engine(Box::new(Command::CancelSignIn { id: id.to_owned() })));
        }
    });
}

fn card(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let t = tokens_of(ui.ctx());
    Frame::new()
        .fill(t.surface.overlay)
        .stroke((1.0, t.line.normal))
        .corner_radius(radius::NORMAL)
        .inner_margin(Margin::symmetric(10, 6))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui);
        });
}

/// True where it was dismissed.
fn one(ui: &mut Ui, toast: &Toast, scene: &Scene<'_>, acts: &mut Acts) -> bool {
    match toast {
        Toast::Info { text, .. } => {
            let mut gone = false;
            card(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        gone = icon_button(ui, Icon::Cross, "Dismiss message").clicked();
                        ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                            ui.add(Label::new(text).wrap());
                        });
                    });
                });
            });
            gone
        }
        Toast::Failed(failed) => match report_card(ui, &failed.report, Tone::Red, failed.record, true) {
            Some(ReportAction::Dismiss) => true,
            Some(ReportAction::GoTo(seq)) => {
                // Notices tell of the running capture.
                if scene.situation.saved {
                    acts.run(Cmd::BackToLive);
                }
                acts.push(Act::Select(vec![seq]));
                false
            }
            None => false,
        },
    }
}
