//! The one sandbox: started, stopped, ordered, and told which keys are good.

use super::*;

impl Core {
    pub(super) async fn start_sandbox(&mut self, options: sandbox::Options) {
        match &mut self.sandbox {
            Slot::On(_) => self.tell_running().await,
            Slot::Starting => {}
            Slot::Stopping(next) => *next = Some(options),
            Slot::Empty => {
                self.sandbox = Slot::Starting;
                self.emit(Event::Sandbox(SandboxState::Starting)).await;
                let (clock, done) = (self.parts.clock.clone(), self.done.clone());
                tokio::spawn(async move {
                    let result = Sandbox::start(options, clock).await;
                    let _ = done.send(Done::SandboxStarted(Box::new(result))).await;
                });
            }
        }
    }

    /// Tells the sandbox which keys are good.
    pub(super) fn register_keys(&self) {
        let Slot::On(sandbox) = &self.sandbox else { return };
        let now = self.log.now().wall;
        let keys = self.sandbox_keys.keys();
        let good = |kid: &str| keys.iter().any(|k| k.kid == kid && k.is_good(now));
        for kid in sandbox.status().flows.guest_keys.into_iter().filter(|kid| !good(kid)) {
            // It knows it, or did a moment ago.
            let _ = sandbox.order(sandbox::Order::RemoveGuestKey { kid });
        }
        for key in keys.iter().filter(|k| k.is_good(now)) {
            let (kid, public_key) = (key.kid.clone(), Some(key.public_pem.clone()));
            let _ = sandbox.order(sandbox::Order::SetGuestKey { kid, public_key });
        }
    }

    pub(super) async fn sandbox_started(&mut self, result: Result<Sandbox, Report>) {
        // It may have been stopped before it ran.
        let wanted = matches!(self.sandbox, Slot::Starting);
        match result {
            Ok(sandbox) => {
                self.sandbox = Slot::On(sandbox);
                if wanted { self.tell_running().await } else { self.stop_sandbox().await }
            }
            Err(report) => {
                self.sandbox = Slot::Empty;
                self.emit(Event::Sandbox(SandboxState::Failed(report))).await;
            }
        }
    }

    pub(super) async fn tell_running(&self) {
        let Slot::On(sandbox) = &self.sandbox else { return };
        let ready = sandbox.ready();
        self.log.learn(SecretKind::ClientSecret, &ready.client_secret);
        let mut environment = sandbox.environment();
        environment.id = SANDBOX_ID.to_owned();
        environment.client_secret = Some(ClientSecret(Secret::new(ready.client_secret.clone())));
        let event = SandboxState::Running { environment: Box::new(environment), ready: Box::new(ready) };
        self.emit(Event::Sandbox(event)).await;
        self.tell_sandbox().await;
    }

    pub(super) async fn stop_sandbox(&mut self) {
        // A new one will have another secret.
        self.sign_ins.retain(|_, kept| !kept.is_at(SANDBOX_ID));
        match std::mem::take(&mut self.sandbox) {
            Slot::On(sandbox) => {
                self.sandbox = Slot::Stopping(None);
                let done = self.done.clone();
                tokio::spawn(async move {
                    sandbox.stop().await;
                    let _ = done.send(Done::SandboxStopped).await;
                });
            }
            Slot::Starting | Slot::Stopping(_) => self.sandbox = Slot::Stopping(None),
            Slot::Empty => self.emit(Event::Sandbox(SandboxState::Stopped)).await,
        }
    }

    pub(super) async fn order(&mut self, order: sandbox::Order) {
        let reset = order == sandbox::Order::Reset;
        let result = match &self.sandbox {
            Slot::On(sandbox) => sandbox.order(order),
            _ => Err(Report::new("no-sandbox", "The sandbox is not running", "Nobody could take the order.")
                .remedy("Start the sandbox first.")),
        };
        if reset {
            self.register_keys();
            // It knows none of the tokens that it gave any more.
            for kept in self.sign_ins.values().filter(|kept| kept.is_at(SANDBOX_ID)) {
                let _ = kept.order(oauth::Order::Deed(ClockDeed::Forget));
            }
        }
        match result {
            Ok(()) => self.tell_sandbox().await,
            Err(report) => self.emit(Event::Fault(report)).await,
        }
    }

    pub(super) async fn tell_sandbox(&self) {
        if let Slot::On(sandbox) = &self.sandbox {
            self.emit(Event::SandboxStatus(Box::new(sandbox.status()))).await;
        }
    }
}
