//! Does what a guided tour wants done.

use std::time::Duration;

use super::{Act, App};
use crate::engine::{Command, SessionSpec, Ticket};
use crate::model::flows::GuestForm;
use crate::model::{Report, SessionId};
use crate::ui::tour::{Deed, Story, Tour};

/// While a tour waits, it looks again so often.
const AGAIN: Duration = Duration::from_millis(100);

impl App {
    pub(super) fn begin_tour(&mut self, story: Story) {
        self.end_tour();
        self.back_to_live();
        self.tour = Some(Tour::new(story));
    }

    /// The sandbox is put back as it was.
    pub(super) fn end_tour(&mut self) {
        if let Some(mut tour) = self.tour.take() {
            let deeds = tour.undo();
            self.tour_deeds(deeds);
        }
    }

    pub(super) fn go_on_touring(&mut self, ctx: &egui::Context) {
        let Some(mut tour) = self.tour.take() else { return };
        let board = self.live_log.board();
        let deeds = tour.advance(&board, &self.book.sandbox, self.clock.now());
        if tour.is_running() {
            ctx.request_repaint_after(AGAIN);
        }
        self.tour = Some(tour);
        self.tour_deeds(deeds);
    }

    /// True where the session was made for the tour.
    pub(super) fn tour_session(&mut self, ticket: Ticket, result: &Result<SessionId, Report>) {
        let now = self.clock.now();
        if self.tour_ticket == Some(ticket)
            && let Some(tour) = self.tour.as_mut().filter(|t| t.wants_session())
        {
            self.tour_ticket = None;
            tour.made(result, now);
        }
    }

    fn tour_deeds(&mut self, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::StartSandbox => self.switch_sandbox(true),
                Deed::Order(order) => {
                    self.send(Command::Order { order });
                }
                Deed::Open { dialect, name, environment } => {
                    let environment = *environment;
                    let form = GuestForm::default();
                    let spec = SessionSpec { name, dialect, environment, form, ..SessionSpec::default() };
                    self.tour_ticket = self.open_spec(spec, true);
                }
                Deed::Wish(session, wish) => self.wish(session, wish),
                Deed::Explain(session, seq) => {
                    self.show(session);
                    self.settings.panes.show_inspector = true;
                    self.lower_inspector = true;
                    self.inspector.explain();
                    self.pending_acts.push(Act::Select(vec![seq]));
                }
            }
        }
    }
}
