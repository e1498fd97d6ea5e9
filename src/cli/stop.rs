//! What ends a run early: signals, and the time that it may take.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on the first SIGINT or SIGTERM, when the run's time is up, or when the report is no longer wanted.
pub(super) fn stop(
    run_timeout: Option<Duration>,
    unread: impl Future<Output = ()>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = time_is_up(run_timeout) => {}
            () = unread => {}
        }
    })
}

/// Resolves when that much time has passed, or never.
pub(super) async fn time_is_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}
