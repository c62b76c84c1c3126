//! The sandbox from outside, by a bare client that knows nothing of our own dialect.

mod client;
mod conversation;
mod files;
mod guards;
mod lifetimes;
mod limits;
mod orders;
mod rest;
