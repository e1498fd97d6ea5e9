//! Compares our verdict on revocation lists with nginx: every kind of list for the root with every kind for the
//! intermediate, each behind a location of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use rcgen::{
    CertificateParams, CertificateRevocationListParams, CrlDistributionPoint,
    CrlIssuingDistributionPoint, CrlScope, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;
use shakedown::certificate::Chain;
use shakedown::certificate::crl::RevocationLists;
use shakedown::certificate::issue::{Authority, Issued};
use shakedown::certificate::signature::Verifier;
use shakedown::certificate::trust::TrustStore;
use shakedown::certificate::trust::openssl::{OpensslVerdict, Question, verify};
use shakedown::nginx::build::Build;
use shakedown::openssl::release::OpensslRelease;
use shakedown::targets::nginx_client::NginxClient;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::support::pki::{pem, pem_of};
use crate::support::server::{Nginx, proxy_command};

/// The serial number that lists revoke.
const SERIAL: u64 = 7;

/// Where a certificate says that its list is.
const PLACE: &str = "http://crl.test/1";

/// What an upstream sends, and the lists that nginx has.
struct Case {
    what: String,
    /// The upstream, by its number.
    upstream: usize,
    lists: Vec<Vec<u8>>,
}

/// What the lists are made for: an authority, and a folder in which the openssl command works.
struct Maker<'a> {
    authority: &'a Authority,
    /// One of the same name with another key.
    namesake: Authority,
    now: OffsetDateTime,
    folder: TempDir,
}

type Kind = (&'static str, Vec<Vec<u8>>);

impl<'a> Maker<'a> {
    fn new(authority: &'a Authority, name: &str, now: OffsetDateTime) -> Self {
        let namesake = Authority::root(name, now).unwrap();
        Self { authority, namesake, now, folder: tempfile::tempdir().unwrap() }
    }

    fn list(&self, change: impl FnOnce(&mut CertificateRevocationListParams)) -> Vec<u8> {
        self.authority.revocation_list(change).unwrap().to_vec()
    }

    fn about(&self, place: &str, scope: Option<CrlScope>) -> Vec<u8> {
        let uris = vec![place.to_owned()];
        self.list(|list| {
            let distribution_point = CrlDistributionPoint { uris };
            list.issuing_distribution_point =
                Some(CrlIssuingDistributionPoint { distribution_point, scope });
        })
    }

    fn revoking(&self, reason: Option<RevocationReason>, age: i64, ends: i64) -> Vec<u8> {
        self.list(|list| {
            list.this_update = self.now - Duration::days(age);
            list.next_update = self.now + Duration::days(ends);
            list.revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from(SERIAL),
                revocation_time: self.now - Duration::days(age),
                reason_code: reason,
                invalidity_date: None,
            });
        })
    }

    /// A list with these extensions from the openssl command, signed by this authority.
    fn by_openssl(&self, authority: &Authority, extensions: &str) -> Vec<u8> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        fs::write(path("ca.pem"), pem(std::slice::from_ref(&self.authority.certificate))).unwrap();
        fs::write(path("ca.pem.own"), pem(std::slice::from_ref(&authority.certificate))).unwrap();
        fs::write(path("ca.key"), authority.key_pem()).unwrap();
        fs::write(path("index"), "").unwrap();
        fs::write(path("number"), "05\n").unwrap();
        let text = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={}\ncrlnumber={}\ndefault_md=sha256\ndefault_crl_days=9\n[e]\n{extensions}\n",
            path("index"),
            path("number")
        );
        fs::write(path("ca.cnf"), text).unwrap();
        let mut command = Command::new("openssl");
        command.args(["ca", "-gencrl", "-config", &path("ca.cnf"), "-crlexts", "e"]);
        command.args(["-cert", &path("ca.pem.own"), "-keyfile", &path("ca.key")]);
        let made = command.args(["-out", &path("crl.pem")]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let made = fs::read(path("crl.pem")).unwrap();
        RevocationLists::read(&made).unwrap().0.remove(0).der
    }

    fn common(&self) -> Vec<Kind> {
        let good = self.list(|_| {});
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let older = |list: &mut CertificateRevocationListParams| {
            list.this_update = self.now - Duration::days(20);
        };
        let (ended, soon) = (self.now - Duration::days(1), self.now + Duration::days(1));
        let other = self.namesake.revocation_list(|_| {}).unwrap().to_vec();
        vec![
            ("none", vec![]),
            ("good", vec![good.clone()]),
            ("expired", vec![self.list(|list| list.next_update = ended)]),
            ("not yet valid", vec![self.list(|list| list.this_update = soon)]),
            ("damaged signature", vec![flipped]),
            ("another key", vec![other.clone()]),
            ("another key beside the right one", vec![other, good.clone()]),
            ("revokes", vec![self.revoking(None, 10, 20)]),
            ("revokes, expired", vec![self.revoking(None, 10, -1)]),
            ("no longer revokes", vec![self.revoking(Some(RevocationReason::RemoveFromCrl), 9, 9)]),
            ("an older one revokes", vec![self.revoking(None, 20, 20), good.clone()]),
            ("a newer one revokes", vec![self.list(older), self.revoking(None, 2, 20)]),
            ("an expired one beside", vec![self.list(|list| list.next_update = ended), good]),
        ]
    }

    fn unusual(&self) -> Vec<Kind> {
        let own = |extensions: &str| vec![self.by_openssl(self.authority, extensions)];
        vec![
            ("another key, no identifier", vec![self.by_openssl(&self.namesake, "")]),
            ("first version", own("")),
            ("unknown critical extension", own("1.2.3.4=critical,DER:0500")),
            ("unknown extension", own("1.2.3.4=DER:0500")),
            ("a delta for a list that is missing", own("2.5.29.27=critical,DER:020101")),
            ("indirect", own("2.5.29.28=critical,DER:30038401FF")),
            ("attributes only", own("2.5.29.28=critical,DER:30038501FF")),
            ("users and authorities only", own("2.5.29.28=critical,DER:30068101FF8201FF")),
            ("some reasons only", own("2.5.29.28=critical,DER:3004830206C0")),
            ("empty distribution point", own("2.5.29.28=critical,DER:3000")),
            ("of users", vec![self.about(PLACE, Some(CrlScope::UserCertsOnly))]),
            ("of authorities", vec![self.about(PLACE, Some(CrlScope::CaCertsOnly))]),
            ("of another place", vec![self.about("http://crl.test/2", None)]),
            ("of its place", vec![self.about(PLACE, None)]),
        ]
    }
}

/// The upstreams: what is unusual about them, and their chains.
fn upstreams(root: &Authority, middle: &Authority) -> Vec<(&'static str, Issued, bool)> {
    let serial = |params: &mut CertificateParams| {
        params.serial_number = Some(SerialNumber::from(SERIAL));
    };
    let leaf = |change: &dyn Fn(&mut CertificateParams)| {
        let change = |params: &mut CertificateParams| {
            serial(params);
            change(params);
        };
        middle.issue_with(&["a.test"], change).unwrap()
    };
    let place = |params: &mut CertificateParams| {
        let uris = vec![PLACE.to_owned()];
        params.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    };
    let mute = root.intermediate_with("middle", |params| {
        serial(params);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    vec![
        ("sound", leaf(&|_| {}), true),
        ("with a place for its list", leaf(&place), true),
        ("without its intermediate", leaf(&|_| {}), false),
        ("expired", leaf(&|params| params.not_after = params.not_before + Duration::days(1)), true),
        (
            "below an authority that may not sign lists",
            mute.unwrap().issue(&["a.test"]).unwrap(),
            true,
        ),
    ]
}

fn cases(root: &Maker<'_>, middle: &Maker<'_>, upstreams: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |upstream: usize, above: &Kind, below: &Kind| {
        let what = format!("upstream {upstream}, root: {}, intermediate: {}", above.0, below.0);
        let lists = above.1.iter().chain(&below.1).cloned().collect();
        cases.push(Case { what, upstream, lists });
    };
    for above in &root.common() {
        for below in &middle.common() {
            add(0, above, below);
        }
    }
    let good: Kind = ("good", vec![root.list(|_| {})]);
    for below in middle.unusual().iter().chain(&middle.common()) {
        for upstream in 0..upstreams {
            add(upstream, &good, below);
        }
    }
    let good: Kind = ("good", vec![middle.list(|_| {})]);
    for above in &root.unusual() {
        add(0, above, &good);
    }
    cases
}

fn configuration(
    cases: &[Case],
    upstreams: &[(&'static str, Issued, bool)],
    folder: &std::path::Path,
) -> String {
    let mut text = String::new();
    for (index, (_, issued, whole)) in upstreams.iter().enumerate() {
        let file = |kind: &str| folder.join(format!("{index}.{kind}")).display().to_string();
        fs::write(file("pem"), pem(sent(issued, *whole).as_slice())).unwrap();
        fs::write(file("key"), issued.key.serialize_pem()).unwrap();
        writeln!(
            text,
            "server {{ listen 127.3.0.{}:PORT ssl; ssl_certificate {}; ssl_certificate_key {}; return 204; }}",
            index + 1,
            file("pem"),
            file("key")
        )
        .unwrap();
    }
    let mut locations = String::new();
    for (index, case) in cases.iter().enumerate() {
        let file = folder.join(format!("{index}.crl"));
        fs::write(&file, pem_of("X509 CRL", &case.lists)).unwrap();
        writeln!(
            locations,
            "location = /{index} {{ proxy_pass https://127.3.0.{}:PORT; proxy_ssl_crl {}; }}",
            case.upstream + 1,
            file.display()
        )
        .unwrap();
    }
    format!(
        "proxy_ssl_verify on; proxy_ssl_verify_depth 2; proxy_ssl_session_reuse off; proxy_ssl_name a.test;
         proxy_ssl_trusted_certificate {}; {text} server {{ listen 127.0.0.1:PORT; {locations} }}",
        folder.join("root.pem").display()
    )
}

fn sent(issued: &Issued, whole: bool) -> Vec<CertificateDer<'static>> {
    let mut chain = issued.chain();
    chain.truncate(if whole { chain.len() } else { 1 });
    chain
}

/// nginx's answer to the request for a case.
fn get(nginx: &Nginx, index: usize) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", nginx.port)).unwrap();
    write!(stream, "GET /{index} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// That answer in one word, or the error in nginx's log.
fn observe(log: &str, index: usize, answer: &str) -> String {
    if answer.starts_with("HTTP/1.1 204") {
        return "accepted".to_owned();
    }
    let mark = format!("request: \"GET /{index} ");
    let line = log.lines().find(|line| line.contains(&mark) && line.contains("verify error: "));
    let line = line.unwrap_or_else(|| panic!("{index}: {answer}\n{log}"));
    let from = line.find("verify error: ").unwrap() + "verify error: ".len();
    line[from..].split(" while").next().unwrap().to_owned()
}

#[test]
fn nginx_says_of_every_list_what_is_said_in_its_name() {
    let version = proxy_command().arg("-V").output().unwrap();
    let build = Build::read(&String::from_utf8_lossy(&version.stderr)).unwrap();
    let library = OpensslRelease::of(&build.library.unwrap()).unwrap();
    let client =
        NginxClient { library, version: Some(build.version), ..NginxClient::new("a.test") };
    let profile = client.verification(2);
    let now = OffsetDateTime::now_utc();
    let root = Authority::root("root", now).unwrap();
    let middle = root.intermediate_with("middle", |params| {
        params.serial_number = Some(SerialNumber::from(SERIAL));
    });
    let middle = middle.unwrap();
    let upstreams = upstreams(&root, &middle);
    let makers = [Maker::new(&root, "root", now), Maker::new(&middle, "middle", now)];
    let cases = cases(&makers[0], &makers[1], upstreams.len());
    // A file without a list does not start nginx.
    let cases: Vec<Case> = cases.into_iter().filter(|case| !case.lists.is_empty()).collect();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.pem"), pem(std::slice::from_ref(&root.certificate)))
        .unwrap();
    let nginx = Nginx::start_proxy(&configuration(&cases, &upstreams, folder.path()));
    // The openssl command takes the time of its call.
    let now = OffsetDateTime::now_utc();
    let anchors = vec![root.certificate.clone()];
    let (store, _) = TrustStore::from_certificates("root".to_owned(), anchors, false);
    let answers: Vec<String> = (0..cases.len()).map(|index| get(&nginx, index)).collect();
    let refused = answers.iter().rposition(|answer| !answer.starts_with("HTTP/1.1 204"));
    assert!(nginx.logs(&format!("request: \"GET /{} ", refused.unwrap())));
    let log = nginx.error_log();
    let (mut wrong, mut unknown, mut accepted) = (Vec::new(), Vec::new(), 0);
    for (index, case) in cases.iter().enumerate() {
        let (_, issued, whole) = &upstreams[case.upstream];
        let sent = sent(issued, *whole);
        let sent: Vec<&[u8]> = sent.iter().map(AsRef::as_ref).collect();
        let chain = Chain::from_der(&sent);
        let file = fs::read(folder.path().join(format!("{index}.crl"))).unwrap();
        let lists = RevocationLists::read(&file).unwrap();
        let question = Question { chain: &chain, store: &store, lists: Some(&lists), now };
        let theirs = observe(&log, index, &answers[index]);
        accepted += usize::from(theirs == "accepted");
        let ours = match verify(question, profile, &Verifier::default()) {
            OpensslVerdict::Accepted => "accepted".to_owned(),
            OpensslVerdict::Refused(error) => format!("({}:{})", error.0, error.text_in(library)),
            OpensslVerdict::CannotCheck(why) => {
                unknown.push(format!("{}: {why}", case.what));
                continue;
            }
            OpensslVerdict::Unreadable(part) => panic!("{}: {part}", case.what),
        };
        if ours != theirs {
            wrong.push(format!("{}\n  we:    {ours}\n  nginx: {theirs}", case.what));
        }
    }
    println!("{} cases, {accepted} accepted, {} not told", cases.len(), unknown.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    // These depend on more than what is known of the release.
    let told = |what: &&String| {
        ["delta", "empty distribution point", "OpenSSL 3.5 and 3.6"]
            .iter()
            .any(|why| what.contains(why))
    };
    assert_eq!(unknown.iter().filter(told).count(), unknown.len(), "{}", unknown.join("\n"));
    assert!(accepted > 20 && unknown.len() < 30, "{accepted} accepted, {}", unknown.len());
}
