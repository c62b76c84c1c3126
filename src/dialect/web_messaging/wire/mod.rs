//! What stands on the wire.

pub mod body;
pub mod inbound;
pub mod lenient;
pub mod outbound;

/// Recognises the answer to a health check. The vendor's own client uses this very constant
/// (genesys-messenger-transport-mobile-sdk, `HealthCheckProvider`).
pub const ECHO_TRACING: &str = "SGVhbHRoQ2hlY2tNZXNzYWdlSWQ=";

/// How long a typing indication lasts when it does not say, in milliseconds. What the vendor's clients assume.
pub const TYPING_MILLIS: u64 = 5000;

/// True for codes that some source describes.
pub fn is_known_code(code: i64) -> bool {
    matches!(
        code,
        200 | 400 | 401 | 403 | 404 | 408 | 409 | 429 | 4000..=4011 | 4013 | 4017 | 4020 | 4029 | 4102 | 5000
    )
}
