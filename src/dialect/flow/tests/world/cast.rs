//! Who takes part, and what people will do.

use super::*;

impl World {
    /// How wrong somebody is about the server's clock.
    pub(super) fn wrong(&mut self) -> i64 {
        match self.chance.up_to(19) {
            0 => 3_600 * SECOND as i64,
            1 => -3_600 * SECOND as i64,
            2..=6 => self.chance.up_to(6 * SECOND) as i64 - 3 * SECOND as i64,
            _ => 0,
        }
    }

    pub(super) fn source(&mut self, n: usize) -> Source {
        match self.chance.up_to(5) {
            0 => Source::Broker { url: format!("http://broker{n}/api/genesys/refresh") },
            1 => Source::Given { place: "the pasted token".into() },
            _ => Source::Client {
                url: "http://login/oauth/token".into(),
                client_id: "client".into(),
                secret: Secret::from("a secret of the client"),
                scope: String::new(),
            },
        }
    }

    pub(super) fn credential(&mut self, n: usize) -> Holder {
        let source = self.source(n);
        let given = matches!(source, Source::Given { .. });
        let shown = Shown { id: "oauth".into(), title: "OAuth".into(), breaks: "calls".into() };
        let early = Duration::from_secs([5, 30, 60, 300][self.chance.up_to(3) as usize]);
        Holder {
            machine: Credential::new(source, shown, early, 6, self.chance.number()),
            given,
            wrong: if self.chance.up_to(9) == 0 { self.wrong() } else { 0 },
            inline: self.chance.up_to(1) == 0,
            in_flight: false,
            orders: VecDeque::new(),
            fetches: 0,
            asked: 0,
            ticks: 0,
        }
    }

    pub(super) fn session(&mut self, n: usize, credentials: usize) -> Session {
        let id = FLOWS[self.chance.up_to(4) as usize];
        let mut config = config(self.chance.number());
        config.shared = self.shared.clone();
        let flows = &mut config.environment.flows;
        flows.session_token.send_form = SendForm::ALL[self.chance.up_to(4) as usize];
        flows.session_token.refresh_form = RefreshForm::ALL[self.chance.up_to(1) as usize];
        flows.session_token.preflight_secs = [0, 5, 60][self.chance.up_to(2) as usize];
        flows.session_token.refresh_after_401 = self.chance.up_to(5) > 0;
        flows.external_contact.renew_by = RenewBy::ALL[self.chance.up_to(2) as usize];
        flows.external_contact.reconnect = self.chance.up_to(3) > 0;
        flows.external_contact.early_secs = [2, 30][self.chance.up_to(1) as usize];
        if self.chance.up_to(1) == 0 {
            flows.external_contact.handshake_token = HandshakeToken::Query;
        }
        flows.managed_conversation.most_sessions = [500, 2][self.chance.up_to(1) as usize];
        flows.guest_resource.requests_per_minute = self.limit;
        flows.guest_resource.resume_secs = [300, 1][self.chance.up_to(1) as usize];
        if self.chance.up_to(3) == 0 {
            flows.webhook.url = "http://crm/hook".into();
        }
        config.environment.timings.reconnect_give_up_secs = [20, 300][self.chance.up_to(1) as usize];
        config.form.duration_secs = Some([20, 100, 2700][self.chance.up_to(2) as usize]);
        if self.chance.up_to(3) == 0 {
            config.form.contact_id = "contact-x".into();
        }
        Session {
            id,
            dialect: make(id, config),
            credential: n % credentials,
            wrong: if self.chance.up_to(3) == 0 { self.wrong() } else { 0 },
            learns: self.chance.up_to(3) > 0,
            local: self.wrong(),
            cell: None,
            planned: false,
            order_at: 0,
            ticks: 0,
            zero: (0, 0),
            conn: 0,
            open: None,
            wishes: 0,
            calls: 0,
            asks: 0,
            wished: BTreeSet::new(),
            finals: BTreeMap::new(),
            state: SessionState::New,
            begun: 0,
            ended: 0,
            summaries: 0,
            learnt: BTreeSet::new(),
            last_learnt: String::new(),
            known: HashMap::new(),
            bearers: HashMap::new(),
            dead: BTreeSet::new(),
            taken_back: BTreeSet::new(),
            on_purpose: BTreeSet::new(),
            shook: String::new(),
            in_flight: HashMap::new(),
        }
    }

    pub(super) fn script(&mut self, n: usize, of: usize) {
        let begin = self.chance.up_to(if of > 20 { CALM / 2 } else { 2 * SECOND });
        self.plan(begin, Event::Wish(n, Wish::Connect));
        let most = if of > 20 { 4 } else { 16 };
        for m in 0..self.chance.up_to(most) {
            let after = self.chance.up_to(CALM + 20 * SECOND);
            let text = || format!("text {n} {m}");
            let tracing = format!("w{n}-{m}");
            let flow = |wish| Event::Wish(n, Wish::Flow(wish));
            let event = match self.chance.up_to(24) {
                0..=10 => Event::Wish(n, Wish::Text { tracing, text: text(), attributes: vec![], attachments: vec![] }),
                11 => flow(FlowWish::Say { tracing, text: text(), form: SendForm::ALL[self.chance.up_to(4) as usize] }),
                12 => flow(FlowWish::Refresh { form: None }),
                13 => flow([FlowWish::CheckQueue, FlowWish::Heartbeat][self.chance.up_to(1) as usize].clone()),
                14 => flow(FlowWish::SyncProfile { attributes: vec![("external_email".into(), "a@b".into())] }),
                15 | 16 => {
                    let id = ["session-token", "handshake-token", "signed-token", "guest-token"];
                    let deed = [ClockDeed::Expire, ClockDeed::Corrupt, ClockDeed::Forget, ClockDeed::Refresh];
                    let id = id[self.chance.up_to(3) as usize].to_owned();
                    Event::Wish(n, Wish::Clock { id, deed: deed[self.chance.up_to(3) as usize] })
                }
                17 => Event::Wish(n, Wish::Leave { code: 1000, reason: "bye".into() }),
                18..=20 => Event::Wish(n, Wish::Connect),
                21 => Event::LocalClock(n, self.wrong()),
                22 => Event::Frame(n, 0, self.garbage()),
                _ => Event::Break(n, [None, None, Some(1000), Some(1006)][self.chance.up_to(3) as usize]),
            };
            self.plan(after, event);
        }
        self.plan(LAST + self.counted % SECOND, Event::Wish(n, Wish::Leave { code: 1000, reason: String::new() }));
    }

    pub(super) fn garbage(&mut self) -> String {
        let all = [
            "{",
            "[]",
            "null",
            r#"{"type":"greeting","expires_in":-5}"#,
            r#"{"type":"message","payload":7}"#,
            r#"{"type":9}"#,
        ];
        all[self.chance.up_to(all.len() as u64 - 1) as usize].to_owned()
    }
}
