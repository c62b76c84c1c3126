//! The sandbox from outside, by a bare client that knows nothing of our own dialect.

mod agent;
mod client;
mod conversation;
mod files;
mod flows;
mod flows_around;
mod flows_external_contact;
mod flows_guest_resource;
mod flows_managed_conversation;
mod flows_session_token;
mod flows_signed_guest;
mod guards;
mod lifetimes;
mod limits;
mod orders;
mod platform_channels;
mod platform_desk;
mod platform_guest;
mod platform_hostile;
mod platform_messages;
mod platform_people;
mod rest;
mod sign_in;
mod tls;
mod vendor_sdk;
