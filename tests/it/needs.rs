//! What a test needs of the machine. Missing things are said, and are a failure in CI.

use std::env;
use std::path::Path;

/// Whether a program can be started. Where it cannot, the test is skipped with a line that says which package brings
/// it; with `CI=true` in the environment that is a failure.
pub fn program(name: &str) -> bool {
    let found = env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(name).is_file()));
    if !found {
        let package = match name {
            "gnome-keyring-daemon" => "gnome-keyring",
            "dbus-run-session" => "dbus-daemon",
            "secret-tool" => "libsecret-tools",
            "Xvfb" => "xvfb",
            "node" => "nodejs",
            other => other,
        };
        missing(&format!("skipped: needs {name} (Debian: apt install {package})"));
    }
    found
}

/// Whether a package of npm is installed in a folder. As above.
pub fn node_package(folder: &Path, name: &str) -> bool {
    let found = folder.join("node_modules").join(name).is_dir();
    if !found {
        missing(&format!("skipped: needs {name} of npm (npm ci --prefix tests/js)"));
    }
    found
}

fn missing(message: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "{message}");
    eprintln!("{message}");
}
