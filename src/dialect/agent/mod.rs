//! An agent's side of the vendor's Platform API: REST with a user's token, and one notification socket.

use std::time::Duration;

use super::{Action, At, Dialect, Input, Seen};
use crate::model::agents::AgentForm;
use crate::model::{Environment, Happening, Hosts, Record};

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub hosts: Hosts,
    pub environment: Environment,
    pub form: AgentForm,
    pub seed: u64,
}

/// One agent.
pub struct Agent {}

impl Agent {
    pub fn new(_config: Config) -> Self {
        Self {}
    }
}

impl Dialect for Agent {
    fn step(&mut self, _at: At, _input: Input<'_>, _out: &mut Vec<Action>) -> Seen {
        Seen::default()
    }

    fn wait(&self, _at: At) -> Option<Duration> {
        None
    }
}

/// Tells what a record means.
pub fn read(_record: &Record, _out: &mut Vec<Happening>) {}
