//! Tokens of people: who is sent to the login page, and where what they bring back is kept.

use super::*;
use crate::dialect::sign_in::{Asking, Back};
use crate::engine::core::SANDBOX_ID;
use crate::engine::event::SignInWait;
use crate::engine::means;
use crate::engine::sign_in;
use crate::model::agents::{SignIn, user_refresh_key};

impl Use {
    /// Where the token of a person comes from.
    pub(super) fn of_user(&self) -> Result<Source, Report> {
        let environment = &self.environment;
        let agents = &environment.agents;
        let person = self.person.clone().unwrap_or_default();
        if agents.sign_in == SignIn::Pasted {
            let whose = if person.is_empty() { "agents".to_owned() } else { format!("“{person}”") };
            return Ok(Source::Given { place: format!("the pasted token of {whose} in “{}”", environment.name) });
        }
        let Some(client) = agents.client(environment.client_id.as_deref()) else {
            let what = format!("“{}” names no client by which a person could sign in.", environment.name);
            return Err(Report::new("no-client", "There is no OAuth client", what).remedy(
                "Give the environment a client id for agents; the client's grant type is “code authorization (PKCE)”.",
            ));
        };
        let url = self.url()?;
        let asking = Asking {
            url: format!("{}/oauth/authorize", environment.hosts()?.login),
            client_id: client.to_owned(),
            scope: agents.scope.clone(),
            org: agents.login_org.clone().unwrap_or_default(),
            provider: agents.provider.clone().unwrap_or_default(),
            hint: person,
        };
        Ok(Source::Code { url, asking })
    }
}

pub(super) async fn back(waiting: &mut Option<Waiting>) -> Result<Back, Report> {
    match waiting {
        Some(waiting) => waiting.done().await,
        None => std::future::pending().await,
    }
}

impl Task {
    /// Sends the person to the login page.
    pub(super) async fn ask(&mut self, asking: Asking) -> Result<(), Report> {
        let environment = &self.of.environment;
        let person = self.of.person.clone().unwrap_or_default();
        // The sandbox knows its people: nobody needs to look at a page.
        let itself = environment.id == SANDBOX_ID && !person.is_empty();
        let means = sign_in::Means {
            log: self.log.clone(),
            emitter: self.emitter.clone(),
            open_url: self.open_url.clone(),
            caller: self.ready.as_ref().map(|r| r.caller.clone()).filter(|_| itself),
        };
        let waiting = sign_in::begin(means, &environment.agents, asking).await?;
        if !itself {
            let told = SignInWait {
                person,
                environment: environment.name.clone(),
                address: waiting.address.clone(),
                until: waiting.until,
            };
            self.emitter.emit(Event::SignIn { id: self.of.id(), waiting: Some(Box::new(told)) }).await;
        }
        self.waiting = Some(waiting);
        Ok(())
    }

    /// What came of it.
    pub(super) async fn came_back(&mut self, result: Result<Back, Report>) {
        self.stop_waiting().await;
        self.with(|credential, at, deeds| credential.came_back(at, result, deeds)).await;
    }

    pub(super) async fn stop_waiting(&mut self) {
        if self.waiting.take().is_some() {
            self.emitter.emit(Event::SignIn { id: self.of.id(), waiting: None }).await;
        }
    }

    /// A token that somebody pasted for this person, or for everybody; or the refresh token of an earlier run.
    pub(super) async fn given_by(&self, person: &str) -> Result<Option<Secret<String>>, Report> {
        let id = &self.of.environment.id;
        if self.of.environment.agents.sign_in == SignIn::Browser {
            return match self.refresh_key() {
                Some(key) => read(self.vault.clone(), key).await,
                None => Ok(None),
            };
        }
        match read(self.vault.clone(), user_token_key(id, person)).await? {
            Some(own) => Ok(Some(own)),
            None => read(self.vault.clone(), user_token_key(id, "")).await,
        }
    }

    pub(super) fn keep_refresh(&self, value: Option<Secret<String>>) {
        let Some(key) = self.refresh_key() else { return };
        let (vault, log) = (self.vault.clone(), self.log.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(report) = means::change(&vault, &key, value) {
                log.fact(SessionId::NONE, &Fact::Fault(report));
            }
        });
    }

    /// None where it stays in memory: in private mode, and for what no later run could use.
    fn refresh_key(&self) -> Option<String> {
        let id = &self.of.environment.id;
        let person = self.of.person.as_deref()?;
        (self.keep && !id.is_empty() && id != SANDBOX_ID).then(|| user_refresh_key(id, person))
    }
}
