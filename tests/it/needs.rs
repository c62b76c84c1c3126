//! What a test needs of the machine. Missing things are said, and are a failure in CI.

use std::env;

/// Whether a program can be started. Where it cannot, the test is skipped with a line that says which package brings
/// it; with `CI=true` in the environment that is a failure.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "the tests that need programs run on Linux"))]
pub fn program(name: &str) -> bool {
    let found = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(name).is_file()));
    if !found {
        let package = match name {
            "gnome-keyring-daemon" => "gnome-keyring",
            "dbus-run-session" => "dbus-daemon",
            "secret-tool" => "libsecret-tools",
            "Xvfb" => "xvfb",
            other => other,
        };
        let message = format!("skipped: needs {name} (Debian: apt install {package})");
        assert!(env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("{message}");
    }
    found
}
