//! What a person does to a clock of the strip.

use super::attachments::LINK;
use super::auth::GUEST_AUTH;
use super::guest_jwt::GUEST_JWT;
use super::idle::SESSION_IDLE;
use super::{Cx, WebMessaging};
use crate::model::Report;
use crate::model::fact::ClockDeed;

impl WebMessaging {
    pub(super) fn clock_deed(&mut self, cx: &mut Cx<'_>, id: &str, deed: ClockDeed) {
        let done = match (id, deed) {
            (GUEST_JWT, deed) => self.jwt_deed(cx, deed),
            (GUEST_AUTH, deed) => self.auth_deed(cx, deed),
            (SESSION_IDLE, ClockDeed::Refresh) => {
                self.wish_echo(cx);
                true
            }
            (SESSION_IDLE, ClockDeed::Expire) => self.idle.expire(cx),
            (SESSION_IDLE, ClockDeed::Forget) => {
                self.forget_token(cx);
                self.idle.forget(cx);
                true
            }
            _ => match (id.strip_prefix(LINK), deed) {
                (Some(link), ClockDeed::Refresh) => {
                    self.refresh_link(cx, link.to_owned());
                    true
                }
                (Some(link), ClockDeed::Forget) => self.forget_link(cx, link, "you"),
                _ => false,
            },
        };
        if !done {
            cx.fault(Report::new(
                "no-such-clock",
                "Nothing was done to the clock",
                format!("There is no “{id}” at hand for which this can be done."),
            ));
        }
    }
}
