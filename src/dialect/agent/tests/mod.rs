//! Playbooks of an agent's work against a platform of paper, and random schedules.

mod platform;
mod playbooks;
mod refusals;
mod schedules;
mod world;
