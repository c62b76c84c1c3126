//! The vault against a real Secret Service, and against the ways in which there is none.
//!
//! The keyring's connection belongs to the process, so each case runs in a process of its own: the test starts this
//! binary again with a prepared environment, and the child plays its part.

use std::env;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Output};

use sessionscope::model::{Secret, Wall};
use sessionscope::vault::Vault;
use sessionscope::vault::keys::{KeyRing, SigningKey};
use tempfile::TempDir;

use crate::needs;

/// Set in the child: which part it plays.
const PART: &str = "SESSIONSCOPE_KEYRING_PART";

/// A bus on which nothing is started by name, so that only what the test starts is there.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

const UNLOCK: &str = "printf test-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null";
const START: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null";

/// The daemon takes its name on the bus a little after it went to the background.
const WAIT: &str = r#"
for n in $(seq 1000); do
    dbus-send --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner \
        string:org.freedesktop.secrets >/dev/null 2>&1 && break
    sleep 0.01
done"#;

/// A private home.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    for dir in ["run", "share"] {
        fs::DirBuilder::new().mode(0o700).create(home.path().join(dir)).unwrap();
    }
    fs::write(home.path().join("bus.conf"), BUS).unwrap();
    home
}

/// Runs the test `name` again as its child, on a bus where `before` was run first, or with no bus at all.
fn child(home: &Path, name: &str, part: &str, before: Option<&str>) {
    let own = env::current_exe().unwrap();
    let mut command = match before {
        Some(before) => {
            let script = format!("{before}\nexec \"$0\" \"$@\"");
            let mut command = Command::new("dbus-run-session");
            command.arg("--config-file").arg(home.join("bus.conf")).args(["--", "sh", "-c", &script]).arg(own);
            command
        }
        None => Command::new(own),
    };
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env("HOME", home).env("XDG_DATA_HOME", home.join("share"));
    command.env("XDG_RUNTIME_DIR", home.join("run"));
    // No display: a prompt must fail, not wait.
    for name in ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    let out = command.output().unwrap();
    let text = text_of(&out);
    assert!(out.status.success(), "{part}:\n{text}");
    assert!(text.contains(&format!("played: {part}")), "the child did not play {part}:\n{text}");
}

fn part() -> Option<String> {
    env::var(PART).ok()
}

fn played(part: &str) {
    println!("played: {part}");
}

fn has_programs() -> bool {
    needs::program("dbus-run-session") && needs::program("gnome-keyring-daemon")
}

fn value(vault: &Vault, key: &str) -> Option<String> {
    vault.get(key).unwrap().map(|s| s.expose().clone())
}

/// In a child: there is no keyring, the report says why, and secrets are kept all the same.
fn falls_back(code: &str, raw: &str) {
    let vault = Vault::open();
    let status = vault.status();
    assert_eq!((status.place.as_str(), status.lasting), ("memory only", false), "{status:?}");
    let report = status.report.unwrap();
    assert_eq!(report.code, code, "{}", report.text());
    assert!(report.details.iter().any(|d| d.contains(raw)), "{}", report.text());
    assert!(!report.remedies.is_empty());
    vault.set("k", &Secret::from("kept in memory")).unwrap();
    assert_eq!(value(&vault, "k").as_deref(), Some("kept in memory"));
}

#[test]
fn secrets_live_in_a_real_keyring() {
    let non_ascii = "pässwörd 密码 🔑\n\"quoted\"";
    let long = "0123456789abcdef".repeat(512);
    match part().as_deref() {
        Some("write") => {
            let vault = Vault::open();
            let status = vault.status();
            assert_eq!((status.place.as_str(), status.lasting), ("Secret Service", true), "{status:?}");
            assert_eq!(status.report, None);
            assert_eq!(value(&vault, "absent"), None);
            vault.delete("absent").unwrap();
            for text in ["first", non_ascii] {
                vault.set("text", &Secret::from(text)).unwrap();
                assert_eq!(value(&vault, "text").as_deref(), Some(text));
            }
            vault.set("long", &Secret::from(long.as_str())).unwrap();
            vault.set("gone", &Secret::from("soon deleted")).unwrap();
            vault.delete("gone").unwrap();
            assert_eq!(value(&vault, "gone"), None);
            // From a runtime too: nothing here may start a second one on this thread.
            let runtime = tokio::runtime::Runtime::new().unwrap();
            assert_eq!(runtime.block_on(async { value(&vault, "long") }), Some(long.clone()));
            // A second vault, and what stands in the keyring itself.
            assert_eq!(value(&Vault::open(), "long"), Some(long));
            if needs::program("secret-tool") {
                let out = out_of(Command::new("secret-tool").args(["search", "--all", "service", "sessionscope"]));
                assert!(out.contains("username = text") && !out.contains("probe-"), "{out}");
            }
            played("write");
        }
        Some("read") => {
            let vault = Vault::open();
            assert_eq!(value(&vault, "text").as_deref(), Some(non_ascii));
            assert_eq!(value(&vault, "long"), Some(long));
            assert_eq!(value(&vault, "gone"), None);
            played("read");
        }
        _ => {
            if !has_programs() {
                return;
            }
            let home = home();
            let unlocked = format!("{UNLOCK}{WAIT}");
            let name = "keyring::secrets_live_in_a_real_keyring";
            child(home.path(), name, "write", Some(&unlocked));
            // Another daemon, on another bus, with the same files.
            child(home.path(), name, "read", Some(&unlocked));
        }
    }
}

#[test]
fn a_signing_key_goes_to_a_real_keyring_and_comes_back() {
    // What the settings keep of the keys, from one start of the program to the next.
    let settings = || env::var_os("XDG_DATA_HOME").map(|dir| Path::new(&dir).join("keys.json")).unwrap();
    let known = || serde_json::from_slice(&fs::read(settings()).unwrap()).unwrap();
    let claims = serde_json::Map::from_iter([("guestId".to_owned(), "g-1".into())]);
    match part().as_deref() {
        Some("rotate") => {
            let vault = Vault::open();
            assert!(vault.status().lasting, "{:?}", vault.status());
            let mut ring = KeyRing::new("env-1", Vec::new());
            for kid in ["first", "second"] {
                let key = SigningKey::generate().unwrap();
                ring.add(&vault, kid, &key, Wall(1), None).unwrap();
                assert_eq!(ring.signer(&vault).unwrap().1.public(), key.public());
            }
            assert_eq!(vault.status().report, None);
            let text = serde_json::to_string(ring.keys()).unwrap();
            assert!(!text.contains("PRIVATE"));
            fs::write(settings(), text).unwrap();
            played("rotate");
        }
        Some("sign") => {
            let vault = Vault::open();
            let mut ring = KeyRing::new("env-1", known());
            let (kid, key) = ring.signer(&vault).unwrap();
            assert_eq!(kid, "second");
            let token = key.sign_rs256(&kid, &claims).unwrap();
            assert_eq!(ring.verify(token.expose(), Wall(2)).unwrap(), claims);
            let old = ring.load(&vault, "first").unwrap().sign_rs256("first", &claims).unwrap();
            assert_eq!(ring.verify(old.expose(), Wall(2)).unwrap(), claims);
            ring.delete(&vault, "first").unwrap();
            assert_eq!(value(&Vault::open(), "env-1/signing-key/first"), None);
            assert!(value(&Vault::open(), "env-1/signing-key/second").is_some());
            played("sign");
        }
        Some("lost") => {
            // No keyring this time: what is known of the keys does not sign by itself.
            let report = KeyRing::new("env-1", known()).signer(&Vault::open()).unwrap_err();
            assert_eq!(report.code, "key-lost", "{}", report.text());
            played("lost");
        }
        _ => {
            if !has_programs() {
                return;
            }
            let home = home();
            let unlocked = format!("{UNLOCK}{WAIT}");
            let name = "keyring::a_signing_key_goes_to_a_real_keyring_and_comes_back";
            child(home.path(), name, "rotate", Some(&unlocked));
            child(home.path(), name, "sign", Some(&unlocked));
            child(home.path(), name, "lost", None);
        }
    }
}

fn out_of(command: &mut Command) -> String {
    text_of(&command.output().unwrap())
}

fn text_of(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[test]
fn without_a_bus_the_vault_says_so() {
    if part().is_some() {
        falls_back("keyring-no-bus", "Failed to connect");
        return played("no bus");
    }
    child(home().path(), "keyring::without_a_bus_the_vault_says_so", "no bus", None);
}

#[test]
fn without_a_secret_service_the_vault_says_so() {
    if part().is_some() {
        falls_back("keyring-no-service", "org.freedesktop.secrets");
        return played("no service");
    }
    if needs::program("dbus-run-session") {
        let name = "keyring::without_a_secret_service_the_vault_says_so";
        child(home().path(), name, "no service", Some(""));
    }
}

#[test]
fn with_a_locked_keyring_the_vault_says_so() {
    match part().as_deref() {
        Some("fill") => {
            let vault = Vault::open();
            vault.set("k", &Secret::from("from before")).unwrap();
            assert!(vault.status().lasting);
            played("fill");
        }
        Some("locked") => {
            falls_back("keyring-locked", "prompt dismissed");
            played("locked");
        }
        _ => {
            if !has_programs() {
                return;
            }
            let home = home();
            let unlocked = format!("{UNLOCK}{WAIT}");
            let name = "keyring::with_a_locked_keyring_the_vault_says_so";
            child(home.path(), name, "fill", Some(&unlocked));
            child(home.path(), name, "locked", Some(&format!("{START}{WAIT}")));
        }
    }
}

#[test]
fn what_runs_without_a_window_leaves_no_session_tokens_in_the_keyring() {
    if part().is_some() {
        let home = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/script.yaml");
        for arguments in [vec![], vec!["run", script, "--sandbox"]] {
            let mut command = Command::new(crate::window::program());
            let out = command.env("SESSIONSCOPE_HOME", home.path()).args(arguments).output().unwrap();
            assert!(out.status.success(), "{}", text_of(&out));
        }
        let mut search = Command::new("dbus-send");
        search.args(["--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"]);
        search.args(["org.freedesktop.Secret.Service.SearchItems", "dict:string:string:service,sessionscope"]);
        let found = out_of(&mut search);
        assert!(found.contains("method return") && !found.contains("object path"), "{found}");
        // The search does find what is there.
        Vault::open().set("k", &Secret::from("stays")).unwrap();
        assert!(out_of(&mut search).contains("object path"));
        return played("run");
    }
    if has_programs() {
        let name = "keyring::what_runs_without_a_window_leaves_no_session_tokens_in_the_keyring";
        child(home().path(), name, "run", Some(&format!("{UNLOCK}{WAIT}")));
    }
}
