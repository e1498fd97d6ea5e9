//! `--web-config`: TLS, client certificates, passwords, headers and a rate limit for the exporter's own clients, in the
//! format of Prometheus and its exporters. The file and those that it names are read again with the targets; if that
//! fails, or would let in who was kept out, the previous ones are kept.

mod client_certificate;
mod file;
mod handshake;
mod passwords;
mod rate;
mod tls;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use hyper::header::{HeaderName, HeaderValue};
use rustls::ServerConfig;

use self::file::{ClientAuthType, ContentTypeOptions, FrameOptions, Headers, WebFile};
pub(super) use self::handshake::handshake;
use self::passwords::{Checker, Users};
use self::rate::RateLimit;
use self::tls::ServerTls;
use crate::cli::errors::warn;
use crate::cli::input;

/// The largest file.
const MAX_FILE: u64 = 1024 * 1024;

/// How the exporter meets its clients.
#[derive(Default)]
pub(super) struct Web {
    file: Option<PathBuf>,
    settings: RwLock<Arc<WebSettings>>,
    checker: Option<Checker>,
}

/// What a web configuration says.
#[derive(Default)]
pub(super) struct WebSettings {
    tls: Option<ServerTls>,
    users: Users,
    headers: Vec<(HeaderName, HeaderValue)>,
    rate: Option<RateLimit>,
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// There were too many requests.
    RateLimit,
    /// It did not say who it is.
    NoPassword,
    /// It is not who it says.
    WrongPassword,
    /// Too many passwords are being checked.
    Busy,
}

impl TurnedAway {
    /// Its name in metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::RateLimit => "rate-limit",
            Self::NoPassword => "no-password",
            Self::WrongPassword => "wrong-password",
            Self::Busy => "busy",
        }
    }
}

impl Web {
    /// Reads the file, if one is given.
    pub(super) fn new(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let settings = read(file)?;
        settings.remarks().for_each(|remark| say(file, remark));
        let settings = RwLock::new(Arc::new(settings));
        Ok(Self { file: Some(file.to_owned()), settings, checker: Some(Checker::start()?) })
    }

    /// The settings now.
    pub(super) fn settings(&self) -> Arc<WebSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again.
    pub(super) fn reload(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let (settings, before) = (read(file)?, self.settings());
        settings.keeps_out_whom(&before)?;
        settings.users.remember(&before.users);
        let is_new = |remark: &&String| !before.remarks().any(|known| known == *remark);
        settings.remarks().filter(is_new).for_each(|remark| say(file, remark));
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        Ok(())
    }

    /// Whether a request may be answered.
    pub(super) async fn admit(
        &self,
        settings: &WebSettings,
        authorization: Option<&[u8]>,
        client: IpAddr,
    ) -> Result<(), TurnedAway> {
        if settings.rate.as_ref().is_some_and(|rate| !rate.allows(Instant::now())) {
            return Err(TurnedAway::RateLimit);
        }
        match &self.checker {
            Some(checker) if !settings.users.is_empty() => {
                checker.check(&settings.users, authorization, client).await
            }
            _ => Ok(()),
        }
    }
}

impl WebSettings {
    /// How TLS is spoken, if it is.
    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    /// Headers for every answer.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// What was left out of it.
    fn remarks(&self) -> impl Iterator<Item = &String> {
        self.tls.iter().flat_map(|tls| &tls.remarks)
    }

    fn has_names(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.has_names)
    }

    fn client_auth(&self) -> ClientAuthType {
        self.tls.as_ref().map(|tls| tls.client_auth).unwrap_or_default()
    }

    /// Whether clients need a password or a certificate.
    pub(super) fn knows_its_clients(&self) -> bool {
        !self.users.is_empty() || self.client_auth() == ClientAuthType::RequireAndVerify
    }

    /// Whether passwords can be read on the way.
    pub(super) fn has_passwords_in_clear(&self) -> bool {
        !self.users.is_empty() && self.tls.is_none()
    }

    /// A file that is being written, or was emptied, must not open what was closed.
    fn keeps_out_whom(&self, before: &Self) -> anyhow::Result<()> {
        if self.tls.is_some() != before.tls.is_some() {
            bail!("only a restart switches TLS on or off");
        }
        if self.users.is_empty() && !before.users.is_empty() {
            bail!("basic_auth_users is empty now; to let everybody in, restart");
        }
        if self.client_auth() < before.client_auth() {
            bail!("client_auth_type asks for less now; to let more clients in, restart");
        }
        if before.has_names() && !self.has_names() {
            bail!("client_allowed_sans is empty now; to let more clients in, restart");
        }
        Ok(())
    }
}

fn say(file: &Path, remark: &str) {
    warn(&format!("{}: {remark}", file.display()));
}

fn read(path: &Path) -> anyhow::Result<WebSettings> {
    let text = input::text(path, MAX_FILE)?;
    settings(&text, path).with_context(|| path.display().to_string())
}

fn settings(text: &str, path: &Path) -> anyhow::Result<WebSettings> {
    // The error has the place.
    let file = file::read(text).map_err(|error| anyhow!("{error}"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let WebFile { tls_server_config, http_server_config, basic_auth_users, rate_limit } = file;
    let tls = tls_server_config.map(|section| tls::tls(section, folder)).transpose()?;
    let headers = http_server_config.and_then(|section| section.headers).unwrap_or_default();
    let rate = rate_limit.unwrap_or_default();
    let interval = rate.interval.map(|pause| pause.0).unwrap_or_default();
    let burst = rate.burst.unwrap_or_default();
    if !interval.is_zero() && burst == 0 {
        bail!("rate_limit: with a burst of 0, the exporter would refuse every request");
    }
    Ok(WebSettings {
        tls,
        users: basic_auth_users.map(Users::new).transpose()?.unwrap_or_default(),
        headers: named(headers)?,
        rate: RateLimit::new(interval, burst, Instant::now()),
    })
}

/// The headers with their names. Empty ones are not sent.
fn named(headers: Headers) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    use hyper::header::{
        CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS, X_XSS_PROTECTION,
    };
    let frames = headers.x_frame_options.map(|word| match word {
        FrameOptions::Deny => "deny".to_owned(),
        FrameOptions::SameOrigin => "sameorigin".to_owned(),
    });
    let types = headers.x_content_type_options.map(|word| match word {
        ContentTypeOptions::NoSniff => "nosniff".to_owned(),
    });
    [
        (CONTENT_SECURITY_POLICY, headers.content_security_policy),
        (X_FRAME_OPTIONS, frames),
        (X_CONTENT_TYPE_OPTIONS, types),
        (X_XSS_PROTECTION, headers.x_xss_protection),
        (STRICT_TRANSPORT_SECURITY, headers.strict_transport_security),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
    .map(|(name, value)| {
        let value = HeaderValue::from_str(&value);
        Ok((
            name.clone(),
            value.map_err(|_| anyhow!("headers: the value of {name} cannot be sent"))?,
        ))
    })
    .collect()
}
