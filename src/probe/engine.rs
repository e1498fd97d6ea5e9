//! Concurrency: only this module spawns tasks.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// Runs `work` on each item, at most `at_once` concurrently, on all cores; returns results as they finish.
///
/// A panic affects only its own item, whose result is `Err`. Dropping the stream cancels the rest.
pub fn each<I, W, F, T>(
    items: I,
    at_once: usize,
    work: W,
) -> impl Stream<Item = Result<T, JoinError>>
where
    I: IntoIterator,
    W: Fn(I::Item) -> F,
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    stream::iter(items).map(move |item| Task(spawn(work(item)))).buffer_unordered(at_once.max(1))
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

/// Runs blocking work in a separate thread, which ends with the work even if nobody waits for it.
pub fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (sender, answer) = oneshot::channel();
    let thread = thread::Builder::new().name("lookup".to_owned()).stack_size(STACK);
    // The caller may have stopped waiting.
    thread.spawn(move || drop(sender.send(work())))?;
    Ok(answer)
}

/// Stack size of such a thread; the system's resolver loads its own libraries.
const STACK: usize = 1024 * 1024;

/// A task that is cancelled when nothing waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
