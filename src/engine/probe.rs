//! Looks at an environment before a session is made: what answers, what is configured, how far apart the clocks are.
//!
//! A wrong deployment id, an inactive deployment, an origin off the allow-list and a wrong region all look the same at
//! the socket (403). Here each is asked for on its own.

mod agents;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::LazyVault;
use super::log::Log;
use super::means::clients_of;
use super::transport::faults;
use super::transport::frames::{ReadError, Wire};
use super::transport::http::{Answer, Caller};
use super::transport::socket::{Opening, Socket};
use crate::dialect::Call;
use crate::model::environment::Environment;
use crate::model::{Direction, Draft, Fact, Flags, Hosts, Kind, Report, ServerTime, SessionId};

/// Skew from which a person is warned; less does not harm a token.
const SKEW_LIMIT_US: i64 = 5_000_000;

/// How long the server may take to answer the close frame of the socket that was opened to see whether it opens.
const CLOSING: Duration = Duration::from_secs(3);

/// How the line of a check ends that could not be made, because the environment does not say where.
pub const NOT_CHECKED: &str = "not checked";

/// One line per check, good or bad. What cannot be checked is a good line with [`NOT_CHECKED`].
pub async fn run(log: &Log, vault: Arc<LazyVault>, environment: Environment) -> Vec<Result<String, Report>> {
    let hosts = match environment.hosts() {
        Ok(hosts) => hosts,
        Err(report) => return vec![Err(report)],
    };
    let environment = Arc::new(environment);
    let clients = match clients_of(log, vault, environment.clone()).await {
        Ok(clients) => clients,
        Err(report) => return vec![Err(report)],
    };
    let caller = Caller { log: log.clone(), session: SessionId::NONE, environment, clients };
    let mut probe = Probe { hosts, caller, server: ServerTime::default(), checks: Vec::new() };
    probe.deployment().await;
    probe.api().await;
    probe.sign_in();
    probe.agents().await;
    probe.socket().await;
    probe.checks.push(check_skew(&probe.server));
    probe.checks
}

struct Probe {
    hosts: Hosts,
    caller: Caller,
    server: ServerTime,
    checks: Vec<Result<String, Report>>,
}

impl Probe {
    async fn deployment(&mut self) {
        if self.hosts.cdn.is_empty() {
            self.skip("deployment and allowed domains", "no CDN host given");
            return;
        }
        let environment = self.caller.environment.clone();
        if environment.deployment_id.trim().is_empty() {
            self.checks.push(Err(Report::new(
                "no-deployment",
                "No deployment id",
                "The environment names no deployment.",
            )
            .remedy("Copy the id from the messenger deployment's page in the vendor's administration.")));
            self.skip("deployment and allowed domains", "no deployment id given");
            return;
        }
        let config = self.get(&deployment_file(&self.hosts, &environment, "config.json"), "deployment config").await;
        self.checks.push(config.and_then(|answer| check_config(&self.hosts, &environment, &answer)));
        let domains = self.get(&deployment_file(&self.hosts, &environment, "domains.json"), "allowed domains").await;
        self.checks.push(domains.and_then(|answer| check_domains(&environment, &answer)));
    }

    async fn api(&mut self) {
        if self.hosts.api.is_empty() {
            self.skip("API", "no API host given; history cannot be read");
            return;
        }
        let answer = self.get(&format!("{}/api/v2/webmessaging/messages", self.hosts.api), "reach the API").await;
        self.checks.push(answer.and_then(|answer| check_api(&self.hosts, &answer)));
    }

    /// A token is not asked for here: that needs the secret.
    fn sign_in(&mut self) {
        let client = self.caller.environment.client_id.as_deref().unwrap_or_default();
        if !client.trim().is_empty() && self.hosts.login.is_empty() {
            self.skip("OAuth", "no login host given");
        }
    }

    async fn get(&mut self, url: &str, purpose: &'static str) -> Result<Answer, Report> {
        let call = Call { method: "GET", url: url.to_owned(), headers: Vec::new(), purpose, ..Call::default() };
        let answer = self.caller.call(&call).await?;
        if let Some(date) = answer.date() {
            self.server.observe(date, answer.sent, answer.received);
        }
        Ok(answer)
    }

    async fn socket(&mut self) {
        // Sockets of no session are told apart by their number.
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let Caller { log, environment, clients, .. } = self.caller.clone();
        let id: String = url::form_urlencoded::byte_serialize(environment.deployment_id.trim().as_bytes()).collect();
        let conn = OPENED.fetch_add(1, Ordering::Relaxed) + 1;
        let opening = Opening {
            log: log.clone(),
            session: SessionId::NONE,
            headers: environment
                .origin
                .iter()
                .filter(|o| !o.is_empty())
                .map(|o| ("Origin".to_owned(), o.clone()))
                .collect(),
            environment,
            clients,
            conn,
            url: format!("{}?deploymentId={id}", self.hosts.guest_socket),
        };
        let check = match opening.open().await {
            Ok(socket) => {
                if let Some((date, sent, received)) = socket.date {
                    self.server.observe(date, sent, received);
                }
                hang_up(&log, conn, socket).await;
                Ok(format!("guest socket: {} opens", faults::host_of(&self.hosts.guest_socket)))
            }
            Err(refused) => Err(refused.report),
        };
        self.checks.push(check);
    }

    fn skip(&mut self, what: &str, why: &str) {
        self.checks.push(Ok(format!("{what}: {why}, {NOT_CHECKED}")));
    }
}

/// Closes a socket as a session does, with a record of all that passes. A server that does not answer the close frame
/// is no fault of the environment: the record says so, the check does not.
async fn hang_up(log: &Log, conn: u32, mut socket: Socket) {
    let draft = |kind, direction| Draft::new(log.now(), SessionId::NONE, kind, direction).conn(conn);
    let until = Instant::now() + CLOSING;
    let reason = Bytes::from_static(b"only looked whether it opens");
    log.add(draft(Kind::Close, Direction::Sent).code(1000).flags(Flags::STORY).body(reason.clone()));
    let why = match socket.sender.send(Wire::Close { code: 1000, reason }) {
        Err(report) => report.what,
        Ok(()) => loop {
            let (kind, flags, body) = match timeout_at(until, socket.reader.next()).await {
                Ok(Ok(Some(Wire::Close { code, reason }))) => {
                    log.add(
                        draft(Kind::Close, Direction::Received).code(i32::from(code)).flags(Flags::STORY).body(reason),
                    );
                    return;
                }
                Ok(Ok(Some(Wire::Text(body)))) => (Kind::Text, Flags::default(), body),
                Ok(Ok(Some(Wire::Binary(body)))) => (Kind::Binary, Flags::default(), body),
                Ok(Ok(Some(Wire::Ping(body)))) => (Kind::Ping, Flags::HEARTBEAT, body),
                Ok(Ok(Some(Wire::Pong(body)))) => (Kind::Pong, Flags::HEARTBEAT, body),
                Ok(Ok(None)) => break "The server ended the connection without a close frame.".to_owned(),
                Ok(Err(ReadError::Io(e))) => break e.to_string(),
                Ok(Err(ReadError::Violation(v))) => break format!("The server broke the WebSocket protocol: {v}."),
                Err(_) => break "The server did not answer our close frame.".to_owned(),
            };
            log.add(draft(kind, Direction::Received).flags(flags).body(body));
        },
    };
    let mut lost = Draft::fact(
        log.now(),
        SessionId::NONE,
        &Fact::Fault(Report::new("connection-lost", "The connection was lost", why)),
    );
    lost.kind = Kind::SocketLost;
    lost.direction = Direction::Received;
    log.add(lost.conn(conn));
}

fn deployment_file(hosts: &Hosts, environment: &Environment, name: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(environment.deployment_id.trim().as_bytes()).collect();
    format!("{}/webdeployments/v1/deployments/{id}/{name}", hosts.cdn)
}

fn check_config(hosts: &Hosts, environment: &Environment, answer: &Answer) -> Result<String, Report> {
    let host = faults::host_of(&hosts.cdn);
    if answer.status == 403 || answer.status == 404 {
        return Err(Report::new(
            "no-such-deployment",
            format!("{host} knows no such deployment ({})", answer.status),
            format!("There is no config.json for “{}” there.", environment.deployment_id),
        )
        .remedy("Check the deployment id.")
        .remedy("Check the region: a deployment lives in one region only."));
    }
    let config: Value = json(&host, answer)?;
    match config.get("status").and_then(Value::as_str) {
        Some("Active") => {}
        Some(other) => {
            return Err(Report::new(
                "inactive-deployment",
                "The deployment is not active",
                format!("Its status is “{other}”."),
            )
            .remedy("Activate the deployment in the vendor's administration."));
        }
        None => return Err(unexpected(&host, "config.json names no status")),
    }
    let endpoint = config.pointer("/messenger/apps/conversations/messagingEndpoint").and_then(Value::as_str);
    let mine = faults::host_of(&hosts.guest_socket);
    if let Some(theirs) = endpoint.map(faults::host_of).filter(|t| t != "the server" && *t != mine) {
        return Err(Report::new(
            "wrong-region",
            "The deployment belongs to another region",
            format!("Its messages go to {theirs}; this environment uses {mine}."),
        )
        .remedy(format!("Set the environment's region to the one of {theirs}.")));
    }
    Ok(format!("deployment: active, config.json read from {host}"))
}

fn check_domains(environment: &Environment, answer: &Answer) -> Result<String, Report> {
    if answer.status != 200 {
        return Ok(format!("allowed domains: not told (domains.json answered {})", answer.status));
    }
    let domains: Value = json("domains.json", answer)?;
    if domains.get("allowAllDomains").and_then(Value::as_bool).unwrap_or(false) {
        return Ok("allowed domains: all".into());
    }
    let list: Vec<&str> = domains
        .get("allowedDomains")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let origin = environment.origin.as_deref().unwrap_or("").trim();
    let host =
        url::Url::parse(origin).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_else(|| origin.to_owned());
    // Matched as the vendor's own client does: host name only, whatever the case, exact or as a subdomain.
    let fits = |entry: &&str| {
        let (host, entry) = (host.to_ascii_lowercase(), entry.to_ascii_lowercase());
        host == entry || host.ends_with(&format!(".{entry}"))
    };
    if !host.is_empty() && list.iter().any(fits) {
        return Ok(format!("allowed domains: {host} is on the list"));
    }
    let shown = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let what = if host.is_empty() {
        "The environment sends no origin.".to_owned()
    } else {
        format!("“{host}” is not among them.")
    };
    Err(Report::new("origin-not-allowed", "The deployment restricts domains", what)
        .remedy(format!("Set the origin to one that the deployment allows: {shown}."))
        .remedy("Or add this one to the deployment's allowed domains."))
}

fn check_api(hosts: &Hosts, answer: &Answer) -> Result<String, Report> {
    let host = faults::host_of(&hosts.api);
    match answer.status {
        // Without a token the vendor's API answers 401: it is there, and it is the right one.
        401 => Ok(format!("API: {host} answers in {} ms", answer.received.mono.since(answer.sent.mono).as_millis())),
        s => Err(Report::new(
            "unexpected-api",
            format!("{host} does not look like the vendor's API"),
            format!("A call without a token was answered with {s}; 401 was expected."),
        )
        .remedy("Check the region or the API address.")),
    }
}

fn check_skew(server: &ServerTime) -> Result<String, Report> {
    let Some(skew) = server.skew_micros() else {
        return Ok(format!("clocks: no server told its time, {NOT_CHECKED}"));
    };
    let secs = skew as f64 / 1e6;
    if skew.abs() < SKEW_LIMIT_US {
        let known = server.uncertainty_micros().unwrap_or(0) as f64 / 1e6;
        return Ok(format!("clocks: the server is {secs:+.1} s from ours, known to ± {known:.1} s"));
    }
    Err(Report::new(
        "skew",
        "The clocks are far apart",
        format!("The server's clock is {secs:+.1} s from this computer's."),
    )
    .remedy(
        "Let this computer set its clock from the network (NTP). Until then all countdowns follow the server's clock.",
    ))
}

fn json(host: &str, answer: &Answer) -> Result<Value, Report> {
    serde_json::from_slice(&answer.body)
        .map_err(|e| unexpected(host, &format!("status {}, not JSON: {e}", answer.status)))
}

fn unexpected(host: &str, what: &str) -> Report {
    Report::new("unexpected-answer", format!("{host} answered something else"), what.to_owned())
        .remedy("Check the addresses in the environment, and for a captive portal or proxy.")
}
