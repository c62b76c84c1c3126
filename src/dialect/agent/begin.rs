//! From “connect” to a desk that is ready: who is signed in, what one can be, the channel, the conversations at hand.

use serde_json::Value;

use super::*;
use crate::model::fact::ClockDeed;

/// What is still under way before the desk is ready.
#[derive(Debug, Default)]
pub(super) struct Begin {
    /// Conversations are read, in both shapes.
    lists: u8,
    /// The desk was ready once.
    began: bool,
    /// A change of presence must lead to news of the routing status by then, or both are read.
    look: Option<Mono>,
}

/// How long such news may take.
const NEWS: Duration = Duration::from_secs(3);

impl Begin {
    pub fn wait(&self, now: Mono) -> Option<Duration> {
        self.look.map(|due| due.since(now))
    }
}

/// Both shapes of the list.
const LISTS: u8 = 2;

impl Agent {
    pub(super) fn connect(&mut self, cx: &mut Cx<'_>) {
        if !matches!(self.state, SessionState::New | SessionState::Ended(_)) {
            return flow::not_now("The agent is at work already", cx.out);
        }
        if self.hosts.api.is_empty() {
            let why = "the environment names no API host".to_owned();
            return self.go(cx, SessionState::Ended(End::Invalid { why }), "");
        }
        self.begin = Begin { began: self.begin.began, ..Begin::default() };
        self.go(cx, SessionState::Connecting, "signing in");
        self.begin(Job::Me, calls::me(&self.hosts));
    }

    /// The platform told who is signed in.
    pub(super) fn known(&mut self, cx: &mut Cx<'_>, me: &Value) {
        let Some(id) = flow::text_of(me, "id") else {
            let why = "the platform did not say who is signed in".to_owned();
            return self.end(cx, End::Failed { why });
        };
        if self.me.as_ref().is_some_and(|known| *known != id) {
            // Another person than before: nothing of the old desk is theirs.
            self.desk = desk::Desk::default();
        }
        if let Some(word) = me.get("routingStatus").and_then(wire::routing_of) {
            self.routing = word;
        }
        self.errands.ids.guest = None;
        cx.id("user", &id);
        if let Some(name) = flow::text_of(me, "name") {
            cx.id("agent", &name);
        }
        self.me = Some(id.clone());
        self.begin(Job::Presences, calls::presences(&self.hosts));
        self.begin(Job::Queues, calls::queues(&self.hosts, &id));
        self.go(cx, SessionState::Connecting, "asking for a notification channel");
        self.new_channel(cx);
    }

    pub(super) fn not_known(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        let report = verdict::not_known(failure, &self.hosts.api);
        let why = report.title.clone();
        cx.fault(report);
        self.end(cx, End::Failed { why });
    }

    pub(super) fn presences_known(&mut self, cx: &mut Cx<'_>, body: &Value) {
        self.presences = wire::presences(body);
        if std::mem::take(&mut self.desk.wants_queue) {
            self.go_on_queue(cx);
        }
    }

    /// Notifications may be missed; a presence that was set changes the routing status, which decides everything.
    pub(super) fn look_at_me_soon(&mut self, cx: &mut Cx<'_>) {
        self.begin.look = Some(cx.now() + NEWS);
    }

    pub(super) fn tick_begin(&mut self, cx: &mut Cx<'_>) {
        if !self.state.is_ended() && self.begin.look.is_some_and(|due| due <= cx.now()) {
            self.begin.look = None;
            self.begin(Job::LookAtMe, calls::me(&self.hosts));
        }
    }

    pub(super) fn routing_told(&mut self, body: &Value) {
        self.begin.look = None;
        if let Some(word) = wire::routing_of(body) {
            self.routing = word;
        }
    }

    pub(super) fn libraries_known(&mut self, body: &Value) {
        for library in wire::named(body) {
            self.begin(Job::Replies, calls::replies(&self.hosts, &library.id));
        }
    }

    /// Reads everything that is at hand; what was missed is among it.
    pub(super) fn reload_all(&mut self, cx: &mut Cx<'_>) {
        if !self.is_ready() && self.begin.lists == 0 {
            self.go(cx, SessionState::Configuring, "reading the conversations at hand");
        }
        self.lookups.hope_again(cx.now());
        self.begin.lists = LISTS;
        self.begin(Job::List { generic: false }, calls::list(&self.hosts, false));
        self.begin(Job::List { generic: true }, calls::list(&self.hosts, true));
    }

    pub(super) fn list_read(&mut self, cx: &mut Cx<'_>, generic: bool, body: &Value) {
        let told: Vec<Snapshot> = wire::snapshots(body).collect();
        for snapshot in &told {
            self.take(cx, snapshot);
        }
        if generic {
            // What is not listed any more has ended, or was taken over: each tells by itself.
            let listed: Vec<&str> = told.iter().map(|s| s.conversation.as_str()).collect();
            for gone in self.desk.live_but(&listed) {
                self.read_one(&gone, true);
            }
        }
        self.list_done(cx);
    }

    pub(super) fn list_not_read(&mut self, cx: &mut Cx<'_>, failure: &Failure) {
        let report = failure
            .report("conversations-not-read", "The conversations at hand could not be read")
            .remedy("What was missed while the socket was down is not known until they are read again.");
        cx.fault(report);
        self.list_done(cx);
    }

    fn list_done(&mut self, cx: &mut Cx<'_>) {
        self.begin.lists = self.begin.lists.saturating_sub(1);
        if self.begin.lists > 0 || self.is_ready() || !self.channel.is_open() {
            return;
        }
        let again = std::mem::replace(&mut self.begin.began, true);
        self.go(cx, SessionState::Ready, if again { "what was missed was read by REST" } else { "" });
        if !again && self.form.on_queue {
            if self.presences.is_empty() {
                self.desk.wants_queue = true;
            } else {
                self.go_on_queue(cx);
            }
        }
    }

    /// Joins the queues of the form, comes back where an alert was missed, and takes the presence that lets the
    /// platform route.
    fn go_on_queue(&mut self, cx: &mut Cx<'_>) {
        let Some(me) = self.me.clone() else { return };
        for queue in self.form.queues.clone() {
            self.begin(Job::JoinQueue, calls::join_queue(&self.hosts, &me, &queue, true));
        }
        self.be(cx, &me, "OnQueue");
        if self.routing == "NOT_RESPONDING" {
            self.begin(Job::SetRouting, calls::set_routing(&self.hosts, &me, "IDLE"));
        }
    }

    /// Takes a presence by the id of its definition or by its system word.
    pub(super) fn be(&mut self, cx: &mut Cx<'_>, me: &str, is: &str) {
        let word = plain(is);
        let found = self.presences.iter().find(|p| p.id == is).or_else(|| {
            // Several definitions share a system presence; the first is the organisation's primary one.
            self.presences.iter().find(|p| p.name == word)
        });
        let Some(presence) = found else {
            let known: Vec<&str> = self.presences.iter().map(|p| p.name.as_str()).collect();
            let what = format!("“{is}” is none of: {}.", known.join(", "));
            return cx.fault(Report::new("unknown-presence", "There is no such presence", what));
        };
        let call = calls::set_presence(&self.hosts, me, &presence.id);
        self.begin(Job::SetPresence, call);
    }

    pub(super) fn bearer(&mut self, cx: &mut Cx<'_>, news: BearerNews) {
        let dead = matches!(news, BearerNews::Dead { .. });
        self.errands.news(cx.at, news, cx.out);
        if dead && !self.state.is_ended() {
            self.remark(cx, "the user's token was taken back: the next call asks for another");
        }
    }

    /// The token was ended on the person's own wish: nothing goes on with it.
    pub(super) fn revoked_by_us(&mut self, cx: &mut Cx<'_>) {
        if let Some(number) = self.errands.live(cx.at).map(|b: &Bearer| b.number) {
            self.errands.refuse(number, cx.out);
        }
        self.end(cx, End::LoggedOut);
    }

    pub(super) fn leave(&mut self, cx: &mut Cx<'_>, code: u16, reason: String) {
        if self.state.is_ended() {
            return;
        }
        let owed = self.desk.owing(self.me.as_deref().unwrap_or_default());
        if !owed.is_empty() {
            let what = format!("{} conversation(s) still wait for a wrap-up: {}.", owed.len(), owed.join(", "));
            let report = Report::new("wrapup-owed", "A wrap-up is still owed", what)
                .remedy("Sign in again and wrap up: until then the platform may route nothing to this agent.");
            cx.fault(report);
        }
        if let Some(id) = self.channel.id() {
            // The channel is one of twenty: what it was subscribed to is let go.
            let call = calls::unsubscribe_all(&self.hosts, id);
            self.begin(Job::Goodbye, call);
        }
        if self.channel.is_open() {
            cx.act(Action::Close { conn: self.channel.conn(), code, reason });
        }
        self.channel.stop();
        self.forget_clocks(cx);
        self.drop_held(cx);
        self.errands.end(cx.at, |job| matches!(job, Job::Goodbye), cx.out);
        self.go(cx, SessionState::Ended(End::ByUser), "");
    }

    pub(super) fn clock_deed(&mut self, cx: &mut Cx<'_>, id: &str, deed: ClockDeed) {
        match (id, deed) {
            ("channel", ClockDeed::Refresh) if self.me.is_some() => self.new_channel(cx),
            ("channel", ClockDeed::Expire) => self.channel_over(cx, "it was treated as expired by you"),
            _ => {
                let what = format!("“{id}” has no such action.");
                cx.fault(Report::new("no-such-clock", "That clock cannot do that", what));
            }
        }
    }
}
