//! Names and secrets, made at random.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// A UUID in its usual form.
pub(super) fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// 32 hexadecimal digits, the form of the platform's message ids.
pub(super) fn hex32() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A random text safe in addresses, of 16 random bytes a part.
pub(super) fn opaque(parts: usize) -> String {
    let bytes: Vec<u8> = (0..parts).flat_map(|_| Uuid::new_v4().into_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Enough of a name that a client gave to know it again.
pub(super) fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Metadata of a message: its correlation id.
pub(super) fn correlation() -> BTreeMap<String, String> {
    BTreeMap::from([("correlationId".to_owned(), uuid())])
}
