//! What benchmarks share: certificates, an nginx to talk to, and what processes cost.

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The name that the certificate is for.
pub(crate) const NAME: &str = "fleet.test";

/// A number from the environment.
pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// CPU seconds of all processes that were started and have ended.
pub(crate) fn children_cpu() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6)
}

/// A running nginx, ended when it is let go of.
pub(crate) struct Nginx(Child);

impl Nginx {
    /// Starts nginx with the certificates of this folder at these addresses.
    pub(crate) fn start(folder: &Path, addresses: &[SocketAddr]) -> Outcome<Self> {
        fs::write(folder.join("nginx.conf"), configuration(addresses))?;
        let binary = ["/usr/sbin/nginx", "nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .unwrap_or("nginx");
        let nginx = Command::new(binary)
            .args(["-c", "nginx.conf", "-e", "stderr", "-p"])
            .arg(folder)
            .stdin(Stdio::null())
            .spawn()?;
        let nginx = Self(nginx);
        let last = addresses.last().ok_or("no endpoints")?;
        for _ in 0..500 {
            if TcpStream::connect(last).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("nginx did not start".into())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers on SIGTERM; a kill would leave them.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().cast_signed()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.0.wait();
    }
}

fn configuration(addresses: &[SocketAddr]) -> String {
    let listens: Vec<String> =
        addresses.iter().map(|address| format!("listen {address} ssl;")).collect();
    let listens = listens.join("\n");
    format!(
        "daemon off; worker_processes 2; pid nginx.pid; events {{ worker_connections 8192; }}
         http {{ access_log off; server {{ {listens}
         ssl_certificate leaf.pem; ssl_certificate_key leaf.key; ssl_protocols TLSv1.2 TLSv1.3;
         ssl_session_cache shared:s:10m; }} }}"
    )
}

/// A key for ECDSA on P-256, or an RSA key of 2048 bits if `BENCH_KEY` is `rsa`.
fn key() -> Outcome<KeyPair> {
    match std::env::var("BENCH_KEY").as_deref() {
        Ok("rsa") => Ok(KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)?),
        Ok("ec") | Err(_) => Ok(KeyPair::generate()?),
        Ok(other) => Err(format!("BENCH_KEY is {other:?}, and must be ec or rsa").into()),
    }
}

/// Root, intermediate and leaf; nginx sends the last two.
pub(crate) fn write_certificates(folder: &Path) -> Outcome<()> {
    let authority = || -> Outcome<CertificateParams> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(params)
    };
    let named = |mut params: CertificateParams, name: &str| {
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let (root_key, middle_key, leaf_key) = (key()?, key()?, key()?);
    let root_params = named(authority()?, "fleet root");
    let root = root_params.self_signed(&root_key)?;
    let middle_params = named(authority()?, "fleet intermediate");
    let middle =
        middle_params.signed_by(&middle_key, &Issuer::from_params(&root_params, &root_key))?;
    let mut leaf_params = CertificateParams::new(vec![NAME.to_owned()])?;
    let now = time::OffsetDateTime::now_utc();
    (leaf_params.not_before, leaf_params.not_after) =
        (now - time::Duration::days(10), now + time::Duration::days(80));
    let leaf =
        leaf_params.signed_by(&leaf_key, &Issuer::from_params(&middle_params, &middle_key))?;
    fs::write(folder.join("ca.pem"), root.pem())?;
    fs::write(folder.join("leaf.pem"), leaf.pem() + &middle.pem())?;
    fs::write(folder.join("leaf.key"), leaf_key.serialize_pem())?;
    Ok(())
}
