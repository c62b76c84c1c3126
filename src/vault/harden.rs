//! Keeping the memory of this program out of crash files.

/// Switches core files off for this process. To be called first thing in `main`. True where that worked.
///
/// On Linux the limit is one byte, not zero: where cores are piped to a program (`systemd-coredump`, `apport`) the
/// kernel ignores the limit, except that it writes none at all for a limit of one. The process stays debuggable and
/// its `/proc` entries readable by its owner (`PR_SET_DUMPABLE` is left alone): whoever can attach a debugger could
/// read the keyring as well.
#[cfg(unix)]
pub fn harden() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let most = Some(u64::from(cfg!(target_os = "linux")));
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).is_ok()
}

/// Windows writes full dumps of a crashed program only where an administrator set `LocalDumps` for it: nothing to do.
#[cfg(not(unix))]
pub fn harden() -> bool {
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_core_files_is_lowered() {
        assert!(harden());
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["1", "1"]);
    }
}
