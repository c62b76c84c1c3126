//! One HTTP call: recorded before it leaves and when its answer is whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::client::{Clients, USER_AGENT};
use super::faults;
use crate::dialect::Call;
use crate::engine::log::{Log, MAX_STORED};
use crate::model::record::{Headers, HttpRequest, HttpResponse};
use crate::model::{Direction, Draft, Environment, Flags, Kind, Now, Report, SessionId, Wall};

/// A body that is sent has so much longer: a second for each 64 KiB.
const SLOWEST_UPLOAD: u64 = 64 << 10;

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
    pub sent: Now,
    pub received: Now,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The server's clock, from its `Date`.
    pub fn date(&self) -> Option<Wall> {
        self.header("date").and_then(Wall::parse_http_date)
    }

    /// `Retry-After` in seconds, or as a date seen from the answer's own `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(n) = text.parse::<u32>() {
            return Some(Duration::from_secs(u64::from(n)));
        }
        let until = Wall::parse_http_date(text)?;
        let from = self.date().unwrap_or(self.received.wall);
        Some(Duration::from_micros(u64::try_from(until.micros_since(from)).unwrap_or(0)))
    }
}

/// Who calls, and where it is written down.
#[derive(Clone)]
pub struct Caller {
    pub log: Log,
    pub session: SessionId,
    pub environment: Arc<Environment>,
    pub clients: Clients,
}

impl Caller {
    /// Makes the call. A missing answer is recorded too, and told.
    pub async fn call(&self, call: &Call) -> Result<Answer, Report> {
        let sent = self.log.now();
        let headers = header_map(&call.headers)?;
        let request = self.record_request(sent, call, &headers);
        match self.exchange(call, headers, sent, request).await {
            Ok(answer) => Ok(answer),
            Err(report) => {
                self.record_failure(request, &report);
                Err(report)
            }
        }
    }

    fn record_request(&self, sent: Now, call: &Call, headers: &HeaderMap) -> u64 {
        let head = HttpRequest {
            method: call.method.to_owned(),
            url: call.url.clone(),
            version: String::new(),
            headers: sent_headers(&call.url, headers),
            purpose: call.purpose.to_owned(),
            tracing: call.tracing.clone(),
        };
        let size = call.body.len() as u64;
        let mut draft = Draft::new(sent, self.session, Kind::HttpRequest, Direction::Sent)
            .head(&head)
            .body(call.body.slice(..call.body.len().min(MAX_STORED)))
            .flags(Flags::STORY);
        draft.size = size;
        if call.body.len() > MAX_STORED {
            draft = draft.flags(Flags::CUT);
        }
        self.log.add(draft)
    }

    fn record_failure(&self, request: u64, report: &Report) {
        let mut draft = Draft::fact(self.log.now(), self.session, &crate::model::Fact::Fault(report.clone()));
        draft.kind = Kind::HttpFailed;
        draft.direction = Direction::Received;
        self.log.add(draft.reply_to(request));
    }

    async fn exchange(&self, call: &Call, headers: HeaderMap, sent: Now, request: u64) -> Result<Answer, Report> {
        let method = reqwest::Method::from_bytes(call.method.as_bytes())
            .map_err(|e| Report::new("bad-request", "The request cannot be sent", e.to_string()))?;
        let mut builder = self.clients.http.request(method, &call.url).headers(headers);
        if !call.body.is_empty() || matches!(call.method, "POST" | "PUT" | "PATCH") {
            builder = builder.body(call.body.clone());
        }
        let patient = self.clients.answer_within + Duration::from_secs(call.body.len() as u64 / SLOWEST_UPLOAD);
        let limit = call.within.unwrap_or(patient);
        let response = tokio::time::timeout(limit, builder.send())
            .await
            .map_err(|_| faults::timeout(&faults::host_of(&call.url)))?
            .map_err(|e| faults::no_answer(&self.environment, &call.url, &e))?;
        let head_at = self.log.now();
        let status = response.status();
        let version = version_word(response.version());
        let headers = headers_of(response.headers());
        let body = self.read_body(&call.url, response).await?;
        let received = self.log.now();
        let head = HttpResponse {
            status: status.as_u16(),
            reason: status.canonical_reason().unwrap_or_default().to_owned(),
            version,
            headers: headers.clone(),
            wait_us: head_at.mono.since(sent.mono).as_micros() as u64,
            receive_us: received.mono.since(head_at.mono).as_micros() as u64,
            purpose: call.purpose.to_owned(),
            tracing: call.tracing.clone(),
        };
        let mut draft = Draft::new(received, self.session, Kind::HttpResponse, Direction::Received)
            .head(&head)
            .code(i32::from(status.as_u16()))
            .reply_to(request)
            .flags(Flags::STORY);
        if !status.is_success() && !status.is_redirection() {
            draft = draft.flags(Flags::FAULT);
        }
        if body.len() > MAX_STORED {
            draft = draft.flags(Flags::CUT);
        }
        draft = draft.body(body.slice(..body.len().min(MAX_STORED)));
        draft.size = body.len() as u64;
        self.log.add(draft);
        Ok(Answer { status: status.as_u16(), headers, body, sent, received })
    }

    async fn read_body(&self, url: &str, mut response: reqwest::Response) -> Result<Bytes, Report> {
        let mut body = BytesMut::new();
        loop {
            // A long answer may take its time, as long as something comes.
            let piece = tokio::time::timeout(self.clients.answer_within, response.chunk())
                .await
                .map_err(|_| faults::timeout(&faults::host_of(url)))?;
            let Some(piece) = piece.map_err(|e| faults::no_answer(&self.environment, url, &e))? else { break };
            if body.len() + piece.len() > MAX_ANSWER {
                return Err(Report::new(
                    "answer-too-long",
                    "The answer is too long",
                    format!("{} sent more than {} MiB.", faults::host_of(url), MAX_ANSWER >> 20),
                ));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

/// The header lines that go out: ours, and the `host` that the HTTP library puts before them.
pub fn sent_headers(url: &str, own: &HeaderMap) -> Headers {
    let mut all: Headers = vec![("host".into(), faults::host_of(url))];
    all.extend(headers_of(own));
    all
}

/// Our headers and the two that every call carries.
pub fn header_map(own: &Headers) -> Result<HeaderMap, Report> {
    let mut map = HeaderMap::new();
    map.insert(reqwest::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    map.insert(reqwest::header::ACCEPT, HeaderValue::from_static("*/*"));
    for (name, value) in own {
        let bad = |what: String| {
            Report::new("bad-header", "A header cannot be sent", format!("{name}: {what}"))
                .remedy("Header values are visible ASCII on one line.")
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad(e.to_string()))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|e| bad(e.to_string()))?;
        map.insert(key, value);
    }
    Ok(map)
}

/// Header lines as they came; bytes that are not UTF-8 are replaced visibly.
pub fn headers_of(map: &HeaderMap) -> Headers {
    map.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

pub fn version_word(v: reqwest::Version) -> String {
    format!("{v:?}")
}
