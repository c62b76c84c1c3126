//! What payloads of failures say.

use serde_json::Value;

use crate::model::Record;

/// Longer payloads of failures are not looked into.
const LONGEST: usize = 64 << 10;

/// An error frame: its code and text.
pub struct FrameError {
    pub code: i32,
    pub text: String,
    pub retry_after: Option<f64>,
}

/// What an error's body says.
#[derive(Default)]
pub struct Told {
    pub text: String,
    pub code: String,
    pub field: Option<String>,
}

pub fn json(body: &[u8]) -> Option<Value> {
    if body.is_empty() || body.len() >= LONGEST { None } else { serde_json::from_slice(body).ok() }
}

/// The body of a refusal: in the platform's form, in that of OAuth, or plain text.
pub fn told(body: &[u8]) -> Told {
    let Some(json) = json(body) else {
        let text: String =
            String::from_utf8_lossy(body.get(..LONGEST.min(body.len())).unwrap_or_default()).into_owned();
        return Told { text: text.trim().to_owned(), ..Told::default() };
    };
    let word = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = |names: [&str; 3]| names.into_iter().map(word).find(|w| !w.is_empty()).unwrap_or_default();
    let text = first(["message", "error_description", "error"]);
    let code = first(["code", "error", "errorCode"]);
    let detail = json.get("details").and_then(|d| d.get(0)).and_then(|d| d.get("fieldName")).and_then(Value::as_str);
    let field = detail.map(str::to_owned).or_else(|| field_of(&text).map(str::to_owned));
    Told { text, code, field }
}

/// `from.id: is missing` names a field.
fn field_of(text: &str) -> Option<&str> {
    let (field, _) = text.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']');
    (!field.is_empty() && field.len() <= 80 && field.chars().all(is_name)).then_some(field)
}

/// An error frame, in the form of Web Messaging or of the unverified flows. Looks into small frames only that may be
/// one.
pub fn frame_error(record: &Record) -> Option<FrameError> {
    let has = |text: &str| memchr::memmem::find(&record.body, text.as_bytes()).is_some();
    if record.code < 400 && !has("\"error\"") {
        return None;
    }
    let frame = json(&record.body)?;
    let body = frame.get("payload").or_else(|| frame.get("body")).unwrap_or(&frame);
    let number = |v: &Value, name: &str| v.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok());
    let is_error = frame.get("type").and_then(Value::as_str).is_some_and(|t| t.eq_ignore_ascii_case("error"));
    if record.code < 400 && !is_error {
        return None;
    }
    let code = number(body, "errorCode").or_else(|| number(body, "code")).unwrap_or(record.code);
    let word = |name: &str| body.get(name).and_then(Value::as_str);
    let text = body.as_str().or_else(|| word("errorMessage")).or_else(|| word("message")).unwrap_or_default();
    let retry_after = body.get("retryAfter").and_then(Value::as_f64);
    Some(FrameError { code, text: text.to_owned(), retry_after })
}

/// `id` of a small answer.
pub fn id_of(body: &[u8]) -> Option<Box<str>> {
    if body.len() > 4096 {
        return None;
    }
    json(body)?.get("id")?.as_str().filter(|id| !id.is_empty()).map(Into::into)
}

/// `scope` of a token request's form.
pub fn scope_asked(form: &[u8]) -> Option<String> {
    url::form_urlencoded::parse(form).find(|(name, _)| name == "scope").map(|(_, value)| value.into_owned())
}

/// Scopes that a refusal names: `Missing required scope: a:b`, `(a:b, c:d)`.
pub fn scopes_named(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let Some(at) = lower.find("scope").or_else(|| lower.find("permission")) else { return Vec::new() };
    let after = text.get(at..).unwrap_or_default();
    let stops = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '[' | ']' | '"' | '\'' | '“' | '”');
    let is_scope = |w: &&str| {
        let parts: Vec<&str> = w.split(':').collect();
        parts.len() >= 2
            && parts
                .iter()
                .all(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
    };
    after.split(stops).map(|w| w.trim_matches('.')).filter(is_scope).map(str::to_owned).collect()
}

/// The numbers in brackets or parentheses of a text, in their order.
pub fn numbers(text: &str) -> Vec<f64> {
    text.split(['[', '(']).skip(1).filter_map(|p| p.split([']', ')']).next()?.trim().parse().ok()).collect()
}

/// Ids in a path, by the word before them, or in a body, by its members.
#[derive(Default)]
pub struct Ids<'a> {
    pub conversation: Option<&'a str>,
    pub guest: Option<&'a str>,
    pub contact: Option<&'a str>,
    pub queue: Option<&'a str>,
}

pub fn path_ids(path: &str) -> Ids<'_> {
    let mut ids = Ids::default();
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    for (n, part) in parts.iter().enumerate() {
        let next = parts.get(n + 1).copied();
        match *part {
            "conversations" if next == Some("messaging") => {
                ids.conversation = parts.get(n + 2).copied().filter(|id| *id != "external");
            }
            "conversations" => ids.conversation = next,
            "guests" => ids.guest = next,
            "contacts" => ids.contact = next,
            "queues" => ids.queue = next,
            _ => {}
        }
    }
    ids
}

pub fn body_ids(body: Option<&Value>) -> Ids<'_> {
    let word = |path: &str| path.split('.').try_fold(body?, |v, name| v.get(name)).and_then(Value::as_str);
    let to = || body?.get("to")?.get(0)?.get("id")?.as_str();
    Ids {
        conversation: word("conversationId"),
        guest: word("guestId").or_else(|| word("externalContactId")),
        contact: word("contactId"),
        queue: word("routingData.queueId").or_else(|| word("routing.queue.id")).or_else(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_scopes_and_numbers_are_read_from_refusals() {
        let body = br#"{"message":"from.id: is missing","code":"invalid.value","details":[{"fieldName":"from.id"}]}"#;
        let t = told(body);
        assert_eq!(
            (t.text.as_str(), t.code.as_str(), t.field.as_deref()),
            ("from.id: is missing", "invalid.value", Some("from.id"))
        );
        assert_eq!(
            told(br#"{"message":"Idempotency-Key: the header is missing"}"#).field.as_deref(),
            Some("Idempotency-Key")
        );
        assert_eq!(told(b"Guest not found: x").field, None);
        assert_eq!(told(br#"{"error":"invalid_client","error_description":"no"}"#).code, "invalid_client");
        assert_eq!(scopes_named("Missing required scope: guest:create"), ["guest:create"]);
        assert_eq!(scopes_named("needs scopes (a:b, c:d-e:f)."), ["a:b", "c:d-e:f"]);
        assert!(scopes_named("at 12:30 nothing").is_empty());
        assert_eq!(numbers("maximum [100] requests within [1] seconds"), [100.0, 1.0]);
    }

    #[test]
    fn ids_are_found_in_the_paths_of_all_flows() {
        let of = |path| {
            let ids = path_ids(path);
            [ids.conversation, ids.guest, ids.contact, ids.queue]
        };
        let base = "/api/v2/webmessaging/conversations/c1/guests/g1/refresh";
        assert_eq!(of(base), [Some("c1"), Some("g1"), None, None]);
        let contact = "/api/v2/conversations/messaging/external/contacts/k1/messages";
        assert_eq!(of(contact), [None, None, Some("k1"), None]);
        assert_eq!(of("/api/v2/conversations/messaging/c2"), [Some("c2"), None, None, None]);
        assert_eq!(of("/api/v2/conversations/messaging"), [None; 4]);
        assert_eq!(of("/api/v2/guests/g2/sessions/s/ws"), [None, Some("g2"), None, None]);
        assert_eq!(of("/api/v2/routing/queues/q1"), [None, None, None, Some("q1")]);
        assert_eq!(of(""), [None; 4]);
    }
}
