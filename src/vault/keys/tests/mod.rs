//! Keys of `tests/fixtures/keys` were made with openssl for these tests, but for the one of RFC 7515, A.2.

mod keys;
mod ring;
mod tokens;

use std::sync::LazyLock;

use super::SigningKey;

/// A file of `tests/fixtures/keys`.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/", $name, ".pem"))
    };
}
use fixture;

/// Two pairs that differ, made once.
static PAIRS: LazyLock<[SigningKey; 2]> =
    LazyLock::new(|| [SigningKey::generate().unwrap(), SigningKey::generate().unwrap()]);
