//! How agents would sign in, as far as that can be looked at without a person.

use super::*;
use crate::dialect::sign_in::Asking;
use crate::engine::sign_in::Listener;
use crate::model::agents::{Agents, SignIn};

const WHAT: &str = "agents' sign-in";

impl Probe {
    pub(super) async fn agents(&mut self) {
        let environment = self.caller.environment.clone();
        let agents = &environment.agents;
        if *agents == Agents::default() {
            return;
        }
        if agents.sign_in == SignIn::Pasted {
            return self.skip(WHAT, "by a pasted token");
        }
        let Some(client) = agents.client(environment.client_id.as_deref()) else {
            return self.skip(WHAT, "no client id given");
        };
        if self.hosts.login.is_empty() {
            return self.skip(WHAT, "no login host given");
        }
        let listener = match agents.redirect() {
            Ok(redirect) => Listener::bind(&redirect).await,
            Err(report) => Err(report),
        };
        let listener = match listener {
            Ok(listener) => listener,
            Err(report) => return self.checks.push(Err(report)),
        };
        let asking = Asking {
            url: format!("{}/oauth/authorize", self.hosts.login),
            client_id: client.to_owned(),
            ..Asking::default()
        };
        // Nobody will exchange what may come of it.
        let challenge = "doctordoctordoctordoctordoctordoctordoctord";
        let Some(address) = asking.address(&listener.redirect_uri, "doctor", challenge) else { return };
        let answer = self.get(&format!("{address}&prompt=none"), "look at the login page").await;
        let check = answer.and_then(|answer| check_login(&self.hosts, &listener.redirect_uri, &answer));
        self.checks.push(check);
    }
}

fn check_login(hosts: &Hosts, redirect_uri: &str, answer: &Answer) -> Result<String, Report> {
    let host = faults::host_of(&hosts.login);
    match answer.status {
        300..400 if answer.header("location").is_some_and(|to| to.starts_with(redirect_uri)) => {
            Ok(format!("{WHAT}: {host} knows the client and sends browsers back to {redirect_uri}"))
        }
        // Its own page asks further.
        200..400 => Ok(format!("{WHAT}: {host} answers; whether it knows the client shows when a person signs in")),
        status => {
            let what = format!("A look at {}/oauth/authorize was answered with {status}.", hosts.login);
            Err(Report::new("login-page", format!("{host} does not let agents sign in"), what)
                .remedy("Check the client id for agents; its grant type is “code authorization (PKCE)”.")
                .remedy(format!("Register exactly {redirect_uri} with the client."))
                .remedy("Check the region: clients live in one region only."))
        }
    }
}
