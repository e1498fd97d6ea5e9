//! `serve`: an exporter. Prometheus scrapes the last audit of the targets from `/metrics`, or has one target probed by
//! `/probe?target=…&module=…`, as with blackbox_exporter. On SIGHUP the files are read again and the targets audited.

mod counting;
mod exporter;
mod module;
mod web;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use self::exporter::{Exporter, Refused};
use self::web::{TurnedAway, WebSettings, handshake};
use super::args::ServeArgs;
use super::errors::{UsageError, warn};
use super::exit::Exit;
use super::settings;
use super::stop::{reloads, signalled};

/// The most connections at once. A further one replaces the oldest one whose answer is not being made.
const MAX_CONNECTIONS: usize = 64;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The timeout of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout of a connection, from the first byte of the request to the last of the answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// How long before Prometheus's timeout the answer is sent.
const MARGIN: Duration = Duration::from_millis(500);

/// The form of the metrics.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Runs the subcommand until a signal.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let now = settings::now();
    if now.unix_timestamp() < 0 {
        // hyper panics there.
        let problem = format!("this machine's clock says {}", now.date());
        return Err(UsageError::new(problem, "set it; answers in HTTP have no date before 1970"));
    }
    let exporter = Arc::new(Exporter::new(args.clone())?);
    let runtime = Runtime::new()?;
    runtime.block_on(serve(&exporter, args))?;
    runtime.shutdown_background();
    Ok(Exit::Passed)
}

async fn serve(exporter: &Arc<Exporter>, args: &ServeArgs) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen).await;
    let listener =
        listener.map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", args.listen))?;
    let (stop, reload_audits, reload_web) = (signalled(), reloads(), reloads());
    announce(listener.local_addr()?, &exporter.web.settings());
    tokio::select! {
        () = audits(exporter, args.interval, reload_audits) => {}
        () = web_reloads(exporter, args.interval, reload_web) => {}
        () = connections(exporter, &listener) => {}
        () = stop => {}
    }
    Ok(())
}

fn announce(address: SocketAddr, web: &WebSettings) {
    let scheme = if web.tls().is_some() { "https" } else { "http" };
    // If stderr is closed, the message is lost.
    let _ = writeln!(anstream::stderr(), "shakedown: listening on {scheme}://{address}/");
    if address.ip().to_canonical().is_loopback() {
        return;
    }
    if !web.knows_its_clients() {
        warn(
            "anyone who can reach this address can read the results and have the targets probed; \
             --web-config asks for a password or a client certificate",
        );
    } else if web.has_passwords_in_clear() {
        warn("passwords are sent in the clear: the web configuration has no tls_server_config");
    }
}

/// Reads the web configuration again, whatever the audit is doing: a certificate may have been renewed.
async fn web_reloads(exporter: &Exporter, interval: Duration, mut reloads: watch::Receiver<usize>) {
    loop {
        tokio::select! {
            () = sleep(interval) => {}
            // The sender lives as long as the program.
            _ = reloads.changed() => {}
        }
        exporter.reload_web();
    }
}

async fn audits(exporter: &Exporter, interval: Duration, mut reloads: watch::Receiver<usize>) {
    loop {
        exporter.audit().await;
        tokio::select! {
            () = sleep(interval) => {}
            // The sender lives as long as the program.
            _ = reloads.changed() => {}
        }
    }
}

/// A connection that is being answered.
struct OpenConnection {
    /// Whether its answer is being made.
    is_busy: Arc<AtomicBool>,
    /// Dropped to close it.
    _keep: oneshot::Sender<()>,
}

async fn connections(exporter: &Arc<Exporter>, listener: &TcpListener) {
    let mut answering = FuturesUnordered::new();
    let mut open: VecDeque<OpenConnection> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if has_room(exporter, &mut open) => match accepted {
                Ok((stream, client)) => {
                    answering.push(opened(exporter, stream, client.ip(), &mut open));
                }
                // No file descriptor is free; one may be soon.
                Err(_) => sleep(Duration::from_millis(100)).await,
            },
            Some(done) = answering.next() => open.retain(|one| !Arc::ptr_eq(&one.is_busy, &done)),
        }
    }
}

/// Registers an open connection; the future serves it and returns its number.
fn opened(
    exporter: &Arc<Exporter>,
    stream: TcpStream,
    client: IpAddr,
    open: &mut VecDeque<OpenConnection>,
) -> impl Future<Output = Arc<AtomicBool>> + use<> {
    let is_busy = Arc::new(AtomicBool::new(false));
    let (keep, closed) = oneshot::channel();
    open.push_back(OpenConnection { is_busy: Arc::clone(&is_busy), _keep: keep });
    let answer = connection(Arc::clone(exporter), stream, client, Arc::clone(&is_busy));
    async move {
        tokio::select! {
            // Clients that disconnect or do not send HTTP are ignored.
            _ = timeout(CONNECTION_TIMEOUT, answer) => {}
            _ = closed => {}
        }
        is_busy
    }
}

/// Whether one more connection can be accepted; an idle one is closed for it.
fn has_room(exporter: &Exporter, open: &mut VecDeque<OpenConnection>) -> bool {
    if open.len() < MAX_CONNECTIONS {
        return true;
    }
    let idle = open.iter().position(|one| !one.is_busy.load(Ordering::Relaxed));
    let is_closed = idle.and_then(|at| open.remove(at)).is_some();
    if is_closed {
        exporter.counters.count(|figures| figures.connections_closed += 1);
    }
    is_closed
}

/// Answers one request, over TLS if that is configured.
async fn connection(
    exporter: Arc<Exporter>,
    stream: TcpStream,
    client: IpAddr,
    is_busy: Arc<AtomicBool>,
) {
    match exporter.web.settings().tls() {
        None => one_request(exporter, stream, client, is_busy).await,
        Some(tls) => match handshake(stream, tls).await {
            Ok(stream) => one_request(exporter, stream, client, is_busy).await,
            Err(reason) => exporter.counters.count(|figures| {
                *figures.handshakes_failed.entry(reason).or_default() += 1;
            }),
        },
    }
}

async fn one_request(
    exporter: Arc<Exporter>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    client: IpAddr,
    is_busy: Arc<AtomicBool>,
) {
    let service = service_fn(move |request| {
        let (exporter, is_busy) = (Arc::clone(&exporter), Arc::clone(&is_busy));
        async move {
            let answer = admitted(&exporter, &request, client, &is_busy).await;
            let path = counting::path(request.uri().path());
            exporter.counters.request(path, answer.status().as_u16());
            is_busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

/// The answer, or a refusal. Whoever was not let in yet does not count as busy: others may take its connection.
async fn admitted(
    exporter: &Exporter,
    request: &Request<Incoming>,
    client: IpAddr,
    is_busy: &AtomicBool,
) -> HttpResponse {
    let web = exporter.web.settings();
    let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let mut answer = match exporter.web.admit(&web, authorization, client).await {
        Ok(()) => {
            is_busy.store(true, Ordering::Relaxed);
            answer(exporter, request).await
        }
        Err(why) => {
            exporter.counters.count(|figures| {
                *figures.turned_away.entry(why.reason()).or_default() += 1;
            });
            turned_away(why)
        }
    };
    let headers = web.headers().iter().cloned();
    answer.headers_mut().extend(headers.map(|(name, value)| (Some(name), value)));
    answer
}

fn turned_away(why: TurnedAway) -> HttpResponse {
    let (status, words) = match why {
        TurnedAway::NoPassword | TurnedAway::WrongPassword => {
            (StatusCode::UNAUTHORIZED, "name and password are needed\n")
        }
        TurnedAway::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "too many requests\n"),
        TurnedAway::Busy => (StatusCode::TOO_MANY_REQUESTS, "too many passwords to check\n"),
    };
    let mut answer = text(status, words.to_owned());
    if status == StatusCode::UNAUTHORIZED {
        let basic = HeaderValue::from_static("Basic realm=\"shakedown\", charset=\"UTF-8\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, basic);
    }
    answer
}

type HttpResponse = Response<Full<Bytes>>;

async fn answer(exporter: &Exporter, request: &Request<Incoming>) -> HttpResponse {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is supported\n".to_owned());
    }
    match request.uri().path() {
        "/" => text(StatusCode::OK, "shakedown\n\n/metrics\n/probe?target=TARGET\n".to_owned()),
        "/-/healthy" => text(StatusCode::OK, "ok\n".to_owned()),
        "/-/ready" => {
            exporter.metrics().map_or_else(unready, |_| text(StatusCode::OK, "ok\n".to_owned()))
        }
        "/metrics" => exporter.metrics().map_or_else(unready, metrics_answer),
        "/probe" => probe(exporter, request).await,
        _ => text(StatusCode::NOT_FOUND, "not found\n".to_owned()),
    }
}

async fn probe(exporter: &Exporter, request: &Request<Incoming>) -> HttpResponse {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let (mut target, mut module) = (None, None);
    for (key, value) in form_urlencoded::parse(query) {
        match &*key {
            "target" => target = Some(value.into_owned()),
            "module" => module = Some(value.into_owned()),
            _ => {}
        }
    }
    let Some(target) = target else {
        return text(StatusCode::BAD_REQUEST, "missing parameter: target\n".to_owned());
    };
    match exporter.probe(&target, module.as_deref(), patience(request)).await {
        Ok(metrics) => metrics_answer(metrics),
        Err(refused) => {
            exporter.counters.count(|figures| {
                *figures.refusals.entry(refused.reason()).or_default() += 1;
            });
            let status = match refused {
                Refused::NotConfigured => StatusCode::FORBIDDEN,
                Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
                Refused::Invalid(_) => StatusCode::BAD_REQUEST,
            };
            text(status, format!("{refused}\n"))
        }
    }
}

/// Resolves when Prometheus stops waiting for the answer.
fn patience(request: &Request<Incoming>) -> impl Future<Output = ()> + use<> {
    let header = request.headers().get("x-prometheus-scrape-timeout-seconds");
    let seconds = header.and_then(|value| value.to_str().ok()?.parse::<f64>().ok());
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wait = wait.map_or(CONNECTION_TIMEOUT, |wait| wait.saturating_sub(MARGIN));
    sleep(wait.min(CONNECTION_TIMEOUT))
}

fn unready() -> HttpResponse {
    text(StatusCode::SERVICE_UNAVAILABLE, "the first audit has not finished yet\n".to_owned())
}

fn metrics_answer(metrics: String) -> HttpResponse {
    let mut answer = text(StatusCode::OK, metrics);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(METRICS));
    answer
}

fn text(status: StatusCode, text: String) -> HttpResponse {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}
