//! Chains.

use rcgen::CertificateParams;
use rustls_pki_types::CertificateDer;
use shakedown::certificate::issue::self_signed;
use time::Duration;
use time::format_description::well_known::Rfc2822;

use super::Row;
use super::scene::{Scene, Sign, block};
use crate::support::pki::Pki;

const VERIFIED: &str = "Verify return code: 0 (ok)";

pub(super) const ROWS: &[Row] = &[
    ("chain-contains-root", || {
        sends(Sign::says("s:CN = it root"), |pki, chain| chain.push(pki.root.certificate.clone()))
    }),
    ("chain-duplicate-certificate", || {
        let twice = |text: &str| text.matches("s:CN = it intermediate\n").count() == 2;
        sends(Sign::Shape(twice), |_, chain| chain.push(chain[1].clone()))
    }),
    ("chain-incomplete", || sends(Sign::lacks(VERIFIED), |_, chain| chain.truncate(1))),
    ("chain-misordered", || {
        let pki = Pki::new();
        let lower = pki.intermediate.intermediate("it lower").unwrap();
        let issued = lower.issue(&["a.test"]).unwrap();
        let [leaf, below, above] = <[_; 3]>::try_from(issued.chain()).unwrap();
        let chains = [[leaf.clone(), above.clone(), below.clone()], [leaf, below, above]];
        let [faulty, healthy] = [("a", &chains[0]), ("healthy", &chains[1])]
            .map(|(name, chain)| block(&pki.write(name, &issued, chain), ""));
        let upside_down = |text: &str| {
            let place = |name: &str| text.find(&format!("s:CN = {name}\n"));
            place("it intermediate") < place("it lower")
        };
        Scene::of(pki, &faulty, &healthy, Sign::Shape(upside_down))
    }),
    ("chain-unrelated-certificate", || {
        sends(Sign::says("s:CN = it stranger"), |pki, chain| {
            chain.push(pki.root.intermediate("it stranger").unwrap().certificate);
        })
    }),
    ("intermediate-expired", || dated(-1, Sign::says("certificate has expired"))),
    ("intermediate-expiring", || {
        let end = Pki::new().now + Duration::days(5);
        let day = end.format(&Rfc2822).unwrap();
        // `Thu, 03 Dec 2026`: openssl prints the month before the day.
        let words: Vec<&str> = day.split(' ').collect();
        let day = words[1].trim_start_matches('0');
        dated(5, Sign::says(format!("NotAfter: {} {day:>2} ", words[2])))
    }),
    ("self-signed", || {
        let pki = Pki::new();
        let issued = self_signed(&["a.test"], pki.now).unwrap();
        let faulty = block(&pki.write("a", &issued, &issued.chain()), "");
        let healthy = block(&pki.server("healthy", &["a.test"]), "");
        let own = |text: &str| {
            let part = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
            part("subject=").is_some() && part("subject=") == part("issuer=")
        };
        Scene::of(pki, &faulty, &healthy, Sign::Shape(own))
    }),
    ("untrusted-issuer", || {
        let (pki, stranger) = (Pki::new(), Pki::new());
        let faulty = block(&stranger.server("a", &["a.test"]), "");
        let healthy = block(&pki.server("a", &["a.test"]), "");
        Scene::of(pki, &faulty, &healthy, Sign::lacks(VERIFIED)).keep(stranger)
    }),
];

/// A server that sends something else after its certificate.
fn sends(sign: Sign, change: fn(&Pki, &mut Vec<CertificateDer<'static>>)) -> Scene {
    let pki = Pki::new();
    let issued = pki.intermediate.issue(&["a.test"]).unwrap();
    let mut chain = issued.chain();
    let healthy = block(&pki.write("healthy", &issued, &chain), "");
    change(&pki, &mut chain);
    let faulty = block(&pki.write("a", &issued, &chain), "");
    Scene::of(pki, &faulty, &healthy, sign)
}

/// An intermediate that expires after so many days.
fn dated(days: i64, sign: Sign) -> Scene {
    let pki = Pki::new();
    let end = pki.now + Duration::days(days);
    let change = |params: &mut CertificateParams| params.not_after = end;
    let issued =
        pki.root.intermediate_with("it dated", change).unwrap().issue(&["a.test"]).unwrap();
    let faulty = block(&pki.write("a", &issued, &issued.chain()), "");
    let healthy = block(&pki.server("healthy", &["a.test"]), "");
    Scene::of(pki, &faulty, &healthy, sign)
}
