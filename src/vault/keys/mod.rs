//! Keys that sign guest tokens (RS256): made here or imported, private parts only in the keyring.

mod der;
mod input;
mod pair;
mod pem;
mod public;
mod refusals;
mod ring;
mod token;

#[cfg(test)]
mod tests;

pub use pair::SigningKey;
pub use public::PublicKey;
pub use ring::{KeyRing, check_kid};
pub use token::{claimed_kid, verify_rs256};
