//! What the tests of the window share.

pub mod console;
pub mod live;
pub mod proxy;
pub mod records;
mod renderer;
pub mod scene;

pub use renderer::CpuRenderer;

use egui::{Theme, Vec2};
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

/// Both themes by name, for pictures.
pub const THEMES: [(&str, Theme); 2] = [("dark", Theme::Dark), ("light", Theme::Light)];

/// True where this text stands somewhere in a label.
pub fn tells<State>(harness: &Harness<'_, State>, text: &str) -> bool {
    use egui_kittest::kittest::NodeT as _;
    harness.root().children_recursive().any(|node| {
        let node = node.accesskit_node();
        node.role() == egui::Role::Label && node.value().is_some_and(|v| v.contains(text))
    })
}

/// True where this text stands somewhere as a label.
pub fn says<State>(harness: &Harness<'_, State>, text: &str) -> bool {
    use egui_kittest::kittest::NodeT as _;
    harness.root().children_recursive().any(|node| {
        let node = node.accesskit_node();
        node.role() == egui::Role::Label && node.value().as_deref() == Some(text)
    })
}
