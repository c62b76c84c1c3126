//! The calls of a sign-in, and what their answers lead to.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Cx, WebMessaging};
use super::{NO_REFRESH, learn};
use crate::dialect::jwt::Jwt;
use crate::dialect::{Action, Call, CallId, Seen};
use crate::model::fact::ExpiryEvent;
use crate::model::login::Login;
use crate::model::{Environment, Flags, Report, Secret, SecretKind};

/// Where the JWT does not tell its end. The vendor's page keeps its tokens for a day at most.
const ASSUMED_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Sent to the sandbox's identity provider where the environment names none.
const ANY_REDIRECT: &str = "http://localhost/";

/// A call on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Errand {
    /// The sandbox's identity provider is asked for a code or an id token.
    Provider,
    Exchange,
    Refresh,
    /// With the JWT of this number, for the second time.
    Revoke(u64, bool),
}

impl WebMessaging {
    /// Gets a JWT: by the refresh token, else by what the guest signed in with.
    pub(super) fn fetch_auth(&mut self, cx: &mut Cx<'_>) {
        let deployment = self.env.deployment_id.clone();
        if let Some(refresh) = &self.auth.refresh {
            let body = json!({ "refreshToken": refresh.expose(), "deploymentId": deployment });
            return self.post_auth(cx, Errand::Refresh, "refresh", "sign-in refresh", &body);
        }
        let own = &self.env.guest_auth;
        let nonce = |given: &Option<String>| given.clone().or_else(|| own.nonce.clone());
        let mut oauth = match &self.auth.proof {
            Some(Login::Code { code, verifier, nonce: given }) => {
                let mut oauth = json!({ "code": code.expose(), "redirectUri": redirect(&self.env) });
                let verifier = verifier.as_ref().or(own.code_verifier.as_ref().map(|v| &v.0));
                put(&mut oauth, "codeVerifier", verifier.map(|v| v.expose().as_str().into()));
                put(&mut oauth, "nonce", nonce(given).map(Value::from));
                oauth
            }
            Some(Login::IdToken { token, nonce: given }) => {
                let mut oauth = json!({ "idToken": token.expose() });
                put(&mut oauth, "nonce", nonce(given).map(Value::from));
                oauth
            }
            Some(Login::Sandbox { person, implicit }) => {
                let (person, implicit) = (person.clone(), *implicit);
                return self.ask_provider(cx, &person, implicit);
            }
            None => {
                let then = self.auth.keeper.failed(cx.at, NO_REFRESH, None, true);
                return self.auth_then(cx, then);
            }
        };
        put(&mut oauth, "maxAge", own.max_age.map(Value::from));
        put(&mut oauth, "iss", own.iss.clone().map(Value::from));
        let body = json!({ "deploymentId": deployment, "oauth": oauth });
        self.post_auth(cx, Errand::Exchange, "oauthcodegrantjwtexchange", "sign-in", &body);
    }

    /// The sandbox's identity provider needs no person.
    fn ask_provider(&mut self, cx: &mut Cx<'_>, person: &str, implicit: bool) {
        if self.env.control.is_none() {
            self.auth.proof = None;
            let why = "only the sandbox has an identity provider of its own";
            let then = self.auth.keeper.failed(cx.at, why, None, true);
            return self.auth_then(cx, then);
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", if implicit { "id_token" } else { "code" })
            .append_pair("response_mode", "json")
            .append_pair("redirect_uri", &redirect(&self.env));
        if !person.is_empty() {
            query.append_pair("login_hint", person);
        }
        if let Some(nonce) = &self.env.guest_auth.nonce {
            query.append_pair("nonce", nonce);
        }
        let url = format!("{}/idp/authorize?{}", self.hosts.api, query.finish());
        let call = self.next_call();
        self.auth.call = Some((call, Errand::Provider));
        let request = Call { method: "GET", url, purpose: "identity provider", ..Call::default() };
        cx.act(Action::Call { call, request });
    }

    fn post_auth(&mut self, cx: &mut Cx<'_>, errand: Errand, path: &str, purpose: &'static str, body: &Value) {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let call = Call { method: "POST", headers, body: body.to_string().into(), ..Call::default() };
        self.call_auth(cx, errand, path, purpose, call);
    }

    pub(super) fn call_auth(
        &mut self,
        cx: &mut Cx<'_>,
        errand: Errand,
        path: &str,
        purpose: &'static str,
        mut request: Call,
    ) {
        let call = self.next_call();
        self.auth.call = Some((call, errand));
        request.url = format!("{}/api/v2/webdeployments/token/{path}", self.hosts.api);
        request.purpose = purpose;
        request.headers.extend(self.origin());
        cx.act(Action::Call { call, request });
    }

    /// None where the call was another's.
    pub(in crate::dialect::web_messaging) fn auth_answer(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        status: u16,
        after: Option<Duration>,
        body: &[u8],
    ) -> Option<Seen> {
        let (_, errand) = self.auth.call.take_if(|(own, _)| *own == call)?;
        let good = (200..300).contains(&status);
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = answer["message"].as_str().or(answer["error_description"].as_str()).unwrap_or_default();
        let why = format!("{} was answered with {status}: {text}", errand.name());
        match errand {
            Errand::Provider if good => self.provider_answered(cx, &answer),
            Errand::Exchange | Errand::Refresh if good => self.jwt_given(cx, &answer),
            Errand::Revoke(number, _) if good => {
                self.auth.keeper.accepted(number);
                self.revoked(cx);
            }
            Errand::Revoke(number, again) => self.revoke_refused(cx, status, number, again, &why),
            // Nothing was taken: it can be shown again.
            _ if status == 429 => {
                let then = self.auth.keeper.failed(cx.at, &why, after, false);
                self.auth_then(cx, then);
            }
            Errand::Refresh if matches!(status, 408 | 500..=599) => {
                let then = self.auth.keeper.failed(cx.at, &why, after, false);
                self.auth_then(cx, then);
            }
            Errand::Provider | Errand::Exchange | Errand::Refresh => {
                self.auth.proof = None;
                self.auth.refresh = None;
                self.keep_again(cx);
                let then = self.auth.keeper.failed(cx.at, &why, None, true);
                self.auth_then(cx, then);
            }
        }
        let flags = if good { Flags::NONE } else { Flags::FAULT };
        Some(Seen { flags, code: i32::from(status), answers: None })
    }

    /// True where the call was one of the sign-in.
    pub(in crate::dialect::web_messaging) fn auth_call_failed(
        &mut self,
        cx: &mut Cx<'_>,
        call: CallId,
        report: &Report,
    ) -> bool {
        let Some((_, errand)) = self.auth.call.take_if(|(own, _)| *own == call) else { return false };
        let why = format!("{} was not answered ({})", errand.name(), report.title);
        match errand {
            Errand::Revoke(..) => self.not_logged_out(cx, &why),
            _ => {
                // Whether the code was taken nobody knows: a second showing may end what the first one gave.
                let for_good = errand == Errand::Exchange;
                if for_good {
                    self.auth.proof = None;
                }
                let then = self.auth.keeper.failed(cx.at, &why, None, for_good);
                self.auth_then(cx, then);
            }
        }
        true
    }

    fn provider_answered(&mut self, cx: &mut Cx<'_>, answer: &Value) {
        let nonce = self.env.guest_auth.nonce.clone();
        let login = match (answer["code"].as_str(), answer["id_token"].as_str()) {
            (Some(code), _) => Login::Code { code: Secret::from(code), verifier: None, nonce },
            (None, Some(token)) => Login::IdToken { token: Secret::from(token), nonce },
            (None, None) => {
                self.auth.proof = None;
                let why = "the identity provider gave neither a code nor an id token";
                let then = self.auth.keeper.failed(cx.at, why, None, true);
                return self.auth_then(cx, then);
            }
        };
        learn(cx, &login);
        self.auth.proof = Some(login);
        self.fetch_auth(cx);
    }

    fn jwt_given(&mut self, cx: &mut Cx<'_>, answer: &Value) {
        self.auth.proof = None;
        if let Some(refresh) = answer["refreshToken"].as_str().filter(|r| !r.is_empty()) {
            cx.act(Action::Learn { kind: SecretKind::RefreshToken, value: Secret::from(refresh) });
            self.auth.refresh = Some(Secret::from(refresh));
            self.keep_again(cx);
        }
        let Some(jwt) = answer["jwt"].as_str().filter(|j| !j.is_empty()) else {
            let then = self.auth.keeper.failed(cx.at, "the answer holds no jwt", None, true);
            return self.auth_then(cx, then);
        };
        cx.act(Action::Learn { kind: SecretKind::AccessToken, value: Secret::from(jwt) });
        let decoded = Jwt::decode(jwt);
        let told = decoded.as_ref().and_then(Jwt::expires);
        let until = told.unwrap_or(cx.server() + ASSUMED_LIFE);
        let again = self.auth.keeper.held().is_some() || self.auth.told_dead > 0;
        let event = if again { ExpiryEvent::Refreshed } else { ExpiryEvent::Started };
        let then = self.auth.keeper.got(cx.at, jwt.to_owned(), Some(until));
        let mut fact = self.auth_fact(cx.at, event, "server", Some(until));
        fact.claims = decoded.map(|d| d.view());
        fact.assumed = told.is_none();
        cx.expiry(fact);
        self.auth_then(cx, then);
    }
}

impl Errand {
    fn name(self) -> &'static str {
        match self {
            Self::Provider => "the identity provider",
            Self::Exchange => "the exchange of the code",
            Self::Refresh => "the refresh of the sign-in",
            Self::Revoke(..) => "the logout",
        }
    }
}

fn redirect(env: &Environment) -> String {
    let own = env.guest_auth.redirect_uri.trim();
    if own.is_empty() { ANY_REDIRECT.to_owned() } else { own.to_owned() }
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}
