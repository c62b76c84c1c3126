//! Sends a person to the login page and waits until the browser comes back, for so long and no longer.

mod listener;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use self::listener::Listener;
use super::emitter::Emitter;
use super::event::Event;
use super::log::Log;
use super::transport::http::Caller;
use crate::dialect::Call;
use crate::dialect::sign_in::{Asking, Back, Visit, challenge, refusal};
use crate::model::agents::Agents;
use crate::model::{Mono, Report, Secret, SecretKind};

/// Opens an address in a person's browser, or says why it did not.
pub type OpenUrl = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The system's own browser.
pub fn system_browser() -> OpenUrl {
    Arc::new(|url| webbrowser::open(url).map_err(|e| e.to_string()))
}

/// With what a sign-in is made.
pub struct Means {
    pub log: Log,
    pub emitter: Emitter,
    pub open_url: OpenUrl,
    /// Where no person is needed: the login page is asked by this, as a browser would.
    pub caller: Option<Caller>,
}

/// A sign-in under way. Dropping it ends it.
pub struct Waiting {
    pub address: String,
    pub until: Mono,
    redirect_uri: String,
    secs: u32,
    done: oneshot::Receiver<Result<Back, Report>>,
    _task: JoinSet<()>,
}

impl Waiting {
    pub async fn done(&mut self) -> Result<Back, Report> {
        (&mut self.done).await.unwrap_or_else(|_| Err(cancelled()))
    }

    /// Nobody came back in time.
    pub fn late(&self) -> Report {
        let (uri, secs) = (&self.redirect_uri, self.secs);
        let what = format!("Within {secs} s no browser came back to {uri}.");
        Report::new("sign-in-timed-out", "Nobody came back from the browser", what)
            .remedy("Sign in again, finish it in the browser, and leave its window open until it says that it is done.")
            .remedy(format!("Where the login page says that the redirect URI does not match: register exactly {uri} with the client."))
            .remedy("Or copy the address from the notice into another browser on this computer.")
    }
}

pub fn cancelled() -> Report {
    Report::new("sign-in-cancelled", "The sign-in was cancelled", "Nobody waits for the browser any more.")
        .remedy("Sign in again when you are ready.")
}

/// Listens, and sends the person to the login page.
///
/// # Errors
/// `bad-redirect`, `sign-in-port`, `bad-address`: nothing was opened.
pub async fn begin(means: Means, agents: &Agents, asking: Asking) -> Result<Waiting, Report> {
    let listener = Listener::bind(&agents.redirect()?).await?;
    let redirect_uri = listener.redirect_uri.clone();
    let (verifier, state) = (Secret::new(random()?), random()?);
    means.log.learn(SecretKind::Other, verifier.expose());
    let address = asking.address(&redirect_uri, &state, &challenge(verifier.expose()));
    let address = address.ok_or_else(|| {
        Report::new("bad-address", "The login address cannot be used", format!("{} is none.", asking.url))
            .remedy("Mend the login host in the environment.")
    })?;
    let until = means.log.now().mono + Duration::from_secs(agents.sign_in_secs.max(1).into());
    let (tell, done) = oneshot::channel();
    let mut task = JoinSet::new();
    let (to, back) = (address.clone(), redirect_uri.clone());
    task.spawn(async move {
        let failed = open(means, to, back.clone());
        let visit = listener.wait(state);
        let result = tokio::select! {
            visit = visit => match visit {
                Visit::Code(code) => Ok(Back { code, verifier, redirect_uri: back }),
                Visit::Refused { error, text } => Err(refusal(&error, &text)),
                Visit::Elsewhere | Visit::Foreign => Err(cancelled()),
            },
            report = failed => Err(report),
        };
        let _ = tell.send(result);
    });
    Ok(Waiting { address, until, redirect_uri, secs: agents.sign_in_secs.max(1), done, _task: task })
}

/// Opens the login page. Comes back only where nobody will ever come to the listener.
async fn open(means: Means, address: String, redirect_uri: String) -> Report {
    let Means { emitter, open_url, caller, .. } = means;
    if let Some(caller) = caller {
        match play(&caller, &address, &redirect_uri).await {
            Ok(()) => std::future::pending().await,
            Err(report) => return report,
        }
    }
    let url = address.clone();
    let opened = tokio::task::spawn_blocking(move || open_url(&url)).await;
    if let Err(why) = opened.unwrap_or_else(|e| Err(e.to_string())) {
        // Who has the address can still go there.
        let report = Report::new("sign-in-no-browser", "The browser did not start", format!("{why}."))
            .remedy("Copy the address from the notice that waits for the browser, and open it in one on this computer.")
            .detail(address);
        emitter.emit(Event::Fault(report)).await;
    }
    std::future::pending().await
}

/// Is the browser: asks the login page, and follows it back to the listener.
async fn play(caller: &Caller, address: &str, redirect_uri: &str) -> Result<(), Report> {
    let url = format!("{address}&prompt=none");
    let answer = caller.call(&Call { method: "GET", url, purpose: "sign in", ..Call::default() }).await?;
    let back = answer.header("location").filter(|to| to.starts_with(redirect_uri));
    let Some(back) = back else {
        let what = format!("It answered {} and did not lead back to {redirect_uri}.", answer.status);
        return Err(Report::new("sign-in-redirect", "The login page does not send the browser back", what)
            .remedy(format!("Register exactly {redirect_uri} with the client."))
            .remedy("Check the client id for agents."));
    };
    // From us to us: nothing to be recorded.
    let sent = caller.clients.http.get(back).send().await;
    sent.map(drop).map_err(|e| {
        Report::new(
            "sign-in-redirect",
            "The sign-in could not be finished",
            format!("{redirect_uri}: {}", e.without_url()),
        )
    })
}

/// 32 random bytes in base64url: 43 characters, as a verifier has at least.
fn random() -> Result<String, Report> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes)
        .map_err(|_| Report::new("no-random", "No random numbers could be had", "The system gave none."))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
