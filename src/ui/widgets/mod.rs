//! Small parts that the panes are made of. Each has an accessible name and a role.

mod button;
mod chip;
mod icons;

pub use button::{Weight, button, copy_button, focus_ring, icon_button, icon_toggle, text_toggle};
pub use chip::{Tone, badge, chip, direction_icon, key_cap, key_caps, paint_direction, placeholder_chip};
pub use icons::Icon;
