//! The program as a process: its subcommands, what they print and how they exit.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sessionscope::cli::script::{parse_environment, parse_script};
use sessionscope::engine::places::Places;
use sessionscope::engine::stored::Stored;
use sessionscope::model::Environment;
use sessionscope::sandbox::Order;
use sessionscope::ui::settings::Settings;
use tokio_tungstenite::tungstenite::Message;

use crate::window::program;

/// The program in a home of its own, without a display and without a keyring.
pub fn sessionscope(home: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env("SESSIONSCOPE_HOME", home)
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn ready_sandbox(home: &Path) -> (Child, Value) {
    ready_sandbox_with(home, &[])
}

fn ready_sandbox_with(home: &Path, more: &[&str]) -> (Child, Value) {
    let mut command = sessionscope(home);
    command.arg("sandbox").args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).expect("the ready line is JSON"))
}

#[cfg(unix)]
fn interrupt(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn the_sandbox_tells_when_it_is_ready_and_ends_on_both_signals() {
    for signal in ["INT", "TERM"] {
        let home = tempfile::tempdir().unwrap();
        let (mut child, ready) = ready_sandbox(home.path());
        for key in [
            "api",
            "login",
            "guest_socket",
            "cdn",
            "streaming",
            "control",
            "deployment_id",
            "client_id",
            "client_secret",
            "pkce_client_id",
            "queue_id",
        ] {
            assert!(ready[key].as_str().is_some_and(|v| !v.is_empty()), "{key} in {ready}");
        }
        for list in ["agents", "queues"] {
            assert!(ready[list].as_array().is_some_and(|l| !l.is_empty()), "{list} in {ready}");
        }
        assert_eq!(ready.as_object().unwrap().len(), 13, "no ca_pem without --tls");
        assert!(ready["guest_socket"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
        interrupt(&child, signal);
        let end = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end on SIG{signal}");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        let mut rest = String::new();
        child.stdout.unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line on standard output");
    }
}

#[test]
fn the_sandbox_does_not_listen_where_others_could_reach_it() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).args(["sandbox", "--listen", "0.0.0.0:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("loopback"), "{}", text(&output));
}

/// What lies in the captures folder of a home.
fn captures(home: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(home.join("captures"));
    folder.map(|f| f.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// Stores settings as the window does.
fn store(home: &Path, settings: &Settings) {
    std::fs::create_dir_all(home.join("config")).unwrap();
    std::fs::write(home.join("config/settings.json"), settings.to_json()).unwrap();
}

fn write(home: &Path, name: &str, text: &str) -> PathBuf {
    let file = home.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn without_a_display_the_first_conversation_runs_in_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).output().unwrap();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for part in ["DISPLAY", "apt-get install", "clocks", "OAuth", "guest JWT", "session idle", "records", "capture"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    // Each message once, in the order of the conversation.
    let talk: Vec<&str> = said.lines().filter(|l| l.contains("  guest  ") || l.contains("  bot    ")).collect();
    let wanted = [
        "bot    Hello, this is the sandbox",
        "guest  hello",
        "bot    You said: hello",
        "guest  quick",
        "bot    Which one?  [Yes]",
        "guest  card",
        "bot    A card  [card: Card]",
    ];
    assert_eq!(talk.len(), wanted.len(), "{said}");
    assert!(talk.iter().zip(wanted).all(|(line, part)| line.contains(part)), "{said}");
    let kept = captures(home.path());
    assert_eq!(kept.len(), 1, "one capture, no leftovers: {kept:?}");
    assert!(said.contains(&kept[0].display().to_string()), "{said}");
    let opened = sessionscope(home.path()).arg("open").arg(&kept[0]).output().unwrap();
    assert!(opened.status.success() && text(&opened).contains("First light"), "{}", text(&opened));
}

#[test]
fn stored_settings_are_read_as_the_window_stores_them() {
    let home = tempfile::tempdir().unwrap();
    let places = Places { config: home.path().join("config"), captures: home.path().join("captures") };
    let seen = |s: &Settings| Stored {
        environments: s.environments.clone(),
        private_mode: s.private_mode,
        keep_days: s.keep_days,
    };
    let mut settings = Settings::default();
    assert_eq!(Stored::read(&places).unwrap(), seen(&settings), "where the window never ran");
    settings.private_mode = true;
    settings.keep_days = 3;
    settings.environments.push(Environment { id: "e1".into(), name: "Staging".into(), ..Environment::default() });
    store(home.path(), &settings);
    assert_eq!(Stored::read(&places).unwrap(), seen(&settings));
    let mut odd: Value = serde_json::from_str(&settings.to_json()).unwrap();
    odd["keep_days"] = json!("many");
    odd["environments"].as_array_mut().unwrap().push(json!({"from": "a newer version"}));
    write(&places.config, "settings.json", &odd.to_string());
    assert_eq!(Stored::read(&places).unwrap(), Stored { keep_days: 14, ..seen(&settings) });
    write(&places.config, "settings.json", "{");
    assert_eq!(Stored::read(&places).unwrap_err().code, "settings");
}

#[test]
fn private_mode_and_the_age_of_captures_hold_without_a_window_too() {
    let home = tempfile::tempdir().unwrap();
    let first = sessionscope(home.path()).output().unwrap();
    assert!(first.status.success(), "{}", text(&first));
    let [old] = captures(home.path()).try_into().expect("one capture");
    let month = Duration::from_secs(30 * 86_400);
    let file = std::fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - month).unwrap();
    drop(file);
    store(home.path(), &Settings { private_mode: true, keep_days: 0, ..Settings::default() });
    let second = sessionscope(home.path()).output().unwrap();
    assert!(second.status.success() && text(&second).contains("private mode"), "{}", text(&second));
    assert_eq!(captures(home.path()), [old], "nothing new, and what is old is kept for ever");
    store(home.path(), &Settings { private_mode: true, ..Settings::default() });
    let script = write(home.path(), "script.yaml", "scenarios: {A: [{say: hello}]}");
    let run = |more: &[&std::ffi::OsStr]| {
        let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").args(more).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    assert!(run(&[]).contains("private mode"));
    assert_eq!(captures(home.path()), [] as [PathBuf; 0], "the old one has gone");
    let capture = home.path().join("asked-for.sscope");
    let said = run(&["--capture".as_ref(), capture.as_ref()]);
    assert!(capture.exists() && said.contains("asked-for.sscope"), "{said}");
}

#[test]
fn a_run_that_cannot_begin_leaves_no_capture_behind() {
    let home = tempfile::tempdir().unwrap();
    let script = write(home.path(), "script.yaml", "scenarios: {A: [{say: hello}]}");
    let capture = home.path().join("asked-for.sscope");
    let no_ca = write(home.path(), "no-ca.yaml", "guest_socket: ws://127.0.0.1:9\nca_file: /nonexistent.pem\n");
    let bad = write(home.path(), "bad.yaml", "guest_socket: http://127.0.0.1:9\n");
    let no_deployment = write(home.path(), "region.yaml", "region: mypurecloud.ie\n");
    let script = script.to_str().unwrap();
    for (arguments, says) in [
        (vec![script], "Which server?"),
        (vec![script, "--environment", no_deployment.to_str().unwrap()], "The deployment id is missing"),
        (vec![script, "--environment", "nowhere"], "No such environment"),
        (vec![script, "--environment", bad.to_str().unwrap()], "guest_socket is not a usable address"),
        (vec![script, "--environment", no_ca.to_str().unwrap()], "The CA file cannot be used"),
    ] {
        for to_file in [false, true] {
            let mut command = sessionscope(home.path());
            command.arg("run").args(&arguments);
            if to_file {
                command.arg("--capture").arg(&capture);
            }
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            assert!(text(&output).contains(says), "{says} is missing in:\n{}", text(&output));
            assert!(captures(home.path()).is_empty() && !capture.exists(), "{arguments:?}");
        }
    }
}

/// Reads a line, or nothing at all, and goes away, as `head` does.
#[cfg(unix)]
fn read_only(command: &mut Command, line: bool) -> (Option<i32>, String) {
    let (out, pipe) = std::io::pipe().unwrap();
    let mut out = Some(BufReader::new(out)).filter(|_| line);
    let child = command.stdout(pipe).stderr(Stdio::piped()).spawn().unwrap();
    // Ours of its two ends.
    command.stdout(Stdio::null());
    if let Some(out) = &mut out {
        out.read_line(&mut String::new()).unwrap();
    }
    drop(out);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output))
}

#[cfg(unix)]
#[test]
fn nothing_is_said_where_the_reader_of_the_output_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let script =
        write(home.path(), "script.yaml", "scenarios: {A: [{say: hello}, {waitForReplyContaining: you said}]}");
    let mut run = sessionscope(home.path());
    run.arg("run").arg(&script).arg("--sandbox");
    assert!(run.output().unwrap().status.success());
    let [capture] = captures(home.path()).try_into().expect("one capture");
    let mut open = sessionscope(home.path());
    open.arg("open").arg(&capture);
    let mut doctor = sessionscope(home.path());
    doctor.arg("doctor");
    let mut sandbox = sessionscope(home.path());
    sandbox.arg("sandbox");
    let first = sessionscope(home.path());
    for (mut command, line) in [(run, true), (open, false), (doctor, false), (sandbox, false), (first, true)] {
        let (status, said) = read_only(&mut command, line);
        assert_eq!(status, Some(141), "as after SIGPIPE: {command:?}\n{said}");
        assert!(!said.contains("panicked") && !said.contains("Broken pipe"), "{said}");
    }
    let mut help = sessionscope(home.path());
    let (status, said) = read_only(help.args(["run", "--help"]), false);
    assert_eq!((status, said.trim()), (Some(0), ""));
}

/// A server of another make: it answers configureSession, echoes text, and says it back. It has nothing but a socket.
fn echo_server() -> (tokio::runtime::Runtime, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = format!("ws://{}/socket", listener.local_addr().unwrap());
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                let mut count = 0;
                while let Some(Ok(message)) = socket.next().await {
                    let Ok(asked) = serde_json::from_str::<Value>(message.to_text().unwrap_or_default()) else {
                        continue;
                    };
                    for answer in echo_answers(&asked, &mut count) {
                        let _ = socket.send(Message::text(answer.to_string())).await;
                    }
                }
            });
        }
    });
    (runtime, address)
}

fn echo_answers(asked: &Value, count: &mut u32) -> Vec<Value> {
    let tracing = &asked["tracingId"];
    let message = |id: u32, direction: &str, text: &str| {
        json!({"type": "message", "class": "StructuredMessage", "code": 200, "tracingId": tracing, "body":
            {"id": format!("m{id}"), "type": "Text", "text": text, "direction": direction, "channel": {}}})
    };
    match asked["action"].as_str() {
        Some("configureSession") => vec![json!({"type": "response", "class": "SessionResponse", "code": 200,
            "body": {"connected": true, "newSession": true}, "tracingId": tracing})],
        Some("onMessage") => {
            let text = asked["message"]["text"].as_str().unwrap_or_default();
            *count += 2;
            vec![message(*count, "Inbound", text), message(*count + 1, "Outbound", &format!("Echo: {text}"))]
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_script_runs_against_any_server_of_which_only_the_socket_is_known() {
    let (_server, address) = echo_server();
    let home = tempfile::tempdir().unwrap();
    let secret = "hunter2-hunter2-hunter2";
    let environment = format!("guest_socket: {address}\nclient_id: c\nclient_secret: {secret}\n");
    let environment = write(home.path(), "own server.yaml", &environment);
    let script = format!(
        "scenarios:\n  Holds:\n    - say: first\n    - waitForReplyMatching: ^echo.*FIRST$\n    - say: second\n    \
         - waitForReplyContaining: 'echo: second'\n  Fails:\n    - say: {secret}\n    - waitForReplyContaining: other\n"
    );
    let script = write(home.path(), "script.yaml", &script);
    let run = |more: &[&str]| {
        let mut command = sessionscope(home.path());
        command.arg("run").arg(&script).arg("--environment").arg(&environment).args(more);
        command.output().unwrap()
    };
    let output = run(&["--timeout", "2s"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["environment: own server", &address, "1 of 2 scenarios hold", "received: Echo: [client-secret#1]"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    assert!(!said.contains(secret), "{said}");

    let output = sessionscope(home.path()).arg("doctor").arg("--environment").arg(&environment).output().unwrap();
    let said = text(&output);
    for part in [
        "no CDN host given, not checked",
        "no API host given",
        "no login host given",
        "guest socket: 127.0.0.1",
        "opens",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let checks = said.split("environment own server").nth(1).unwrap();
    assert!(!checks.contains("BAD"), "{said}");
}

#[test]
fn a_script_runs_against_the_embedded_sandbox() {
    let home = tempfile::tempdir().unwrap();
    let capture = home.path().join("run.sscope");
    let output = sessionscope(home.path())
        .args(["run", "tests/fixtures/script.yaml", "--sandbox", "--capture"])
        .arg(&capture)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("2 of 2 scenarios hold"));
    assert!(capture.exists());
}

#[cfg(unix)]
#[test]
fn a_script_runs_against_an_environment_file_and_fails_where_a_reply_stays_out() {
    let home = tempfile::tempdir().unwrap();
    let (mut child, ready) = ready_sandbox(home.path());
    let file = home.path().join("environment.json");
    std::fs::write(&file, ready.to_string()).unwrap();
    let script = home.path().join("script.yaml");
    std::fs::write(
        &script,
        "scenarios:\n  Fails:\n    - say: hello\n    - waitForReplyContaining: something nobody says\n  Holds:\n    - say: hello\n    - waitForReplyContaining: You said\n",
    )
    .unwrap();
    let output = sessionscope(home.path())
        .arg("run")
        .arg(&script)
        .arg("--environment")
        .arg(&file)
        .args(["--timeout", "2s"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("1 of 2 scenarios hold") && said.contains("FAILS") && said.contains("received:"), "{said}");
    assert!(!said.contains(ready["client_secret"].as_str().unwrap()));
    interrupt(&child, "TERM");
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn where_a_person_must_sign_in_a_run_says_where_and_waits() {
    let home = tempfile::tempdir().unwrap();
    let (mut sandbox, ready) = ready_sandbox(home.path());
    let file = home.path().join("environment.json");
    std::fs::write(&file, ready.to_string()).unwrap();
    let script = write(
        home.path(),
        "script.yaml",
        "scenarios:\n  Meets:\n    flow: web-messaging\n    agent: {on_queue: true, auto_answer: true}\n    steps:\n      - say: hello\n      - agent: {hears: hello}\n",
    );
    let mut command = sessionscope(home.path());
    command.arg("run").arg(&script).arg("--environment").arg(&file).env("BROWSER", "false");
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|l| l.trim().strip_prefix("http").map(|rest| format!("http{rest}")));
    let address = address.expect("the address is told");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = runtime.block_on(reqwest::get(format!("{address}&prompt=none"))).unwrap();
    assert_eq!(page.status(), 200, "{address}");
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|l| l.contains("1 of 1 scenarios hold")), "{rest:?}");
    assert!(run.wait().unwrap().success());
    interrupt(&sandbox, "TERM");
    sandbox.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn the_ready_line_of_a_secured_sandbox_is_an_environment_that_trusts_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut child, ready) = ready_sandbox_with(home.path(), &["--tls"]);
    assert!(ready["api"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{ready}");
    let pem = ready["ca_pem"].as_str().unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE"), "{pem}");
    let write = |name: &str, value: &Value| {
        let file = home.path().join(name);
        std::fs::write(&file, value.to_string()).unwrap();
        file
    };
    let file = write("environment.json", &ready);
    let script = write("script.yaml", &Value::Null);
    let steps = "scenarios:\n  Holds:\n    - say: hello\n    - waitForReplyContaining: You said\n";
    std::fs::write(&script, steps).unwrap();
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--environment").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = sessionscope(home.path()).arg("doctor").arg("--environment").arg(&file).output().unwrap();
    let said = text(&output);
    for part in ["deployment: active", "guest socket: 127.0.0.1", "agents' sign-in: 127.0.0.1", "knows the client"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let mut bare = ready.clone();
    bare.as_object_mut().unwrap().remove("ca_pem");
    let file = write("bare.json", &bare);
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--environment").arg(&file).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("No secure connection to 127.0.0.1") || said.contains("no certificate authorities"),
        "{said}"
    );
    interrupt(&child, "TERM");
    child.wait().unwrap();
}

#[test]
fn bad_files_are_told_with_line_and_column() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("bad.yaml");
    std::fs::write(&script, "scenarios:\n  A:\n    - shout: hi\n").unwrap();
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("line 3, column"), "{}", text(&output));
    let capture = home.path().join("not-a-capture.sscope");
    std::fs::write(&capture, "hello").unwrap();
    let output = sessionscope(home.path()).arg("open").arg(&capture).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

/// Runs a script of one scenario in the sandbox: its exit status and all that it says.
fn played(scenario: &str) -> (Option<i32>, String) {
    let home = tempfile::tempdir().unwrap();
    let script = write(home.path(), "script.yaml", &format!("scenarios:\n  A:\n{scenario}"));
    let output = sessionscope(home.path()).arg("run").arg(&script).args(["--sandbox", "--timeout", "2s"]).output();
    let output = output.unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn a_script_that_asks_for_what_nobody_has_is_refused_before_anything_is_played() {
    for (step, part) in [
        ("clock: nosuch expire", "it has guest-jwt, guest-auth, session-idle, link:ID"),
        ("do: heartbeat", "the flow web-messaging has no “heartbeat”"),
        ("profile: {a: 1}", "no “profile”"),
        ("send: {text: x, form: token-in-body}", "no “form”"),
        ("state: endde", "none of new, connecting"),
        ("why: no-such-cause", "no cause “no-such-cause”"),
        ("pass: 999999h", "more than 72h"),
    ] {
        let (status, said) = played(&format!("    - say: hello\n    - {step}\n"));
        assert_eq!(status, Some(1), "{step}: {said}");
        assert!(said.contains("line 4, column") && said.contains(part), "{step}: {said}");
        assert!(!said.contains("environment:"), "{step} was played: {said}");
    }
}

#[test]
fn a_deed_that_cannot_be_done_now_fails_its_step_with_the_sessions_words() {
    let steps = "    flow: managed-conversation\n    form: {guest_id: user-1}\n    connect: no\n    steps:\n      - do: heartbeat\n";
    let (status, said) = played(steps);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("FAILS do: heartbeat") && said.contains("there is no session to keep alive"), "{said}");
    // No JWT was asked for yet.
    let (status, said) = played("    - clock: guest-jwt expire\n");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("FAILS clock guest-jwt") || said.contains("FAILS do: clock guest-jwt"), "{said}");
    let (status, said) = played("    - clock: guest-jwt refresh\n    - record: kind:expiry guest-jwt started\n");
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn where_nothing_failed_no_other_cause_is_claimed() {
    let (status, said) = played("    - say: hello\n    - why: session-expired\n");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("No cause was found") && !said.contains("Another cause"), "{said}");
}

#[test]
fn a_tester_may_ask_for_a_cause_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("config/knowledge")).unwrap();
    let cause = "causes:\n  - id: our-own-limit\n    title: Too much for us\n    of: [frame 4011]\n    says: It said so.\n    fix: [Say less.]\n    would_decide: The text.\n    source: ours\n";
    write(home.path(), "config/knowledge/own.yaml", cause);
    let script = "scenarios:\n  A:\n    - why: our-own-limitt\n";
    let script = write(home.path(), "script.yaml", script);
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").output().unwrap();
    assert!(text(&output).contains("like it are our-own-limit"), "{}", text(&output));
    write(home.path(), "config/knowledge/broken.yaml", "causes: [");
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").output().unwrap();
    assert!(text(&output).contains("broken.yaml"), "a cause may stand there: {}", text(&output));
}

#[test]
fn the_doctor_says_what_is_missing_and_how_to_mend_it() {
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).arg("doctor").output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["BAD   window", "keyring", "captures", "apt-get install"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[cfg(unix)]
#[test]
fn the_doctor_checks_all_stored_environments_where_none_is_named() {
    let home = tempfile::tempdir().unwrap();
    let said = text(&sessionscope(home.path()).arg("doctor").output().unwrap());
    assert!(said.contains("no environment is stored") && said.contains("give --environment FILE"), "{said}");
    let (mut child, ready) = ready_sandbox(home.path());
    let alive: Environment = serde_json::from_value(ready).unwrap();
    let gone = Environment { name: "Gone".into(), guest_socket: Some("ws://127.0.0.1:9".into()), ..alive.clone() };
    let environments = vec![Environment { name: "Alive".into(), ..alive }, gone];
    store(home.path(), &Settings { environments, ..Settings::default() });
    let output = sessionscope(home.path()).arg("doctor").output().unwrap();
    let said = text(&output);
    let (alive, gone) = said.split_once("environment Gone").expect("both are checked");
    let alive = alive.split_once("environment Alive").expect("the first is checked first").1;
    for part in ["deployment: active", "allowed domains: all", "API: ", "guest socket: ", "clocks: the server is"] {
        assert!(alive.contains(&format!("well  {part}")), "{part} is missing in:\n{said}");
    }
    assert!(!alive.contains("BAD") && gone.contains("BAD   Nothing listens at 127.0.0.1:9"), "{said}");
    interrupt(&child, "TERM");
    child.wait().unwrap();
}

/// What stands between the fences of this language.
fn examples(language: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let fence = format!("```{language}\n");
    readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_readme_are_understood() {
    let examples = examples("yaml");
    let [script, flow, environment] = examples[..] else { panic!("{} examples", examples.len()) };
    assert_eq!(parse_script(script, "README").unwrap().scenarios.0[0].1.steps.len(), 4);
    assert_eq!(parse_script(flow, "README").unwrap().scenarios.0[0].1.steps.len(), 8);
    let environment = parse_environment(environment, "README").unwrap();
    assert_eq!(environment.hosts().unwrap().guest_socket, "ws://127.0.0.1:8089/v1");
    // Orders that stand there as they can be sent; "…" is for the reader to fill in.
    let readme = include_str!("../../README.md");
    let orders = readme.split('`').filter(|part| part.starts_with("{\"do\"") && !part.contains('…'));
    let mut count = 0;
    for order in orders {
        let order = order.replace("\"oauth\"\\|\"jwt\"\\|ID", "\"jwt\"");
        Order::parse(&order).unwrap_or_else(|e| panic!("{order}: {e}"));
        count += 1;
    }
    assert!(count >= 18, "{count}");
}

/// Waits until the process has ended.
#[cfg(unix)]
fn ended(child: &mut Child) -> Option<i32> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < end, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_while_time_passes_does_not_wait_for_the_end_of_it() {
    let home = tempfile::tempdir().unwrap();
    let script = write(home.path(), "script.yaml", "scenarios: {A: [{say: hello}, {pass: 72h}, {say: never}]}");
    let mut child = sessionscope(home.path())
        .arg("run")
        .arg(&script)
        .arg("--sandbox")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.contains("say: hello")), "the conversation did not begin");
    interrupt(&child, "TERM");
    assert_eq!(ended(&mut child), Some(143));
    assert_eq!(captures(home.path()).len(), 1);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_says_goodbye_and_leaves_one_whole_capture() {
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let home = tempfile::tempdir().unwrap();
        let steps = "[{say: hello}, {waitForReplyContaining: you said}, {waitForReplyContaining: never}]";
        let script = write(home.path(), "script.yaml", &format!("scenarios: {{A: {steps}, B: {steps}}}"));
        let mut child = sessionscope(home.path())
            .arg("run")
            .arg(&script)
            .args(["--sandbox", "--timeout", "60s"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let begun = lines.by_ref().any(|line| line.to_lowercase().contains("you said"));
        assert!(begun, "the conversation did not begin");
        interrupt(&child, signal);
        let rest: Vec<String> = lines.collect();
        assert_eq!(ended(&mut child), Some(status), "{rest:?}");
        let said = rest.join("\n");
        let kept = captures(home.path());
        assert_eq!(kept.len(), 1, "one whole file: {kept:?}");
        assert!(said.contains("interrupted; 0 of 2") && said.contains(&kept[0].display().to_string()), "{said}");
        let opened = text(&sessionscope(home.path()).arg("open").arg(&kept[0]).output().unwrap());
        assert!(opened.contains(" A: ") && !opened.contains(" B: "), "{opened}");
        assert!(!opened.contains("at the end of the capture"), "no goodbye was said: {opened}");
    }
}

#[test]
fn where_the_usual_folder_cannot_be_written_the_ways_out_are_named() {
    let home = tempfile::tempdir().unwrap();
    // Whoever is root may write everywhere, but not into a file as if it were a folder.
    write(home.path(), "captures", "x");
    let script = write(home.path(), "script.yaml", "scenarios: {A: [{say: hello}]}");
    let output = sessionscope(home.path()).arg("run").arg(&script).arg("--sandbox").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in ["SESSIONSCOPE_HOME", "private mode", "settings.json"] {
        assert!(text(&output).contains(part), "{part} is missing in:\n{}", text(&output));
    }
}

#[test]
fn the_readme_leaves_no_order_and_no_option_of_the_sandbox_out() {
    let readme = include_str!("../../README.md");
    // The error names all orders in backticks, after the one that it does not know.
    let error = Order::parse(r#"{"do":"dance"}"#).unwrap_err();
    let orders: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
    assert!(orders.len() > 30 && orders.contains(&"use_keys"), "{error}");
    for order in orders {
        assert!(readme.contains(&format!("\"do\":\"{order}\"")), "{order} is missing");
    }
    let home = tempfile::tempdir().unwrap();
    let output = sessionscope(home.path()).args(["sandbox", "--help"]).output().unwrap();
    let help = text(&output);
    let options: Vec<&str> = help.split_whitespace().filter(|w| w.starts_with("--") && *w != "--help").collect();
    assert!(options.len() >= 5, "{help}");
    let synopsis = readme.lines().find(|line| line.starts_with("sessionscope sandbox")).unwrap();
    for option in options {
        assert!(synopsis.contains(option), "{option} is missing in “{synopsis}”");
    }
}

#[cfg(unix)]
#[test]
fn the_order_of_the_readme_works_on_a_fresh_sandbox() {
    let call = examples("sh").into_iter().flat_map(str::lines).find(|line| line.starts_with("curl"));
    let order = call.unwrap().split('\'').find(|part| part.starts_with("{\"do\"")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (mut child, ready) = ready_sandbox(home.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(ready["control"].as_str().unwrap());
        let answer = request.header("content-type", "application/json").body(order.to_owned()).send().await;
        answer.unwrap().status()
    });
    assert!(status.is_success(), "{order}: {status}");
    interrupt(&child, "TERM");
    child.wait().unwrap();
}
