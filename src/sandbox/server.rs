//! Accepts connections, keeps foreigners out, and leads each request to its place.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State as Shares};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, put};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::guard::{self, Origin};
use super::shared::Shared;
use super::{api, control, descriptors, flows, member_calls, oauth, platform, socket, storage};

/// How long a client may take to send the head of a request. So long may a kept connection rest, too: longer than
/// any heartbeat's interval, or it would be closed in the moment in which it is used again.
const HEAD: Duration = Duration::from_secs(75);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Largest body of a request other than an upload.
const BODY: usize = 512_000;

/// A place among the connections, free again once nobody holds it.
#[derive(Clone)]
pub(super) struct Permit(#[expect(dead_code, reason = "held, never looked at")] Arc<OwnedSemaphorePermit>);

/// Serves until [`Shared::end`]. Each connection holds a permit, also after its upgrade to a socket.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let router = routes(&shared);
    // More wait to be accepted.
    let permits = Arc::new(Semaphore::new(descriptors::connections()));
    let mut pause = Duration::from_millis(10);
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = shared.ended() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, mostly: try again, ever more slowly.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
        };
        pause = Duration::from_millis(10);
        // A small frame must not wait for the next one.
        let _ = stream.set_nodelay(true);
        // Held by the service, and by the socket that a request may become.
        let permit = Permit(Arc::new(permit));
        let service = TowerToHyperService::new(router.clone().layer(Extension(permit)));
        let (watch, tls) = (Arc::clone(&shared), tls.clone());
        shared.spawn(async move {
            let Some(tls) = tls else { return talk(stream, service, &watch).await };
            let secured = tokio::select! {
                secured = tokio::time::timeout(HANDSHAKE, secure(stream, &tls)) => secured,
                () = watch.ended() => return,
            };
            if let Ok(Some(stream)) = secured {
                talk(stream, service, &watch).await;
            }
        });
    }
}

/// The TLS handshake. Whoever speaks plainly is told so.
async fn secure(mut stream: TcpStream, tls: &TlsAcceptor) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    stream.peek(&mut first).await.ok()?;
    // The content type of a handshake record.
    if first == [0x16] {
        return tls.accept(stream).await.ok();
    }
    let text = "This port speaks TLS: use https:// and wss://.\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()?;
    // What is left unread would break the answer off.
    let _ = stream.read(&mut [0; 16 << 10]).await;
    None
}

async fn talk<S>(stream: S, service: TowerToHyperService<Router>, watch: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD).clone();
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    tokio::select! {
        // A client that breaks off or sends nonsense ends its own connection only.
        _ = &mut connection => {}
        () = watch.ended() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_secs(1), connection).await;
        }
    }
}

fn routes(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/v1", any(socket::upgrade))
        .route("/v1/", any(socket::upgrade))
        .route("/api/v2/webmessaging/messages", get(api::history))
        .route("/webdeployments/v1/deployments/{id}/config.json", get(storage::config))
        .route("/webdeployments/v1/deployments/{id}/domains.json", get(storage::domains))
        .route("/upload/{key}", put(storage::upload).layer(DefaultBodyLimit::disable()))
        .route("/dl/{key}", get(storage::download))
        .route("/control", get(control::status).post(control::order))
        .merge(oauth::routes())
        .merge(flows::routes())
        .merge(member_calls::routes())
        .merge(platform::routes())
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::not_allowed)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(shared), gate))
        .with_state(Arc::clone(shared))
}

/// Stands before everything: host, origin, preflight; and behind it: date, correlation id, allowed origin.
async fn gate(Shares(shared): Shares<Arc<Shared>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = one(headers, header::HOST);
    let origin = one(headers, header::ORIGIN);
    let checked = match (host, origin) {
        (Err(e), _) | (_, Err(e)) => Err(e),
        (Ok(host), Ok(origin)) => guard::check_host(host, shared.port, shared.secure)
            .and_then(|()| guard::check_origin(origin, &shared.allow_origins)),
    };
    let page = match &checked {
        Ok(Some(Origin::Page(page))) => HeaderValue::from_str(page).ok(),
        _ => None,
    };
    let path = request.uri().path().to_owned();
    let in_api = path.starts_with("/api/") || path.starts_with("/oauth/");
    // Sockets are refused by orders of their own.
    let refusable =
        (in_api || path.starts_with("/broker/") || path == "/crm") && !headers.contains_key(header::UPGRADE);
    let preflight = request.method() == Method::OPTIONS && page.is_some();
    let wished = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = match checked {
        Err(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        Ok(_) if preflight => StatusCode::NO_CONTENT.into_response(),
        Ok(_) if refusable => {
            let (before, after) = shared.act(|state, _| state.faults.slowness(&path));
            pause(before).await;
            let refusal = shared.act(|state, _| state.faults.refuse(&path));
            let response = match refusal {
                Some(refusal) if !refusal.after => api::ordered(refusal),
                _ if in_api && let Some(no) = too_large(&shared, request.headers()) => no,
                refusal => {
                    let answer = next.run(request).await;
                    refusal.map_or(answer, api::ordered)
                }
            };
            pause(after).await;
            response
        }
        Ok(_) => next.run(request).await,
    };
    let out = response.headers_mut();
    if let Some(page) = page {
        out.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page);
        out.insert(header::VARY, HeaderValue::from_static("Origin"));
        out.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "ININ-Correlation-Id, Retry-After, Idempotency-Replayed, inin-ratelimit-count, inin-ratelimit-allowed, inin-ratelimit-reset",
            ),
        );
        if preflight {
            out.insert(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
            let any = HeaderValue::from_static("authorization, content-type, idempotency-key, x-amz-tagging");
            out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wished.unwrap_or(any));
            out.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            // Asked for by browsers before a public page may speak to this computer.
            out.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
        }
    }
    if in_api
        && !out.contains_key(api::CORRELATION)
        && let Ok(id) = HeaderValue::from_str(&super::ids::uuid())
    {
        out.insert(api::CORRELATION, id);
    }
    let date = shared.act(|state, now| http_date(state.wall(now)));
    if let Some(date) = date.and_then(|d| HeaderValue::from_str(&d).ok()) {
        out.insert(header::DATE, date);
    }
    response
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A body beyond the limit that was set is refused by its announced length, as a gateway does.
fn too_large(shared: &Arc<Shared>, headers: &HeaderMap) -> Option<Response> {
    let length: u64 = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    let most = u64::from(shared.act(|state, _| state.flows.switches.body_bytes));
    let text = format!("The body has {length} bytes; at most {most} are taken");
    (length > most).then(|| api::error(413, "payload.too.large", &text))
}

/// The only value of a header, none where it is missing.
fn one(headers: &HeaderMap<HeaderValue>, name: header::HeaderName) -> Result<Option<&str>, String> {
    let mut all = headers.get_all(&name).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(format!("The request has more than one {name} header."));
    }
    first.to_str().map(Some).map_err(|_| format!("The {name} header is not plain text."))
}

/// As in an HTTP `Date` header.
fn http_date(at: crate::model::Wall) -> Option<String> {
    at.timestamp().map(|t| t.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl serde::Serialize) -> Response {
    let text = serde_json::to_string(body).unwrap_or_default();
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from(text));
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Wall;

    #[test]
    fn the_date_is_one_that_reads_back() {
        let at = Wall::from_secs(1_767_705_975);
        assert_eq!(http_date(at).as_deref(), Some("Tue, 06 Jan 2026 13:26:15 GMT"));
        assert_eq!(Wall::parse_http_date(&http_date(at).unwrap()), Some(at));
    }
}
