use super::*;
use crate::nginx::defaults::NginxRelease;
use crate::nginx::edit;
use crate::nginx::listener::listeners;
use crate::nginx::source::MemoryFiles;
use crate::nginx::tree::Tree;
use crate::openssl::release::OpensslRelease;
use crate::tls::profile::select;
use crate::tls::version::ProtocolVersion;

const OLD: NginxRelease = NginxRelease::new(1, 22, 1);
const NEW: NginxRelease = NginxRelease::new(1, 30, 6);
const MAIN: &str = "/etc/nginx/nginx.conf";

/// The lines that the candidates for the server with that name add or change, one string per candidate; after `!`, what
/// they allow.
fn proposed(goal: Goal, release: NginxRelease, http: &str, name: &str) -> Vec<String> {
    proposed_with(&[], goal, (release, OpensslRelease::V3_0), http, name)
}

/// The same, where OpenSSL's configuration sets this.
fn proposed_with(
    system: &[&str],
    goal: Goal,
    (release, library): (NginxRelease, OpensslRelease),
    http: &str,
    name: &str,
) -> Vec<String> {
    let system: Vec<String> = system.iter().map(|&one| one.to_owned()).collect();
    let text = format!("events {{}}\nhttp {{\n{http}\n}}\n");
    let tree = Tree::read(&MemoryFiles::of([(MAIN, text.as_bytes())]), MAIN);
    let all = listeners(&tree);
    let server = all[0].server_for(name).unwrap();
    let site = Site {
        tree: &tree,
        listener: &all[0],
        server,
        release,
        library,
        system: &system,
        files: &[],
    };
    let seen = Endpoint::new("127.0.0.1:443".parse().unwrap(), Vec::new());
    let lines = candidates(goal, site, &seen).into_iter().map(|candidate| {
        let patch = edit::patch(&tree, &candidate.edits).unwrap();
        assert_eq!(patch.fault(&tree), None, "{candidate}");
        let lines = patch.diff();
        let added = lines.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++"));
        let added: Vec<&str> = added.map(|line| line[1..].trim()).collect();
        let admits: Vec<String> =
            candidate.admits.iter().map(|admits| format!(" !{admits}")).collect();
        format!("{}{}", added.join(" "), admits.concat())
    });
    lines.collect()
}

fn client(name: &str) -> Goal {
    Goal::Client(select(name).unwrap()[0])
}

/// A default server and one of another name, each with its own settings.
fn two(default: &str, named: &str) -> String {
    format!(
        "server {{\nlisten 443 ssl;\nserver_name d.test;\nssl_certificate d.pem;\n\
         ssl_certificate_key d.key;\n{default}\n}}\n\
         server {{\nlisten 443 ssl;\nserver_name a.test;\nssl_certificate a.pem;\n\
         ssl_certificate_key a.key;\n{named}\n}}"
    )
}

#[test]
fn a_version_is_added_where_it_takes_effect() {
    let http = two("ssl_protocols TLSv1.3; # default", "ssl_protocols TLSv1.3;");
    let expected = "ssl_protocols TLSv1.2 TLSv1.3;";
    let old = proposed(client("java-8"), OLD, &http, "a.test");
    assert_eq!(old[0], format!("{expected} # default"));
    let new = proposed(client("java-8"), NEW, &http, "a.test");
    assert_eq!(new[0], expected);
}

#[test]
fn a_version_that_is_off_by_default_needs_a_lower_security_level_everywhere() {
    let http = two("ssl_ciphers DEFAULT;", "ssl_ciphers HIGH;");
    let found = proposed(client("java-7"), OLD, &http, "a.test");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("ssl_ciphers DEFAULT:@SECLEVEL=0;"), "{found:?}");
    assert!(found[0].contains("ssl_ciphers HIGH:@SECLEVEL=0;"), "{found:?}");
    assert!(found[0].ends_with("!TLSv1 !keys and signatures of security level 0"), "{found:?}");
}

#[test]
fn a_suite_is_added_behind_the_others_or_the_list_is_written_out() {
    let with = |ciphers: &str| {
        let named = format!("ssl_protocols TLSv1.2; ssl_ciphers {ciphers};");
        proposed(client("ie-11-win7"), OLD, &two("ssl_protocols TLSv1.2;", &named), "a.test")
    };
    let found = with("ECDHE-RSA-CHACHA20-POLY1305");
    assert!(found[0].contains("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-"), "{found:?}");
    let found = with("ECDHE+CHACHA20:!AES");
    assert!(found[0].contains("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-") && !found[0].contains('!'));
}

#[test]
fn a_group_belongs_to_the_default_server() {
    let http = two("ssl_protocols TLSv1.3; ssl_ecdh_curve secp521r1;", "ssl_protocols TLSv1.3;");
    for release in [OLD, NEW] {
        let found = proposed(client("chrome"), release, &http, "a.test");
        assert!(found[0].ends_with("ssl_ecdh_curve secp521r1:X25519;"), "{found:?}");
    }
}

#[test]
fn commands_of_openssl_are_changed_where_they_decide() {
    let default = "ssl_conf_command MinProtocol TLSv1.3;";
    let named = "ssl_conf_command CipherString ECDHE+CHACHA20;";
    let found = proposed(client("ie-11-win7"), NEW, &two(default, named), "a.test");
    assert!(found[0].contains("ssl_conf_command MinProtocol TLSv1.2;"), "{found:?}");
    assert!(found[0].contains("ssl_conf_command CipherString ECDHE+CHACHA20:"), "{found:?}");
    let groups = two("ssl_conf_command Groups X448;", "");
    let found = proposed(client("chrome"), NEW, &groups, "a.test");
    assert_eq!(found[0], "ssl_conf_command Groups X448:X25519;");
}

#[test]
fn what_is_too_much_is_taken_out() {
    let http = two("ssl_protocols TLSv1 TLSv1.1 TLSv1.2;", "");
    let found = proposed(Goal::NoLegacyVersion, OLD, &http, "a.test");
    assert_eq!(found, ["ssl_protocols TLSv1.2;"]);
    let found = proposed(Goal::NoStaticRsa, OLD, &two("", "ssl_ciphers HIGH;"), "a.test");
    assert_eq!(found[0], "ssl_ciphers HIGH:!kRSA;");
    assert!(found[1].contains("ECDHE-RSA-AES128-GCM-SHA256") && !found[1].contains(":AES128-SHA"));
}

#[test]
fn http2_is_spelt_as_the_release_does() {
    let http = two("", "listen 8443;");
    let old = proposed(Goal::Http2, OLD, &http, "a.test");
    assert_eq!(old, ["listen 443 ssl http2;"]);
    let new = proposed(Goal::Http2, NEW, &http, "a.test");
    assert_eq!(new, ["http2 on;"]);
}

#[test]
fn a_version_without_a_name_comes_from_the_default_server() {
    let http = two("ssl_protocols TLSv1.2;", "ssl_protocols TLSv1.3;");
    let found = proposed(Goal::NoName, NEW, &http, "a.test");
    assert_eq!(found, ["ssl_protocols TLSv1.2 TLSv1.3;"]);
    let refuses = "server {\nlisten 443 ssl default_server;\nssl_reject_handshake on;\n}\n\
                   server {\nlisten 443 ssl;\nserver_name a.test;\nssl_certificate a.pem;\n\
                   ssl_certificate_key a.key;\n}";
    let found = proposed(Goal::NoName, NEW, refuses, "a.test");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("ssl_reject_handshake off;"), "{found:?}");
    assert!(found[0].contains("ssl_certificate /etc/nginx/a.pem;"), "{found:?}");
    assert!(found[0].ends_with("!clients that send no server name"), "{found:?}");
}

#[test]
fn nothing_is_proposed_that_holds_already() {
    let http = two("", "");
    assert_eq!(proposed(Goal::Version(ProtocolVersion::TLS1_3), NEW, &http, "a.test"), [""; 0]);
    assert_eq!(proposed(Goal::PostQuantum, NEW, &http, "a.test"), [""; 0]);
}

#[test]
fn the_default_server_limits_the_versions_of_every_name() {
    let limited = "ssl_protocols TLSv1.3;\nssl_conf_command MinProtocol TLSv1.3;";
    let http =
        two(limited, "ssl_protocols TLSv1.2 TLSv1.3;\nssl_conf_command MaxProtocol TLSv1.2;");
    let found = proposed(client("java-8"), NEW, &http, "a.test");
    assert_eq!(found[0], "ssl_conf_command MinProtocol TLSv1.2;");
}

#[test]
fn a_handshake_begins_with_the_default_server() {
    let named = "ssl_protocols TLSv1.2;";
    let http = two("ssl_protocols TLSv1 TLSv1.3; ssl_ciphers ECDHE+AESGCM;", named);
    let found = proposed(client("chrome"), NEW, &http, "a.test");
    let of_default = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;";
    assert!(
        found.iter().any(|one| one.contains(of_default) && one.ends_with("!TLSv1.1")),
        "{found:?}"
    );
}

#[test]
fn what_openssl_s_configuration_sets_counts_where_no_directive_does() {
    let release = (OLD, OpensslRelease::V3_0);
    let of =
        |system: &[&str], goal, http: &str| proposed_with(system, goal, release, http, "a.test");
    let plain = two("", "");
    // At this level nothing has to be changed for an old client.
    assert_eq!(of(&["CipherString DEFAULT@SECLEVEL=0"], client("java-7"), &plain), [""; 0]);
    let own = two("ssl_ciphers HIGH:@SECLEVEL=2;", "ssl_ciphers HIGH:@SECLEVEL=2;");
    let own = of(&["CipherString DEFAULT@SECLEVEL=0"], client("java-7"), &own);
    assert!(own[0].contains("ssl_ciphers HIGH:@SECLEVEL=0;"), "{own:?}");
    let groups = of(&["Groups P-384"], Goal::CurrentGroup, &plain);
    assert_eq!(groups, ["ssl_ecdh_curve secp384r1:X25519:prime256v1;"]);
    assert_eq!(of(&["Groups nosuch"], Goal::CurrentGroup, &plain), [""; 0]);
    let written = two("ssl_ecdh_curve X448;", "");
    let groups = of(&["Groups P-384"], Goal::CurrentGroup, &written);
    assert_eq!(groups, ["ssl_ecdh_curve X448:X25519:prime256v1;"]);
    let schemes = of(&["SignatureAlgorithms RSA+SHA256"], Goal::CurrentSuite, &plain);
    let all = "RSA+SHA256:ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256";
    assert_eq!(schemes, [format!("ssl_conf_command SignatureAlgorithms {all};")]);
    let tickets = of(&["Options -SessionTicket"], Goal::Resumption, &plain);
    assert!(
        tickets.iter().any(|one| one.contains("ssl_conf_command Options SessionTicket;")),
        "{tickets:?}"
    );
}

#[test]
fn a_release_is_given_no_command_that_it_lacks() {
    let before = (NginxRelease::new(1, 18, 0), OpensslRelease::V1_1_1);
    let http = two("", "");
    let system = ["Options -SessionTicket"];
    let tickets = |release| proposed_with(&system, Goal::Resumption, release, &http, "a.test");
    let uses_command = |all: Vec<String>| all.iter().any(|one| one.contains("ssl_conf_command"));
    assert!(!uses_command(tickets(before)));
    assert!(uses_command(tickets((OLD, OpensslRelease::V1_1_1))));
}
