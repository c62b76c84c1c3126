//! The system asks the program to end: Ctrl+C, `kill`, the end of a login.

use std::future::Future;

use crate::model::Report;

/// Statuses that shells know: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Comes when the program is asked to end, with the status to end with. Handlers are in place when this returns.
#[cfg(unix)]
pub fn stop() -> Result<impl Future<Output = u8>, Report> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => INTERRUPTED,
            _ = terminate.recv() => TERMINATED,
        }
    })
}

#[cfg(windows)]
pub fn stop() -> Result<impl Future<Output = u8>, Report> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let mut c = ctrl_c().map_err(failed)?;
    let mut b = ctrl_break().map_err(failed)?;
    let mut close = ctrl_close().map_err(failed)?;
    let mut shutdown = ctrl_shutdown().map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = c.recv() => INTERRUPTED,
            _ = b.recv() => INTERRUPTED,
            _ = close.recv() => TERMINATED,
            _ = shutdown.recv() => TERMINATED,
        }
    })
}

fn failed(e: std::io::Error) -> Report {
    Report::new("signals", "Signals cannot be handled", e.to_string())
}

/// Calls back when the program is first asked to end. Whoever asks again does not want to wait: it ends at once.
pub fn watch(call: impl FnOnce(u8) + Send + 'static) -> Result<(), Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let first = {
        let _inside = runtime.enter();
        stop()?
    };
    let wait = move || {
        call(runtime.block_on(first));
        let again = {
            let _inside = runtime.enter();
            stop()
        };
        if let Ok(again) = again {
            std::process::exit(runtime.block_on(again).into());
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(failed)?;
    Ok(())
}
