//! What a person reads when the keyring fails. No report holds a secret.

use keyring::Error;

use super::worker::NoAnswer;
use crate::model::Report;

/// Where secrets are kept on this platform.
pub(super) const PLACE: &str = if cfg!(target_os = "macos") {
    "Keychain"
} else if cfg!(target_os = "windows") {
    "Credential Manager"
} else {
    "Secret Service"
};

const SECRET_SERVICE: bool = cfg!(not(any(target_os = "macos", target_os = "windows")));

/// Why a call of the keyring failed.
#[derive(Debug)]
pub(super) enum Failure {
    Keyring(Error),
    NoAnswer(NoAnswer),
    /// What was written could not be read back: it is locked without a prompt, or broken.
    Lost,
    /// Its thread could not be started.
    NoThread(std::io::Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Keyring(e)
    }
}

/// The report of a failed call. `doing` is what was tried: "open the keyring".
pub(super) fn report(failure: &Failure, doing: &str) -> Report {
    let raw = raw_text(failure);
    let report = match failure {
        Failure::Lost => locked(),
        Failure::NoAnswer(NoAnswer::TooLate | NoAnswer::Busy) => {
            let what = format!("The {PLACE} did not answer in time. It may be waiting for you in a prompt.");
            Report::new("keyring-slow", "The keyring does not answer", what)
                .remedy("Look for a prompt that asks for the password of the keyring and answer it.")
                .remedy("Then start Sessionscope again.")
        }
        Failure::Keyring(Error::NoStorageAccess(_)) => locked(),
        Failure::Keyring(Error::TooLong(_, most)) => {
            let what = format!("The {PLACE} takes at most {most} bytes for one secret.");
            Report::new("keyring-too-long", "A secret is too long for the keyring", what)
                .remedy("It is kept in memory until this program ends; enter it again next time.")
        }
        Failure::Keyring(Error::PlatformFailure(_)) if SECRET_SERVICE && has_any(&raw, &NO_SERVICE) => no_service(),
        Failure::Keyring(Error::PlatformFailure(_)) if SECRET_SERVICE && has_any(&raw, &LOCKED) => locked(),
        Failure::Keyring(Error::PlatformFailure(_)) if SECRET_SERVICE && has_any(&raw, &NO_BUS) => no_bus(),
        _ => Report::new("keyring-failed", "The keyring failed", format!("The {PLACE} answered: {raw}"))
            .remedy("Secrets are kept in memory until this program ends."),
    };
    report.detail(format!("while trying to {doing}: {raw}"))
}

/// Parts of the error texts of zbus and secret-service, whose types are not ours to match on.
const NO_SERVICE: [&str; 4] = ["ServiceUnknown", "NameHasNoOwner", "no secret service provider", "DBus.Error.Spawn"];
const LOCKED: [&str; 3] = ["prompt dismissed", "is locked", "IsLocked"];
const NO_BUS: [&str; 6] = [
    "Failed to connect to address",
    "No such file or directory",
    "Connection refused",
    "Permission denied",
    "address",
    "handshake",
];

fn has_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

fn no_bus() -> Report {
    let what = "There is no D-Bus session bus, so no Secret Service can be reached. Secrets are kept in memory only.";
    Report::new("keyring-no-bus", "No session bus, so no keyring", what)
        .remedy("Start Sessionscope from a desktop session, where the bus runs already.")
        .remedy("Without a desktop: dbus-run-session -- sessionscope (Debian: apt install dbus-daemon gnome-keyring).")
        .remedy("If a bus runs, set DBUS_SESSION_BUS_ADDRESS to its address.")
}

fn no_service() -> Report {
    let what = "The session bus runs, but no program on it offers the Secret Service. Secrets are kept in memory only.";
    Report::new("keyring-no-service", "No Secret Service on the session bus", what)
        .remedy("Debian: apt install gnome-keyring, then log in again.")
        .remedy("KeePassXC and KWallet offer it too: switch on Secret Service integration in their settings.")
        .remedy("Without a desktop, start it by hand: gnome-keyring-daemon --unlock --components=secrets")
}

fn locked() -> Report {
    let what = format!("The {PLACE} is there, but locked, and it could not ask for its password.");
    let report =
        Report::new("keyring-locked", "The keyring is locked", format!("{what} Secrets are kept in memory only."));
    if SECRET_SERVICE {
        report
            .remedy("Unlock it (Debian: apt install seahorse, \"Passwords and Keys\"), then start Sessionscope again.")
            .remedy("Without a desktop: gnome-keyring-daemon --unlock --components=secrets reads the password.")
    } else {
        report.remedy("Unlock it, allow Sessionscope to use it, then start Sessionscope again.")
    }
}

/// The raw error, without the bytes that some errors carry.
fn raw_text(failure: &Failure) -> String {
    match failure {
        Failure::Keyring(Error::BadEncoding(_)) => "what is stored is not text".into(),
        Failure::Keyring(Error::BadDataFormat(..)) => "what is stored has not the expected form".into(),
        Failure::Keyring(Error::Ambiguous(all)) => format!("{} entries have the same name", all.len()),
        Failure::Keyring(e) => e.to_string(),
        Failure::NoAnswer(NoAnswer::TooLate) => "no answer in time".into(),
        Failure::NoAnswer(NoAnswer::Busy) => "an earlier call has not come back".into(),
        Failure::NoAnswer(NoAnswer::Broken) => "the call broke off".into(),
        Failure::Lost => "what was written could not be read back".into(),
        Failure::NoThread(e) => format!("no thread for it: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_carry_bytes_do_not_show_them() {
        let secret = || b"hunter2hunter2".to_vec();
        let inner = || Box::new(std::io::Error::other("hunter2hunter2"));
        for e in [Error::BadEncoding(secret()), Error::BadDataFormat(secret(), inner())] {
            let text = format!("{:?}", report(&Failure::Keyring(e), "read a secret"));
            assert!(!text.contains("hunter2") && !text.contains("104, 117"), "{text}");
        }
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn each_situation_has_its_own_report() {
        let platform = |text: &str| Failure::Keyring(Error::PlatformFailure(text.to_owned().into()));
        let cases = [
            (platform("zbus error: Failed to connect to address `unix:path=/run/user/0/bus`"), "keyring-no-bus"),
            (platform("zbus error: org.freedesktop.DBus.Error.ServiceUnknown: The name"), "keyring-no-service"),
            (Failure::Keyring(Error::NoStorageAccess("SS error: prompt dismissed".into())), "keyring-locked"),
            (Failure::Lost, "keyring-locked"),
            (Failure::NoAnswer(NoAnswer::TooLate), "keyring-slow"),
            (Failure::Keyring(Error::TooLong("secret".into(), 2560)), "keyring-too-long"),
            (platform("out of cheese"), "keyring-failed"),
        ];
        for (failure, code) in cases {
            assert_eq!(report(&failure, "open it").code, code);
        }
    }
}
