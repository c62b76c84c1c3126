//! What the tests of the window share.

pub mod records;
mod renderer;
pub mod scene;

pub use renderer::CpuRenderer;

use egui::{Theme, Ui, Vec2};
use egui_kittest::{Harness, HarnessBuilder};
use sessionscope::ui::theme;

/// A harness with our fonts and themes that paints on the processor.
pub fn builder<State>(size: impl Into<Vec2>, theme: Theme) -> HarnessBuilder<State> {
    Harness::<State>::builder()
        .with_size(size)
        .with_theme(theme)
        .with_context_setup(theme::install)
        .renderer(CpuRenderer::default())
}

/// A harness around a part of the window.
pub fn harness<'a>(size: impl Into<Vec2>, theme: Theme, part: impl FnMut(&mut Ui) + 'a) -> Harness<'a> {
    builder(size, theme).build_ui(part)
}

/// Both themes by name, for pictures.
pub const THEMES: [(&str, Theme); 2] = [("dark", Theme::Dark), ("light", Theme::Light)];
