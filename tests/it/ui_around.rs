//! What stands around a session: metrics, ids, final report, audit log.

use egui::Theme;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use sessionscope::model::fact::{Audit, AuditOutcome, End, ErrorCategory, NamedId, SessionState, StateChange};
use sessionscope::model::record::SessionStart;
use sessionscope::model::{DialectId, Direction, Draft, Fact, Flags, Hosts, Kind, Report, SessionId};
use sessionscope::ui::app::App;
use sessionscope::ui::settings::LowerPane;

use crate::support::scene::{Desk, TOKEN, until};
use crate::support::{THEMES, says, tells};
use crate::ui_app::{SIZE, fill, keys, press, sees};

/// A session of an unverified flow, in which a message was refused, tried again, and delivered.
pub fn flow(desk: &Desk, id: u32, dialect: DialectId) -> SessionId {
    let session = SessionId(id);
    let start = SessionStart {
        name: format!("Guest {id}"),
        dialect,
        environment: "Gateway".into(),
        hosts: Hosts::default(),
        deployment_id: String::new(),
        tls_unverified: false,
        limits: Default::default(),
    };
    let draft = Draft::new(desk.at(0), session, Kind::SessionStart, Direction::Local);
    desk.put(draft.flags(Flags::STORY).head(&start));
    let state = |to| Fact::State(StateChange { to, why: String::new() });
    desk.fact(session, 10, state(SessionState::Connecting));
    let attempt = |action: &str, outcome, category, ms: u64| {
        Fact::Audit(Audit { action: action.into(), outcome, category, latency_us: ms * 1000, ..Audit::default() })
    };
    desk.fact(session, 100, attempt("session.create", AuditOutcome::Success, None, 84));
    let id = |name: &str, value: &str, mismatch: Option<&str>| {
        Fact::Id(NamedId { name: name.into(), value: value.into(), mismatch: mismatch.map(str::to_owned) })
    };
    desk.fact(session, 110, id("session", "5f0c2b1e-6a0e-4a51-9d5e-0d8f2b7c1d10", None));
    desk.fact(session, 111, id("guest", "guest-1", None));
    let why = "it is not the session id of the handshake, 5f0c2b1e-6a0e-4a51-9d5e-0d8f2b7c1d10";
    desk.fact(session, 112, id("contact", "c-77", Some(why)));
    desk.fact(session, 120, state(SessionState::Ready));
    for n in 0..20u64 {
        let (outcome, category) = match n {
            5 => (AuditOutcome::Retry, Some(ErrorCategory::RateLimit)),
            11 => (AuditOutcome::Failed, Some(ErrorCategory::Auth)),
            _ => (AuditOutcome::Success, None),
        };
        desk.fact(session, 500 + n as i64 * 700, attempt("message.send", outcome, category, 30 + n * n % 70));
    }
    desk.fact(session, 15_000, Fact::Fault(Report::new("f", "The token was refused", "401 with [session-token#1].")));
    desk.fact(session, 16_000, state(SessionState::Ended(End::ByUser)));
    desk.writer.flush().unwrap();
    desk.clock.advance(std::time::Duration::from_secs(17));
    session
}

fn window(desk: &Desk, session: SessionId) -> Harness<'static, App> {
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the end", |h| h.query_all_by_label_contains("Ended: closed by you").next().is_some());
    h
}

fn items(h: &Harness<'_, App>) -> Vec<String> {
    h.query_all_by_role(Role::ListItem).filter_map(|n| n.accesskit_node().label()).collect()
}

/// Types over what stands in a field.
fn refill(h: &mut Harness<'_, App>, label: &str, text: &str) {
    h.get_by_role_and_label(Role::TextInput, label).focus();
    h.run_ok();
    keys(h, Modifiers::COMMAND, Key::A);
    fill(h, label, text);
}

#[test]
fn the_metrics_tell_what_was_tried_by_action_with_percentiles() {
    let desk = Desk::default();
    let session = flow(&desk, 1, DialectId::SessionToken);
    let mut h = window(&desk, session);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    for tile in ["Attempts: 21", "Errors: 2", "Retries: 1", "Token checks failed: 0.0 %", "Duration: 00:16"] {
        assert!(says(&h, tile), "{tile}");
    }
    let send = items(&h).into_iter().find(|i| i.starts_with("message.send")).unwrap();
    assert!(send.starts_with("message.send: Attempts 20, Errors 2, Retries 1, Average "), "{send}");
    assert!(send.ends_with("Longest 94 ms"), "{send}");
    assert!(tells(&h, "rate limit 1") && tells(&h, "auth 1") && tells(&h, "network 0"));
    let plot = h.query_all_by_role(Role::Image).find_map(|n| n.accesskit_node().label()).unwrap();
    assert!(plot.starts_with("Latency over time: 21 of the newest attempts, 2 of them failed"), "{plot}");
    h.get_by_role_and_label(Role::DisclosureTriangle, "Activity").click_accesskit();
    h.run_ok();
    assert!(tells(&h, "connecting") && tells(&h, "for 110 ms"));
}

#[test]
fn metrics_of_all_sessions_count_them_together_and_the_choice_is_remembered() {
    let desk = Desk::default();
    let session = flow(&desk, 1, DialectId::SessionToken);
    flow(&desk, 2, DialectId::ManagedConversation);
    let mut h = window(&desk, session);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    h.get_by_role_and_label(Role::RadioButton, "All sessions").click();
    h.run_ok();
    until(&mut h, "both", |h| says(h, "Sessions: 2"));
    assert!(says(&h, "Attempts: 42") && says(&h, "Disconnection rate: 0.0 %"));
    let panes = &h.state().settings().panes;
    assert!(panes.lower == LowerPane::Metrics && panes.metrics_of_all);
    // Whoever looks for records gets them.
    keys(&mut h, Modifiers::COMMAND, Key::F);
    assert_eq!(h.state().settings().panes.lower, LowerPane::Records);
    assert!(h.query_all_by_role_and_label(Role::TextInput, "Filter").next().is_some());
}

#[test]
fn a_session_of_web_messaging_has_metrics_too() {
    let desk = Desk::default();
    let session = desk.rich();
    let mut h = desk.harness(SIZE, Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the conversation", |h| h.query_all_by_label_contains("Thank you!").next().is_some());
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    let echo = items(&h).into_iter().find(|i| i.starts_with("message.echo")).unwrap();
    assert!(echo.starts_with("message.echo: Attempts 2, Errors 1, Retries 0, Average 84 ms"), "{echo}");
    let limits = |h: &Harness<'_, App>| -> usize {
        let labels = h.query_all_by_role(Role::Label).filter_map(|n| n.accesskit_node().value());
        labels.filter(|v| v.starts_with("messages ") && v.ends_with("/5 per s")).count()
    };
    assert_eq!(limits(&h), 2, "its limits stand there as in the status bar");
}

#[test]
fn the_final_report_is_shown_copied_and_written_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("report.md");
    let desk = Desk { picker: sessionscope::ui::picker::Answer::Chosen(to.clone()), ..Desk::default() };
    let session = flow(&desk, 1, DialectId::SessionToken);
    desk.fact(session, 17_000, Fact::Fault(Report::new("g", "It was said", format!("with {TOKEN} in it"))));
    desk.writer.flush().unwrap();
    let mut h = window(&desk, session);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    let shown = h.get_by_label("Report").value().unwrap_or_default();
    for part in ["# Report of session 1 Guest 1", "- guest: `guest-1`", "| message.send | 20 | 2 |", "closed by you"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains(TOKEN));
    press(&mut h, "Export…");
    until(&mut h, "the file", |h| h.query_all_by_label_contains("Exported to").next().is_some());
    let written = std::fs::read_to_string(&to).unwrap();
    assert_eq!(written, shown);
}

#[test]
fn a_report_that_cannot_be_written_says_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("no such folder").join("report.md");
    let desk = Desk { picker: sessionscope::ui::picker::Answer::Chosen(to), ..Desk::default() };
    let session = flow(&desk, 1, DialectId::SessionToken);
    let mut h = window(&desk, session);
    keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    press(&mut h, "Export…");
    until(&mut h, "the failure", |h| tells(h, "no such folder"));
}

#[test]
fn the_names_at_the_server_can_be_copied_and_one_that_does_not_fit_says_why() {
    let desk = Desk::default();
    let session = flow(&desk, 1, DialectId::ExternalContact);
    let mut h = desk.harness([1440.0, 1200.0], Theme::Dark);
    h.state_mut().adopt(session);
    until(&mut h, "the names", |h| sees(h, "Copy contact"));
    for name in ["session", "guest", "contact"] {
        assert!(sees(&h, &format!("Copy {name}")), "{name}");
    }
    let why = "contact does not fit: it is not the session id of the handshake, 5f0c2b1e-6a0e-4a51-9d5e-0d8f2b7c1d10";
    assert!(says(&h, why));
    h.get_by_label("Copy contact").click();
    h.step();
    let copied = h
        .output()
        .platform_output
        .commands
        .iter()
        .any(|c| matches!(c, egui::OutputCommand::CopyText(t) if t == "c-77"));
    assert!(copied);
    // Folded, the line still says that one does not fit.
    h.get_by_role_and_label(Role::DisclosureTriangle, "3 ids").click();
    h.run_ok();
    assert!(!sees(&h, "Copy contact") && !says(&h, why));
    assert!(sees(&h, "does not fit"));
}

#[test]
fn an_unverified_flow_says_so_in_the_list_and_in_its_head() {
    let desk = Desk::default();
    let session = flow(&desk, 1, DialectId::SessionToken);
    desk.session(2, "Guest 2", "Sandbox", SessionState::Ready);
    desk.writer.flush().unwrap();
    let mut h = window(&desk, session);
    until(&mut h, "both", |h| h.query_all_by_label_contains("Session Guest 2").next().is_some());
    assert!(sees(&h, "Session Guest 1, ended, unverified"));
    assert!(
        h.query_all_by_label_contains("unverified").count() >= 2 && !sees(&h, "Session Guest 2, ready, unverified")
    );
    assert!(sees(&h, "unverified"));
    h.get_by_label_contains("Session Guest 2").click();
    until(&mut h, "the other head", |h| !sees(h, "unverified"));
}

#[test]
fn the_form_that_is_in_use_stands_in_the_head() {
    let desk = Desk::default();
    let session = flow(&desk, 1, DialectId::SessionToken);
    let call = |purpose: &str| {
        let head = sessionscope::model::record::HttpRequest { purpose: purpose.into(), ..Default::default() };
        let draft = Draft::new(desk.at(15_500), session, Kind::HttpRequest, Direction::Sent);
        desk.put(draft.flags(Flags::STORY).head(&head));
    };
    call("message, form (c)");
    call("refresh, guest-token");
    desk.writer.flush().unwrap();
    let mut h = window(&desk, session);
    until(&mut h, "the forms", |h| says(h, "Messages: (c) text and guestId, OAuth bearer"));
    assert!(says(&h, "Renewal: guest-token with both ids"));
}

#[test]
fn the_sandbox_panel_tells_of_the_flows_and_orders_can_be_about_their_sessions() {
    use sessionscope::engine::{Command, Event};
    use sessionscope::sandbox::{self, Status};
    let desk = Desk::default();
    desk.sandbox_running();
    let mut status = Status::default();
    status.flows.conversations.push(sandbox::ConversationStatus {
        id: "11111111-2222-4333-8444-555555555555".into(),
        flow: "managed-conversation".into(),
        state: "live".into(),
        count: 3,
        ..Default::default()
    });
    let contact = sandbox::ContactStatus { id: "x1".into(), contact: "c-77".into(), ..Default::default() };
    status.flows.contacts.push(contact);
    // One of a flow without a socket: no order can be about it.
    status.flows.contacts.push(sandbox::ContactStatus { contact: "c-78".into(), ..Default::default() });
    status.flows.guests.push(sandbox::ResourceStatus { id: "g2".into(), name: "Ann".into(), ..Default::default() });
    status.flows.guest_keys.push("key-1".into());
    let event = serde_json::json!({ "event": "webchat.session.created", "data": { "guestId": "guest-1" } });
    status.flows.crm.push(sandbox::CrmEvent { at: "2026-01-06T13:26:15.000Z".into(), event });
    desk.listener.tell(Event::SandboxStatus(Box::new(status)));
    let mut h = desk.harness([1440.0, 1400.0], Theme::Dark);
    h.run_ok();
    keys(&mut h, Modifiers::COMMAND, Key::B);
    let far = |h: &mut Harness<'_, App>, label: &str| {
        h.get_by_label(label).click_accesskit();
        h.run_ok();
    };
    far(&mut h, "1 conversation");
    assert!(tells(&h, "11111111-2222-…") && says(&h, "3 beats"));
    far(&mut h, "2 contacts");
    assert!(says(&h, "x1") && says(&h, "c-78"));
    far(&mut h, "1 guest");
    assert!(says(&h, "Ann"));
    far(&mut h, "1 guest key");
    assert!(says(&h, "key-1"));
    far(&mut h, "1 event at the CRM");
    far(&mut h, "13:26:15 webchat.session.created");
    assert!(tells(&h, "guest-1"));
    far(&mut h, "Expire session");
    h.get_by_role_and_label(Role::ComboBox, "Expire session: Session").click_accesskit();
    h.run_ok();
    assert!(sees(&h, "x1 · c-77") && !sees(&h, " · c-78"));
    far(&mut h, "g2 · Ann");
    desk.listener.take();
    h.query_all_by_role_and_label(Role::Button, "Expire session").last().unwrap().click_accesskit();
    h.run_ok();
    let order = desk.listener.take().into_iter().find_map(|c| match c {
        Command::Order { order } => Some(order),
        _ => None,
    });
    let Some(sandbox::Order::ExpireSession { session, .. }) = order else { panic!("{order:?}") };
    assert_eq!(session.as_deref(), Some("g2"));
}

mod audit {
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    use sessionscope::engine::Command;
    use sessionscope::ui::seams;

    use super::*;

    #[derive(Default)]
    struct Inner {
        lines: Vec<String>,
        unread: Option<Report>,
        trouble: Option<Report>,
    }

    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Inner>>);

    impl seams::Audit for Fake {
        fn file(&self) -> PathBuf {
            "/var/audit/audit.jsonl".into()
        }

        fn tail(&self, lines: usize) -> Result<(Vec<String>, u64), Report> {
            let inner = self.0.lock().unwrap();
            match &inner.unread {
                Some(report) => Err(report.clone()),
                None => {
                    let from = inner.lines.len().saturating_sub(lines);
                    Ok((inner.lines[from..].to_vec(), 2048))
                }
            }
        }

        fn trouble(&self) -> Option<Report> {
            self.0.lock().unwrap().trouble.clone()
        }
    }

    /// A log with some lines.
    pub fn some() -> Arc<dyn seams::Audit> {
        let fake = Fake::default();
        let failed = |n| line(n).replace("success", "failed").replace("200", "401");
        let lines = (1..60).map(|n| if n % 7 == 0 { failed(n) } else { line(n) });
        let state = r#"{"time":"2026-01-06T13:26:15.900Z","session":1,"name":"Guest 1","event":"state","state":"ended","detail":"closed by you"}"#;
        fake.0.lock().unwrap().lines = lines.chain([state.to_owned()]).collect();
        Arc::new(fake)
    }

    fn line(n: usize) -> String {
        format!(
            r#"{{"time":"2026-01-06T13:26:15.{n:03}Z","session":1,"name":"Guest 1","dialect":"session-token","environment":"Sandbox","event":"attempt","action":"message.send","status":"success","attempt":{n},"httpStatus":200,"latencyMs":12.5}}"#
        )
    }

    fn lines(h: &Harness<'_, App>) -> Vec<String> {
        items(h).into_iter().filter(|i| i.contains("message.send") || i.contains("refused")).collect()
    }

    fn open(desk: &Desk) -> Harness<'static, App> {
        let mut h = desk.harness(SIZE, Theme::Dark);
        h.run_ok();
        keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
        h
    }

    #[test]
    fn the_newest_lines_come_last_and_the_filter_and_refresh_work() {
        let fake = Fake::default();
        fake.0.lock().unwrap().lines = (1..300).map(line).collect();
        let desk = Desk { audit: Some(Arc::new(fake.clone())), ..Desk::default() };
        let mut h = open(&desk);
        until(&mut h, "the lines", |h| !lines(h).is_empty());
        assert!(lines(&h).last().unwrap().ends_with("attempt 299"), "{:?}", lines(&h));
        assert!(tells(&h, "/var/audit/audit.jsonl") && tells(&h, "2.0 KB") && tells(&h, "299 lines"));
        fill(&mut h, "Filter the audit log", "\"attempt\":17,");
        assert_eq!(lines(&h).len(), 1);
        assert!(tells(&h, "1 of 299 lines"));
        h.get_by_label_contains("attempt 17").click();
        h.run_ok();
        assert!(tells(&h, &line(17)), "the whole line stands below");
        refill(&mut h, "Filter the audit log", "no such word");
        assert!(tells(&h, "No line passes the filter."));
        fake.0.lock().unwrap().lines.push(line(300).replace("success", "no such word"));
        press(&mut h, "Refresh");
        until(&mut h, "the new line", |h| tells(h, "1 of 300 lines"));
        press(&mut h, "Export…");
        assert!(sees(&h, "Export the audit log") || tells(&h, "Export the audit log"));
        press(&mut h, "Save");
        assert!(desk.listener.take().iter().any(|c| matches!(c, Command::ExportAudit { .. })));
    }

    #[test]
    fn a_log_that_cannot_be_read_says_so_and_can_be_tried_again() {
        let fake = Fake::default();
        fake.0.lock().unwrap().unread = Some(Report::new("audit-unread", "The audit log cannot be read", "denied"));
        let desk = Desk { audit: Some(Arc::new(fake.clone())), ..Desk::default() };
        let mut h = open(&desk);
        until(&mut h, "the failure", |h| tells(h, "The audit log cannot be read"));
        fake.0.lock().unwrap().unread = None;
        press(&mut h, "Refresh");
        until(&mut h, "no failure", |h| tells(h, "Nothing was written yet."));
        assert!(!tells(&h, "The audit log cannot be read"));
    }

    #[test]
    fn trouble_of_the_audit_log_reaches_a_person_who_does_not_look_for_it() {
        let fake = Fake::default();
        let desk = Desk { audit: Some(Arc::new(fake.clone())), ..Desk::default() };
        let mut h = desk.harness(SIZE, Theme::Dark);
        h.run_ok();
        assert!(!tells(&h, "The audit log cannot be written"));
        let report = Report::new("audit", "The audit log cannot be written", "/var/audit: no space left.");
        fake.0.lock().unwrap().trouble = Some(report.remedy("Make room."));
        h.run_ok();
        assert!(tells(&h, "The audit log cannot be written") && tells(&h, "no space left"));
        press(&mut h, "Audit log…");
        assert!(sees(&h, "Filter the audit log"));
    }

    #[test]
    fn in_private_mode_it_says_that_none_is_written() {
        let h = open(&Desk::default());
        assert!(tells(&h, "No audit log is written in private mode"));
        assert!(!sees(&h, "Refresh"));
    }
}

/// Pictures to look at, on demand: `LOOK=folder cargo test --test it look_around`.
#[test]
fn look_around() {
    let Ok(folder) = std::env::var("LOOK") else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let sizes = [("wide", [1440.0, 900.0], 1.0), ("small", [1024.0, 640.0], 1.0), ("double", [1440.0, 900.0], 2.0)];
    for (theme_name, theme) in THEMES {
        for (size_name, size, scale) in sizes {
            let mut desk = Desk { audit: Some(audit::some()), ..Desk::default() };
            desk.settings.scale = scale;
            let session = flow(&desk, 1, DialectId::ExternalContact);
            flow(&desk, 2, DialectId::ManagedConversation);
            let mut h = desk.harness(size, theme);
            h.state_mut().adopt(session);
            until(&mut h, "the end", |h| h.query_all_by_label_contains("Ended: closed by you").next().is_some());
            let save = |h: &mut Harness<'_, App>, name: &str| {
                h.run_ok();
                h.render().unwrap().save(format!("{folder}/{name}_{theme_name}_{size_name}.png")).unwrap();
            };
            save(&mut h, "session");
            keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
            save(&mut h, "metrics");
            keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
            save(&mut h, "report");
            h.key_press(Key::Escape);
            h.run_ok();
            h.get_by_role_and_label(Role::DisclosureTriangle, "3 ids").click();
            keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
            save(&mut h, "names");
            keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
            until(&mut h, "the lines", |h| h.query_all_by_label_contains("message.send").next().is_some());
            save(&mut h, "audit");
            h.key_press(Key::Escape);
            h.run_ok();
            keys(&mut h, Modifiers::COMMAND | Modifiers::SHIFT, Key::E);
            press(&mut h, "New environment");
            h.get_by_label("Unverified flows").click_accesskit();
            h.run_ok();
            h.get_by_label("Conversation REST with session token").click_accesskit();
            h.run_ok();
            h.get_by_role_and_label(Role::TextInput, "Webhook").scroll_to_me();
            save(&mut h, "flows");
            h.get_by_role_and_label(Role::ComboBox, "OAuth token from").scroll_to_me();
            save(&mut h, "token");
        }
    }
}
