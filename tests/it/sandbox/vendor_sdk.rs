//! The vendor's own JavaScript SDK works as an agent of the sandbox. Needs Node and the packages of `tests/js`
//! (`npm ci --prefix tests/js`).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::needs;
use sessionscope::model::SystemClock;
use sessionscope::sandbox::{Options, Sandbox};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_sdk_works_a_whole_shift() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
    if !needs::program("node") || !needs::node_package(&folder, "purecloud-platform-client-v2") {
        return;
    }
    let sandbox = Sandbox::start(Options::default(), SystemClock::shared()).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new("node")
        .arg(folder.join("agent.js"))
        // The SDK looks for settings there, and proxies are for other hosts.
        .env("HOME", home.path())
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ready = serde_json::to_string(&sandbox.ready()).unwrap();
    child.stdin.take().unwrap().write_all(ready.as_bytes()).unwrap();
    // The script ends itself where something does not come.
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    let steps: Vec<String> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["step"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        steps,
        [
            "logged in",
            "channel open",
            "on queue",
            "alert received",
            "answered",
            "sent",
            "disconnected",
            "wrapped up",
            "logged out"
        ]
    );
    let platform = sandbox.status().platform;
    assert_eq!(platform.conversations[0].state, "ended");
    assert!(platform.channels.iter().all(|c| !c.live), "its token is dead");
    sandbox.stop().await;
}
