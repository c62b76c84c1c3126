//! The platform as agents see it: users, queues, conversations, notifications.
//!
//! [`call`] says who asks and counts; everything else is one file a resource. A guest's first message makes a
//! [`conversation`], [`routing`] leads it to somebody, [`guest`] is what the guest's side tells of itself, [`notify`]
//! tells the subscribers of [`channels`] what has changed.
//!
//! Assumed, since the sources do not say, is what stands at the head of each file.

mod call;
mod channels;
mod conversation;
mod desk;
mod guest;
mod media;
mod messages;
mod notify;
mod people;
mod presence;
mod queues;
mod replies;
mod routing;
mod shape;
mod status;
mod stream;
mod switches;
mod topics;
mod transfer;
mod users;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodFilter as M, any};

use super::flows::shelf::Shelf;
use super::shared::Shared;
use super::state::State;
use crate::model::Now;
use call::call;
use channels::Channel;
use conversation::Conversation;
use queues::Queue;

pub use queues::WrapupPrompt;
pub use status::{AgentConversationStatus, ChannelStatus, ParticipantStatus, PlatformStatus, UserStatus};
pub use switches::{PlatformChange, PlatformSwitches};
pub(super) use users::User;
pub(super) use {
    guest::answered, guest::cleared, guest::forgotten, guest::is_with_partner, guest::left, guest::over, guest::said,
    guest::signed_in, guest::typed, notify::release, stream::beat, stream::heard, stream::opened,
    stream::token_revoked, switches::evict, switches::set_queue, switches::socket_closing,
};

/// Conversations remembered; the oldest that has ended goes.
const CONVERSATIONS: usize = 2000;

/// All of it.
pub(super) struct Platform {
    /// [`Holder::User`](super::tokens::Holder::User) holds a place in it.
    pub(super) users: Vec<User>,
    pub(super) queues: Vec<Queue>,
    presences: Vec<presence::Definition>,
    codes: Vec<queues::Code>,
    replies: replies::Replies,
    conversations: Shelf<Conversation>,
    /// Conversations of sessions.
    by_session: HashMap<u32, u32>,
    pub(super) channels: Shelf<Channel>,
    pub(super) switches: PlatformSwitches,
    /// Parts of the names of topics that are rejected by order.
    pub(super) rejected: Vec<String>,
    /// Notifications held back to be reversed.
    held: Vec<(u32, String)>,
    dropped: u64,
    evicted: u64,
}

impl Platform {
    /// `queue_id` is that of the first queue.
    pub(super) fn new(queue_id: &str) -> Self {
        Self {
            users: User::all(),
            queues: Queue::all(queue_id),
            presences: presence::Definition::all(),
            codes: queues::Code::all(),
            replies: replies::Replies::new(),
            conversations: Shelf::new(CONVERSATIONS),
            by_session: HashMap::new(),
            channels: Shelf::new(channels::MANY),
            switches: PlatformSwitches::default(),
            rejected: Vec::new(),
            held: Vec::new(),
            dropped: 0,
            evicted: 0,
        }
    }

    /// As at the start, apart from the ids of users, queues and what else is set up.
    pub(super) fn reset(&mut self) {
        self.users.iter_mut().for_each(User::reset);
        self.queues.iter_mut().for_each(Queue::reset);
        self.conversations.clear();
        self.by_session.clear();
        self.channels.clear();
        self.switches = PlatformSwitches::default();
        self.rejected.clear();
        self.held.clear();
    }

    pub(super) fn knows_queue(&self, id: &str) -> bool {
        self.queue(id).is_some()
    }

    fn queue(&self, id: &str) -> Option<usize> {
        self.queues.iter().position(|q| q.id == id)
    }

    fn user(&self, id: &str) -> Option<u32> {
        self.users.iter().position(|u| u.id == id).and_then(|n| u32::try_from(n).ok())
    }

    fn at(&self, user: u32) -> Option<&User> {
        self.users.get(user as usize)
    }

    /// Conversations that a user is in, or is rung for; parked ones do not count.
    fn load(&self, user: u32) -> usize {
        let counts = |p: &conversation::Participant| p.user == Some(user) && p.is_live() && p.parked.is_none();
        self.conversations.iter().filter(|(.., c)| c.participants.iter().any(counts)).count()
    }

    /// The user is with a guest, or has work left from one.
    fn works(&self, user: u32) -> bool {
        let busy = |p: &conversation::Participant| {
            p.user == Some(user) && ((p.is_connected() && p.parked.is_none()) || p.owes_wrapup())
        };
        self.conversations.iter().any(|(.., c)| c.participants.iter().any(busy))
    }

    fn at_mut(&mut self, user: u32) -> Option<&mut User> {
        self.users.get_mut(user as usize)
    }
}

/// Ends what is over; the time until the next end.
pub(super) fn sweep(state: &mut State, now: Now) -> Option<Duration> {
    let alerts = routing::sweep(state, now);
    let channels = channels::sweep(state, now);
    [alerts, channels].into_iter().flatten().min()
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    const USER: &str = "/api/v2/users/{id}";
    const QUEUES: &str = "/api/v2/routing/queues";
    const REPLIES: &str = "/api/v2/responsemanagement";
    Router::new()
        .route("/api/v2/users/me", call(M::GET, people::me))
        .route("/api/v2/users", call(M::GET, people::list))
        .route("/api/v2/users/search", call(M::POST, people::search))
        .route(USER, call(M::GET, people::one))
        .route(
            &format!("{USER}/presences/{{source}}"),
            call(M::GET, presence::get).merge(call(M::PATCH, presence::set)),
        )
        .route(
            &format!("{USER}/routingstatus"),
            call(M::GET, people::routing_status).merge(call(M::PUT, people::set_routing_status)),
        )
        .route(&format!("{USER}/queues"), call(M::GET, queues::of_user))
        .route(&format!("{USER}/queues/{{queue}}"), call(M::PATCH, queues::join))
        .route("/api/v2/presence/definitions", call(M::GET, presence::definitions))
        .route("/api/v2/presencedefinitions", call(M::GET, presence::old_definitions))
        .route("/api/v2/systempresences", call(M::GET, presence::system))
        .route(QUEUES, call(M::GET, queues::list))
        .route(&format!("{QUEUES}/me"), call(M::GET, queues::mine))
        .route(&format!("{QUEUES}/{{id}}"), call(M::GET, queues::one))
        .route(&format!("{QUEUES}/{{id}}/members"), call(M::GET, queues::members))
        .route(&format!("{QUEUES}/{{id}}/wrapupcodes"), call(M::GET, queues::codes))
        .route("/api/v2/routing/wrapupcodes", call(M::GET, queues::all_codes))
        .route(&format!("{REPLIES}/libraries"), call(M::GET, replies::libraries))
        .route(&format!("{REPLIES}/responses"), call(M::GET, replies::list))
        .route(&format!("{REPLIES}/responses/{{id}}"), call(M::GET, replies::one))
        .route(&format!("{REPLIES}/responses/query"), call(M::POST, replies::query))
        .merge(conversations())
        .merge(notifications())
}

fn conversations() -> Router<Arc<Shared>> {
    const ALL: &str = "/api/v2/conversations";
    const MESSAGES: &str = "/api/v2/conversations/messages";
    let mut router = Router::new()
        .route(ALL, call(M::GET, desk::my_conversations))
        .route(MESSAGES, call(M::GET, desk::my_message_conversations))
        .route(&format!("{ALL}/{{id}}"), call(M::GET, desk::one))
        .route(&format!("{MESSAGES}/{{id}}"), call(M::GET, desk::one_of_media))
        .route(&format!("{ALL}/{{id}}/disconnect"), call(M::POST, desk::end))
        .route(&format!("{MESSAGES}/{{id}}/details"), call(M::GET, messages::details))
        .route(&format!("{MESSAGES}/{{id}}/messages/bulk"), call(M::POST, messages::bulk))
        .route(&format!("{MESSAGES}/{{id}}/messages/{{message}}"), call(M::GET, messages::one));
    // Participants have the same services below both addresses.
    for all in [ALL, MESSAGES] {
        let party = format!("{all}/{{id}}/participants/{{participant}}");
        router = router
            .route(&party, call(M::PATCH, desk::patch))
            .route(&format!("{party}/attributes"), call(M::PATCH, desk::attributes))
            .route(&format!("{party}/replace"), call(M::POST, transfer::replace))
            .route(&format!("{party}/wrapupcodes"), call(M::GET, desk::codes))
            .route(&format!("{party}/wrapup"), call(M::GET, desk::wrapup_of));
    }
    let generic = format!("{ALL}/{{id}}/participants/{{participant}}");
    let party = format!("{MESSAGES}/{{id}}/participants/{{participant}}");
    let communication = format!("{MESSAGES}/{{id}}/communications/{{communication}}");
    router
        .route(&format!("{generic}/replace/queue"), call(M::POST, transfer::to_queue))
        .route(&format!("{generic}/replace/agent"), call(M::POST, transfer::to_user))
        .route(&format!("{party}/parkingstate"), call(M::PATCH, desk::park))
        .route(&format!("{party}/communications/{{communication}}"), call(M::PATCH, desk::patch_communication))
        .route(
            &format!("{party}/communications/{{communication}}/wrapup"),
            call(M::GET, desk::wrapup_of).merge(call(M::POST, desk::post_wrapup)),
        )
        .route(&format!("{communication}/messages"), call(M::POST, messages::send))
        .route(&format!("{communication}/typing"), call(M::POST, messages::typing))
        .route(&format!("{communication}/messages/media"), call(M::POST, media::announce))
        .route(&format!("{communication}/messages/media/uploads"), call(M::POST, media::upload))
        .route(&format!("{communication}/messages/media/{{media}}"), call(M::GET, media::one))
}

fn notifications() -> Router<Arc<Shared>> {
    const CHANNELS: &str = "/api/v2/notifications/channels";
    let subscriptions = call(M::GET, channels::subscriptions)
        .merge(call(M::POST, channels::add))
        .merge(call(M::PUT, channels::replace))
        .merge(call(M::DELETE, channels::clear));
    Router::new()
        .route("/api/v2/notifications/availabletopics", call(M::GET, channels::available))
        .route(CHANNELS, call(M::GET, channels::list).merge(call(M::POST, channels::create)))
        .route(&format!("{CHANNELS}/{{id}}"), call(M::HEAD, channels::head))
        .route(&format!("{CHANNELS}/{{id}}/subscriptions"), subscriptions)
        .route("/channels/{id}", any(stream::upgrade))
}
