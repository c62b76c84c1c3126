//! Looks at an environment before a session is made: what answers, what is configured, how far apart the clocks are.
//!
//! A wrong deployment id, an inactive deployment, an origin off the allow-list and a wrong region all look the same at
//! the socket (403). Here each is asked for on its own.

use std::sync::Arc;

use serde_json::Value;

use super::LazyVault;
use super::core::clients_of;
use super::log::Log;
use super::transport::faults;
use super::transport::http::{Answer, Caller};
use super::transport::socket::Opening;
use crate::dialect::Call;
use crate::model::environment::Environment;
use crate::model::{Hosts, Report, ServerTime, SessionId};

/// Skew from which a person is warned; less does not harm a token.
const SKEW_LIMIT_US: i64 = 5_000_000;

/// One line per check, good or bad.
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
    let caller = Caller {
        log: log.clone(),
        session: SessionId::NONE,
        environment: environment.clone(),
        clients: clients.clone(),
    };
    let mut checks = Vec::new();
    if environment.deployment_id.trim().is_empty() {
        checks.push(Err(Report::new("no-deployment", "No deployment id", "The environment names no deployment.")
            .remedy("Copy the id from the messenger deployment's page in the vendor's administration.")));
    }
    let mut server = ServerTime::default();
    let config =
        caller.call(&get(&deployment_file(&hosts, &environment, "config.json"), "deployment config", &[])).await;
    observe(&mut server, &config);
    checks.push(config.and_then(|answer| check_config(&hosts, &environment, &answer)));
    let domains =
        caller.call(&get(&deployment_file(&hosts, &environment, "domains.json"), "allowed domains", &[])).await;
    observe(&mut server, &domains);
    checks.push(domains.and_then(|answer| check_domains(&environment, &answer)));
    let api = caller.call(&get(&format!("{}/api/v2/webmessaging/messages", hosts.api), "reach the API", &[])).await;
    observe(&mut server, &api);
    checks.push(api.and_then(|answer| check_api(&hosts, &answer)));
    checks.push(check_socket(log, &environment, &hosts, clients).await);
    checks.push(check_skew(&server));
    checks
}

fn deployment_file(hosts: &Hosts, environment: &Environment, name: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(environment.deployment_id.trim().as_bytes()).collect();
    format!("{}/webdeployments/v1/deployments/{id}/{name}", hosts.cdn)
}

fn get(url: &str, purpose: &'static str, headers: &[(String, String)]) -> Call {
    Call { method: "GET", url: url.to_owned(), headers: headers.to_vec(), body: bytes::Bytes::new(), purpose }
}

fn observe(server: &mut ServerTime, answer: &Result<Answer, Report>) {
    if let Ok(answer) = answer
        && let Some(date) = answer.date()
    {
        server.observe(date, answer.sent, answer.received);
    }
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

async fn check_socket(
    log: &Log,
    environment: &Arc<Environment>,
    hosts: &Hosts,
    clients: super::transport::client::Clients,
) -> Result<String, Report> {
    let id: String = url::form_urlencoded::byte_serialize(environment.deployment_id.trim().as_bytes()).collect();
    let headers = environment.origin.iter().map(|o| ("Origin".to_owned(), o.clone())).collect();
    let opening = Opening {
        log: log.clone(),
        session: SessionId::NONE,
        environment: environment.clone(),
        clients,
        conn: 0,
        url: format!("{}?deploymentId={id}", hosts.guest_socket),
        headers,
    };
    match opening.open().await {
        Ok(_) => Ok(format!("guest socket: {} opens", faults::host_of(&hosts.guest_socket))),
        Err(refused) => Err(refused.report),
    }
}

fn check_skew(server: &ServerTime) -> Result<String, Report> {
    let Some(skew) = server.skew_micros() else {
        return Ok("clocks: no server told its time".into());
    };
    let secs = skew as f64 / 1e6;
    if skew.abs() < SKEW_LIMIT_US {
        return Ok(format!("clocks: the server is {secs:+.1} s from ours"));
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
