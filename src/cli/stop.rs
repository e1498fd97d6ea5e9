//! Stopping early: signals, and the time limit of a run.
//!
//! Subcommands that write a report when stopped listen for the signal; all others end at once. No unfinished files
//! remain.

use std::fs;
use std::future::Future;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use futures::future::select_all;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::whole_file::{remove_unfinished, write_in_progress};

/// How long one write to stdout may block after a signal: there may be no reader.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Whether a signal was received.
static STOPPED: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// How many parts of the program listen for it.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// How many times the files of the command line should have been read again, because of SIGHUP. Whoever receives it reads
/// them; without a receiver, SIGHUP ends the program.
static RELOADS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Watches for signals until the program ends. Signals that were ignored when the program started, as with `nohup`,
/// stay ignored.
pub(super) fn watch() {
    let (ready, is_ready) = mpsc::channel();
    // Without a thread, signals have their default effect.
    let _ = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
            runtime.block_on(watch_signals(ready));
        }
    });
    // Wait for the handler, so that no file is opened before. An error means that no signals are caught.
    let _ = is_ready.recv();
}

async fn watch_signals(ready: mpsc::Sender<()>) {
    let ignored = ignored();
    let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()];
    let wanted = kinds.into_iter().filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
    let mut signals: Vec<(SignalKind, Signal)> =
        wanted.filter_map(|kind| Some((kind, signal(kind).ok()?))).collect();
    // Whoever waits has gone only if the program has ended.
    let _ = ready.send(());
    if signals.is_empty() {
        return;
    }
    let number = loop {
        let number = next(&mut signals).await;
        let reloads = number == SignalKind::hangup().as_raw_value() && RELOADS.receiver_count() > 0;
        if !reloads {
            break number;
        }
        RELOADS.send_modify(|count| *count += 1);
    };
    if LISTENERS.load(Ordering::SeqCst) == 0 {
        end(number);
    }
    STOPPED.send_replace(true);
    let mut writing = write_in_progress();
    loop {
        if let Ok(number) = timeout(PATIENCE, next(&mut signals)).await {
            end(number);
        }
        let now = write_in_progress();
        if now.is_some() && now == writing {
            end(number);
        }
        writing = now;
    }
}

/// The number of the next signal.
async fn next(signals: &mut [(SignalKind, Signal)]) -> i32 {
    let all = signals.iter_mut().map(|(kind, signal)| {
        Box::pin(async move {
            if signal.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            kind.as_raw_value()
        })
    });
    select_all(all).await.0
}

/// Ends the program as shells expect after a signal.
fn end(number: i32) -> ! {
    remove_unfinished();
    #[expect(
        clippy::exit,
        reason = "the rest of the program may be blocked on a pipe that no process reads"
    )]
    process::exit(128 + number)
}

/// The ignored signals, one bit each; 0 if unknown.
fn ignored() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the system tells of signals in a file")]
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

/// Counts the parts of the program that listen for a signal.
pub(super) struct StopListener;

impl StopListener {
    pub(super) fn new() -> Self {
        LISTENERS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for StopListener {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Changes on each SIGHUP, which does not end the program as long as this exists.
pub(super) fn reloads() -> watch::Receiver<usize> {
    RELOADS.subscribe()
}

/// Whether a signal was received.
pub(super) fn is_stopped() -> bool {
    *STOPPED.borrow()
}

/// Resolves on a signal.
pub(super) fn signalled() -> impl Future<Output = ()> {
    let (listener, mut stopped) = (StopListener::new(), STOPPED.subscribe());
    async move {
        let _listener = listener;
        // The sender lives as long as the program.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }
}

/// Resolves on a signal, when the run's time is up, or when the report is no longer wanted.
pub(super) fn stop(
    run_timeout: Option<Duration>,
    unread: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    let signalled = signalled();
    async move {
        tokio::select! {
            () = signalled => {}
            () = time_is_up(run_timeout) => {}
            () = unread => {}
        }
    }
}

/// Resolves after this time, or never.
pub(super) async fn time_is_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => sleep(limit).await,
        None => std::future::pending().await,
    }
}
