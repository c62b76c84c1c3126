//! `sessionscope sandbox`: the embedded server on its own.

use std::process::ExitCode;

use super::SandboxArgs;
use super::out::{Out, Outcome};
use crate::engine::signals;
use crate::model::{Report, SystemClock};
use crate::sandbox::{Options, Sandbox};

pub fn run(out: &mut Out, args: &SandboxArgs) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Report::new("runtime", "The sandbox cannot start", e.to_string()))?;
    runtime.block_on(async {
        let options = Options {
            listen: args.listen,
            token_ttl_secs: args.token_ttl,
            jwt_ttl_secs: args.jwt_ttl,
            session_ttl_secs: args.session_ttl,
            allow_origins: args.allow_origin.clone(),
            tls: args.tls,
        };
        // Listen for signals before telling anybody that we are ready.
        let stop = signals::stop()?;
        let sandbox = Sandbox::start(options, SystemClock::shared()).await?;
        let line = serde_json::to_string(&sandbox.ready())
            .map_err(|e| Report::new("ready-line", "The ready line cannot be written", e.to_string()))?;
        // As it is: it is there to tell the secret of a client that exists nowhere else.
        out.plain(&format!("{line}\n"))?;
        stop.await;
        sandbox.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
