//! How many connections this process can bear.

/// Connections at once where nothing sets a lower limit: 500 guests with a socket, and as many clients of each that
/// keep an HTTP connection, several times over.
const MOST: usize = 4096;
/// Descriptors wanted: each connection may have both of its ends in this process.
#[cfg(unix)]
const WANTED: u64 = 2 * MOST as u64 + OTHERS;
/// Descriptors of the rest of the process: files, the window, the runtime.
#[cfg(unix)]
const OTHERS: u64 = 256;

/// Raises the soft limit of open files as far as is wanted and allowed, and says how many connections fit. A process
/// that has used up its descriptors can open no file either, so that the sandbox must stop before.
#[cfg(unix)]
pub(super) fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    // None stands for no limit.
    let Some(soft) = limit.current else { return MOST };
    let wanted = limit.maximum.map_or(WANTED, |hard| WANTED.min(hard));
    let raised =
        wanted > soft && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok();
    fitting(if raised { wanted } else { soft })
}

#[cfg(unix)]
fn fitting(descriptors: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(OTHERS) / 2).unwrap_or(MOST).clamp(64, MOST)
}

/// There is no such limit on sockets elsewhere.
#[cfg(not(unix))]
pub(super) fn connections() -> usize {
    MOST
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_rest_of_the_process() {
        assert_eq!(fitting(WANTED), MOST);
        assert_eq!(fitting(1024), 384);
        assert_eq!((fitting(100), fitting(u64::MAX)), (64, MOST));
    }

    #[test]
    fn the_soft_limit_is_raised_where_it_may_be() {
        let fit = connections();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert!(limit.current.is_none_or(|soft| soft >= WANTED.min(limit.maximum.unwrap_or(WANTED))));
        assert!((64..=MOST).contains(&fit));
    }
}
