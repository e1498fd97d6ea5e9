//! Sessions.

use super::Row;
use super::scene::{Scene, Sign, pair};
use crate::support::pki::Pki;

const RULE: &str = "session-resumption-unsupported";

pub(super) const ROWS: &[Row] = &[(RULE, || serve("TLSv1.2 TLSv1.3")), (RULE, || serve("TLSv1.3"))];

fn serve(versions: &str) -> Scene {
    let pki = Pki::new();
    let pair = pair(&pki.server("a", &["a.test"]));
    let block = |more: &str| {
        format!("server {{ listen 127.0.0.1:PORT ssl; ssl_protocols {versions}; {pair} {more} }}")
    };
    let faulty = block("ssl_session_cache off; ssl_session_tickets off;");
    let healthy = block("ssl_session_cache shared:s:1m;");
    Scene::of(pki, &faulty, &healthy, Sign::lacks("Reused, TLSv1"))
}
