//! Ready-made answers: one library, a few responses.

use serde_json::{Value, json};

use super::super::flows::Answer;
use super::super::flows::fields::{self, Fields};
use super::super::ids;
use super::call::{Call, no, not_found, ok};

const SEE: [&str; 1] = ["responses:response:view"];

pub(super) struct Replies {
    library: String,
    /// Id, name and text.
    all: Vec<(String, &'static str, &'static str)>,
}

impl Replies {
    pub(super) fn new() -> Self {
        let all = [
            ("Greeting", "Hello, thank you for your message. How can I help?"),
            ("One moment", "One moment please, I am looking it up."),
            ("Goodbye", "Thank you for writing. Have a good day!"),
        ];
        Self { library: ids::uuid(), all: all.map(|(name, text)| (ids::uuid(), name, text)).into() }
    }

    /// The text of a response.
    pub(super) fn text(&self, id: &str) -> Option<&'static str> {
        self.all.iter().find(|(i, ..)| i == id).map(|(.., text)| *text)
    }

    fn told(&self, (id, name, text): &(String, &str, &str)) -> Value {
        json!({
            "id": id, "name": name, "version": 1, "interactionType": "messaging",
            "libraries": [{ "id": self.library, "name": LIBRARY }],
            "texts": [{ "content": text, "contentType": "text/plain", "type": "plain" }],
            "substitutions": [], "selfUri": format!("/api/v2/responsemanagement/responses/{id}"),
        })
    }
}

const LIBRARY: &str = "Sandbox replies";

/// `GET /api/v2/responsemanagement/libraries`.
pub(super) fn libraries(call: &mut Call) -> Answer {
    call.need(&["responses:library:view"])?;
    let id = call.state.platform.replies.library.clone();
    let uri = format!("/api/v2/responsemanagement/libraries/{id}");
    let all = vec![json!({ "id": id, "name": LIBRARY, "version": 1, "selfUri": uri })];
    call.page("/api/v2/responsemanagement/libraries", all)
}

/// `GET /api/v2/responsemanagement/responses?libraryId=…`.
pub(super) fn list(call: &mut Call) -> Answer {
    call.need(&SEE)?;
    let Some(library) = call.asked("libraryId") else {
        return Err(no(400, "invalid.value", "libraryId: is missing"));
    };
    let replies = &call.state.platform.replies;
    if library != replies.library {
        return Err(not_found("Library", library));
    }
    let all = replies.all.iter().map(|r| replies.told(r)).collect();
    call.page("/api/v2/responsemanagement/responses", all)
}

/// `GET /api/v2/responsemanagement/responses/{id}`.
pub(super) fn one(call: &mut Call) -> Answer {
    call.need(&SEE)?;
    let (id, replies) = (call.part("id"), &call.state.platform.replies);
    let found = replies.all.iter().find(|(i, ..)| i == id).ok_or_else(|| not_found("Response", id))?;
    ok(&replies.told(found))
}

/// `POST /api/v2/responsemanagement/responses/query`: those with all the words in their name or text.
pub(super) fn query(call: &mut Call) -> Answer {
    call.need(&SEE)?;
    let body = fields::object(call.body)?;
    let mut f = Fields::of(&body);
    let words: Vec<String> = match f.at("queryPhrase") {
        Some(_) => f.text("queryPhrase").to_lowercase().split_whitespace().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    f.done()?;
    let replies = &call.state.platform.replies;
    let fits = |(_, name, text): &&(String, &str, &str)| {
        let all = format!("{name} {text}").to_lowercase();
        words.iter().all(|w| all.contains(w))
    };
    let found: Vec<Value> = replies.all.iter().filter(fits).map(|r| replies.told(r)).collect();
    ok(&json!({ "results": {
        "total": found.len(), "pageCount": 1, "pageSize": 25, "pageNumber": 1, "entities": found,
    } }))
}
