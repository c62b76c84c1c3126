//! What touches the network: HTTP calls and sockets, each recorded as it happens.

pub mod client;
pub mod faults;
pub mod frames;
pub mod http;
pub mod socket;
