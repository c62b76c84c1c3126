//! Small parts that the panes are made of. Each has an accessible name and a role.

mod button;
mod chip;
mod empty;
pub mod format;
mod icons;
mod progress;
mod report;
mod ring;
mod row_list;
mod scroller;
mod segmented;
mod stamp;

pub use button::{
    Weight, button, button_width, copy_button, focus_ring, icon_button, icon_toggle, named_toggle, text_toggle,
};
pub use chip::{Tone, badge, chip, direction_icon, key_cap, key_caps, paint_direction, placeholder_chip};
pub use empty::empty_state;
pub use icons::Icon;
pub use progress::progress;
pub use report::{ReportAction, disclosure, report_card, report_line};
pub use ring::{RingClock, paint_ring, phase_word};
pub use row_list::row_list;
pub use scroller::{BAR, Extent, Scroller};
pub use segmented::{segmented, tab_row};
pub use stamp::Stamp;
