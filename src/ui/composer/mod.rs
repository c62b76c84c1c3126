//! What the guest says next: one form per action, drafts that survive, failures in place.

mod action;
mod forms;
mod paint;
mod pick;

pub use action::{Action, Form};
pub use paint::paint;
pub use pick::{Pick, is_answered, offers, rich_days, slot_tip};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Wish;
use crate::model::fact::{Delivery, SessionState};
use crate::model::{Mono, Report, rich};
use crate::projection::{Entry, EntryState, SessionView, What};

/// While somebody goes on typing, it is told so often: the vendor's limit is 12 in a minute of one conversation.
const TYPING_EVERY: Duration = Duration::from_secs(5);

/// With less room than this, failures take one line and texts begin with one.
const LOW: f32 = 190.0;

/// How high a composer may be in a column of this height. In a low window the answer to a picker needs more than its
/// share.
pub fn most(height: f32) -> f32 {
    (height * 0.6).max((height - 24.0).min(140.0))
}

/// The composer of one session.
#[derive(Debug, Default)]
pub struct Composer {
    pub action: Action,
    forms: BTreeMap<Action, Form>,
    /// Taken by the engine, its fate not known yet.
    in_flight: Option<InFlight>,
    /// Why the last attempt failed.
    pub failed: Option<Report>,
    /// The session's state when it did: in a later one that is ready, it is over.
    failed_at: Option<u64>,
    /// A file is being read.
    pub reading: bool,
    /// Something changed since the drafts were stored.
    pub touched: bool,
    pub show_attributes: bool,
    /// A person wrote in the text, and nobody was told yet.
    typed: bool,
    /// When the other side was told last.
    typing_told: Option<Mono>,
    /// Actions whose drafts come from an earlier session, perhaps of the same name only: said until they are sent or
    /// discarded.
    restored: BTreeSet<Action>,
    /// The message whose offer is answered, as it was painted last.
    target: Option<Arc<Entry>>,
    /// Times are written in UTC.
    pub utc: bool,
    /// How high the composer may become (zero where nobody said), and where it begins.
    pub room: f32,
    top: f32,
    empty: Form,
}

#[derive(Debug)]
struct InFlight {
    tracing: String,
    action: Action,
    form: Form,
}

/// What came of an attempt to send.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken,
    Refused,
    /// The file at this path has to be read first.
    Read(String),
}

impl Composer {
    pub fn new(stored: BTreeMap<Action, Form>) -> Self {
        let restored = stored.iter().filter(|(_, form)| !form.is_empty()).map(|(action, _)| *action).collect();
        Self { forms: stored, restored, ..Self::default() }
    }

    /// The draft of this action was written in an earlier session.
    pub fn is_restored(&self, action: Action) -> bool {
        let is_left = match (action, self.target_id()) {
            // Drafts of other offers are no matter of the one in view.
            (Action::Pick, Some(id)) => self.form(action).picks.get(id).is_some_and(|draft| !draft.is_empty()),
            _ => !self.form(action).is_empty(),
        };
        self.restored.contains(&action) && is_left
    }

    pub fn discard(&mut self, action: Action) {
        if let (Action::Pick, Some(id)) = (action, self.target_id().map(str::to_owned)) {
            self.form_mut(action).picks.remove(&id);
            return;
        }
        self.restored.remove(&action);
        *self.form_mut(action) = Form::default();
    }

    /// The other side shall be told that somebody types: a person wrote since the last frame, and it was not told for
    /// [`TYPING_EVERY`].
    pub fn tells_typing(&mut self, now: Mono) -> bool {
        let due = self.typing_told.is_none_or(|told| now.since(told) >= TYPING_EVERY);
        let tells = std::mem::take(&mut self.typed) && due;
        if tells {
            self.typing_told = Some(now);
        }
        tells
    }

    /// There is hardly any room for it.
    fn is_low(&self) -> bool {
        self.room > 0.0 && self.room < LOW
    }

    pub fn form(&self, action: Action) -> &Form {
        self.forms.get(&action).unwrap_or(&self.empty)
    }

    /// The form for changing it.
    pub fn form_mut(&mut self, action: Action) -> &mut Form {
        self.touched = true;
        self.forms.entry(action).or_default()
    }

    /// What would be lost if the program ended now.
    pub fn unsent(&self, action: Action) -> &Form {
        let form = self.form(action);
        match &self.in_flight {
            Some(f) if f.action == action && form.is_empty() => &f.form,
            _ => form,
        }
    }

    /// The message whose offer is answered.
    fn target_id(&self) -> Option<&str> {
        match &self.target.as_deref()?.what {
            What::Message(message) => Some(rich::id_of(message)),
            _ => None,
        }
    }

    /// A bubble was pressed that offers something: its answer is drafted here.
    pub fn pick(&mut self, to: &str, what: Pick) {
        self.action = Action::Pick;
        self.failed = None;
        let form = self.form_mut(Action::Pick);
        to.clone_into(&mut form.pick);
        match what {
            Pick::Open => {}
            Pick::Slot(time) => form.picks.entry(to.to_owned()).or_default().set("", time),
            Pick::Item(section, id) => form.picks.entry(to.to_owned()).or_default().toggle("", &section, &id),
        }
    }

    /// The answer to the offer in view, or all that it lacks.
    fn picked(&self, form: &Form, tracing: String) -> Result<Wish, Report> {
        let none = || Report::new("nothing-to-send", "Nothing was sent", "No picker and no form was offered yet.");
        let Some(What::Message(message)) = self.target.as_deref().map(|e| &e.what) else { return Err(none()) };
        let offer = rich::offer(message).ok_or_else(none)?;
        let to = rich::id_of(message).to_owned();
        let draft = form.picks.get(&to).cloned().unwrap_or_default();
        let way = if matches!(offer, rich::Offer::Date(_)) { form.way } else { rich::Way::default() };
        match offer.answer(&draft, |at| pick::label(at, self.utc)) {
            Ok(picked) => Ok(Wish::Pick { tracing, to, way, picked: Box::new(picked) }),
            Err(faults) => {
                let title = "The answer does not fit the offer; nothing was sent";
                let report = Report::new("not-offered", title, faults.join(" "));
                Err(report.remedy("Choose what is offered; a raw frame can say anything else."))
            }
        }
    }

    /// Tries to send what the form holds. The draft is cleared only when the wish was accepted; it comes back when
    /// it turns out that it never left or was refused.
    pub fn send(&mut self, tracing: String, give: impl FnOnce(Wish) -> Result<(), Report>) -> Outcome {
        let action = self.action;
        let form = self.form(action).clone();
        self.failed = None;
        if action == Action::Attach && !form.path.trim().is_empty() {
            self.reading = true;
            return Outcome::Read(form.path.trim().to_owned());
        }
        let wish = match action {
            Action::Pick => self.picked(&form, tracing.clone()),
            _ => {
                let nothing = |why| Report::new("nothing-to-send", "Nothing was sent", why);
                form.wish(action, tracing.clone()).map_err(nothing)
            }
        };
        let answered = match &wish {
            Ok(Wish::Pick { to, .. }) => Some(to.clone()),
            _ => None,
        };
        let refused = match wish {
            Err(report) => report,
            Ok(wish) => match give(wish) {
                Err(report) => report,
                Ok(()) => {
                    self.touched = true;
                    self.restored.remove(&action);
                    if action.has_draft() {
                        // Attributes stay for the next message, as they would on a real page.
                        let attributes = form.attributes.clone();
                        let (as_text, send_form) = (form.as_text, form.send_form);
                        let mut kept = Form { attributes, as_text, send_form, ..Form::default() };
                        if let Some(to) = &answered {
                            // Other offers have drafts of their own.
                            kept = Form { pick: to.clone(), picks: form.picks.clone(), way: form.way, ..kept };
                            kept.picks.remove(to);
                        }
                        // What has no fate to follow stays: it can be sent again, or changed.
                        if matches!(action, Action::Request | Action::SyncProfile) {
                            return Outcome::Taken;
                        }
                        self.forms.insert(action, kept);
                        self.in_flight = (action != Action::Raw).then_some(InFlight { tracing, action, form });
                    }
                    return Outcome::Taken;
                }
            },
        };
        self.failed = Some(refused);
        Outcome::Refused
    }

    /// Something was written here that is nowhere else.
    pub fn has_draft(&self) -> bool {
        Action::ALL.iter().any(|action| action.has_draft() && !self.unsent(*action).text.is_empty())
    }

    /// Looks what became of the last message. A draft that never left, or was refused, is put back.
    pub fn settle(&mut self, view: &SessionView) {
        // Where the draft that came back is gone, so is what was to be done about it.
        let came_back = |r: &Report| matches!(r.code.as_str(), "not-sent" | "refused");
        if self.failed.as_ref().is_some_and(came_back) && self.form(self.action).is_empty() {
            self.failed = None;
        }
        if self.failed.is_none() {
            self.failed_at = None;
        } else {
            let since = *self.failed_at.get_or_insert(view.state_seq);
            if view.state == Some(SessionState::Ready) && view.state_seq > since {
                self.failed = None;
            }
        }
        let Some(flight) = &self.in_flight else { return };
        let entries = view.conversation.entries.iter().rev().take(200);
        let not_sent = |why: &str| Report::new("not-sent", "Not sent", why);
        let mut never_left = false;
        let report = match entries.filter_map(|e| own(e, &flight.tracing)).next() {
            None => match view.not_sent.iter().find(|(tracing, _)| *tracing == flight.tracing) {
                Some((_, why)) => {
                    never_left = true;
                    not_sent(why)
                }
                None => return,
            },
            Some(Delivery::Sent | Delivery::Retrying { .. }) => return,
            Some(Delivery::Delivered | Delivery::Unconfirmed { .. }) => {
                self.in_flight = None;
                self.touched = true;
                return;
            }
            Some(Delivery::NotSent { why }) => not_sent(why),
            Some(Delivery::Refused { code, text }) => {
                Report::new("refused", format!("The server refused it with {code}"), text.clone())
            }
        };
        let ended = view.state.as_ref().is_some_and(SessionState::is_ended);
        self.failed = Some(report.remedy(if ended {
            "The draft is back. Connect again or open a new session to send it."
        } else {
            "The draft is back: change it and send it again."
        }));
        if let Some(InFlight { action, form, .. }) = self.in_flight.take() {
            let now = self.forms.entry(action).or_default();
            if action == Action::Pick {
                for (to, draft) in form.picks {
                    now.picks.entry(to).or_insert(draft);
                }
                now.pick = form.pick;
            } else if now.text.is_empty() && now.payload.is_empty() {
                *now = form;
            } else if never_left && !form.text.is_empty() {
                // It stands nowhere else; what was written since comes after it.
                now.text = format!("{}\n{}", form.text, now.text);
            }
            self.touched = true;
        }
    }
}

fn own<'a>(entry: &'a Entry, tracing: &str) -> Option<&'a Delivery> {
    match (&entry.what, &entry.state) {
        (What::Message(m), EntryState::Own(delivery, _)) if m.tracing.as_deref() == Some(tracing) => Some(delivery),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;
    use crate::model::happening::{Message, Side, Source};

    #[test]
    fn a_draft_of_an_earlier_session_says_so_until_it_is_sent_or_discarded() {
        let form = Form { text: "from before".into(), ..Form::default() };
        let stored = || Composer::new(BTreeMap::from([(Action::Text, form.clone())]));
        let mut c = stored();
        assert!(c.is_restored(Action::Text) && !c.is_restored(Action::Raw));
        assert_eq!(c.send("t".into(), |_| Ok(())), Outcome::Taken);
        assert!(!c.is_restored(Action::Text));
        let mut c = stored();
        c.discard(Action::Text);
        assert!(!c.is_restored(Action::Text) && c.form(Action::Text).is_empty() && c.touched);
        assert!(!written("new").is_restored(Action::Text));
    }

    fn written(text: &str) -> Composer {
        let mut c = Composer::default();
        c.form_mut(Action::Text).text = text.into();
        c
    }

    fn view(tracing: &str, delivery: Delivery) -> SessionView {
        let message = Message {
            key: String::new(),
            also: vec![],
            tracing: Some(tracing.into()),
            side: Side::Guest,
            source: Source::Outgoing,
            at: None,
            from: None,
            text: Some("hello".into()),
            parts: vec![],
            authenticated: false,
            attributes: vec![],
        };
        let mut view = SessionView::default();
        view.conversation.entries.push(Arc::new(Entry {
            what: What::Message(message),
            state: EntryState::Own(delivery, None),
            at: Wall(0),
            records: vec![1],
            cleared: false,
        }));
        view
    }

    #[test]
    fn a_draft_stays_when_the_engine_refuses_it() {
        let mut c = written("hello");
        let outcome = c.send("t".into(), |_| Err(Report::new("queue-full", "Busy", "full")));
        assert_eq!(outcome, Outcome::Refused);
        assert_eq!(c.form(Action::Text).text, "hello");
        assert_eq!(c.failed.as_ref().unwrap().code, "queue-full");
    }

    #[test]
    fn a_draft_goes_when_it_was_taken_and_comes_back_when_it_never_left() {
        let mut c = written("hello");
        assert_eq!(c.send("t".into(), |_| Ok(())), Outcome::Taken);
        assert_eq!(c.form(Action::Text).text, "");
        assert_eq!(c.unsent(Action::Text).text, "hello", "still stored until its fate is known");
        c.settle(&view("t", Delivery::Sent));
        assert_eq!(c.form(Action::Text).text, "");
        c.settle(&view("t", Delivery::NotSent { why: "no socket".into() }));
        assert_eq!(c.form(Action::Text).text, "hello");
        assert!(c.failed.as_ref().unwrap().what.contains("no socket"));
    }

    #[test]
    fn typing_is_told_while_it_goes_on_and_not_too_often() {
        let mut c = Composer::default();
        let at = |secs: u64| Mono(secs * 1_000_000);
        assert!(!c.tells_typing(at(1)), "nobody typed");
        let mut told = Vec::new();
        for second in 1..=12 {
            c.typed = true;
            if c.tells_typing(at(second)) {
                told.push(second);
            }
        }
        assert_eq!(told, [1, 6, 11]);
        assert!(!c.tells_typing(at(60)), "nobody types any more");
    }

    #[test]
    fn a_draft_comes_back_that_has_no_frame_to_show() {
        let mut c = written("hello");
        c.send("t".into(), |_| Ok(()));
        let mut view = SessionView { not_sent: vec![("other".into(), "x".into())], ..SessionView::default() };
        c.settle(&view);
        assert_eq!(c.form(Action::Text).text, "");
        view.not_sent.push(("t".into(), "the session is ended".into()));
        c.settle(&view);
        assert_eq!(c.form(Action::Text).text, "hello");
        assert_eq!(c.failed.as_ref().unwrap().what, "the session is ended");
    }

    #[test]
    fn a_refused_draft_does_not_overwrite_what_was_written_since() {
        let mut c = written("hello");
        c.send("t".into(), |_| Ok(()));
        c.form_mut(Action::Text).text = "next".into();
        c.settle(&view("t", Delivery::Refused { code: 4011, text: "too long".into() }));
        assert_eq!(c.form(Action::Text).text, "next");
        assert!(c.failed.as_ref().unwrap().title.contains("4011"));
    }

    #[test]
    fn what_never_left_is_put_before_what_was_written_since() {
        let mut c = written("hello");
        c.send("t".into(), |_| Ok(()));
        assert!(c.has_draft(), "until its fate is known");
        c.form_mut(Action::Text).text = "next".into();
        let view = SessionView { not_sent: vec![("t".into(), "too long".into())], ..SessionView::default() };
        c.settle(&view);
        assert_eq!(c.form(Action::Text).text, "hello\nnext");
        c.discard(Action::Text);
        assert!(!c.has_draft());
    }

    #[test]
    fn a_delivered_message_is_no_draft_any_more() {
        let mut c = written("hello");
        c.form_mut(Action::Text).attributes.push(("plan".into(), "gold".into()));
        c.send("t".into(), |_| Ok(()));
        c.settle(&view("t", Delivery::Delivered));
        assert_eq!(c.unsent(Action::Text).text, "");
        assert_eq!(c.form(Action::Text).attributes.len(), 1, "attributes stay for the next message");
        assert!(c.failed.is_none());
    }

    #[test]
    fn a_failure_is_over_when_the_session_is_ready_again_or_the_draft_is_gone() {
        let refused = Delivery::Refused { code: 4011, text: "too long".into() };
        let failed = || {
            let mut c = written("hello");
            c.send("t".into(), |_| Ok(()));
            c.settle(&view("t", refused.clone()));
            assert!(c.failed.is_some() && c.form(Action::Text).text == "hello");
            c
        };
        let (mut c, mut later) = (failed(), view("t", refused.clone()));
        later.state = Some(SessionState::Ready);
        c.settle(&later);
        assert!(c.failed.is_some(), "it is ready as it was");
        later.state_seq = 9;
        c.settle(&later);
        assert!(c.failed.is_none() && c.form(Action::Text).text == "hello");
        let mut c = failed();
        c.form_mut(Action::Text).text.clear();
        c.settle(&view("t", refused.clone()));
        assert!(c.failed.is_none());
    }

    #[test]
    fn attaching_asks_for_the_file_first() {
        let mut c = Composer { action: Action::Attach, ..Composer::default() };
        c.form_mut(Action::Attach).path = " /x/y.png ".into();
        assert_eq!(c.send("t".into(), |_| Ok(())), Outcome::Read("/x/y.png".into()));
        assert!(c.reading);
    }
}
