//! The table of clients is whole.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_row_is_whole() {
    let names: BTreeSet<&str> = all().iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names.len(), all().len(), "two rows have one name");
    for profile in all() {
        let name = &profile.name;
        assert!(!profile.versions.is_empty() && !profile.cipher_suites.is_empty(), "{name}");
        assert!(!profile.source.is_empty() && !profile.title.is_empty(), "{name}");
        let tls13 = profile.newest() == ProtocolVersion::TLS1_3;
        assert_eq!(tls13, !profile.key_shares.is_empty(), "{name}");
        assert!(profile.key_shares.iter().all(|group| profile.groups.contains(group)), "{name}");
        assert_eq!(
            profile.newest() >= ProtocolVersion::TLS1_2,
            !profile.signature_schemes.is_empty(),
            "{name}"
        );
        assert!(profile.hello(Some("a.test")).encode().is_ok(), "{name}");
    }
}

#[test]
fn selections_name_a_set_a_family_or_a_client() {
    assert_eq!(select("all").unwrap().len(), all().len());
    assert!(select("modern").unwrap().len() < all().len());
    assert!(select("java").unwrap().len() > 1);
    let error = select("netscape").unwrap_err().to_string();
    assert!(error.contains("java"), "{error}");
}

#[test]
fn the_usual_browser_is_the_first_row_and_a_current_one() {
    let browser = usual_browser().unwrap();
    assert_eq!(browser, &all()[0]);
    assert!(browser.is_current_browser());
}

#[test]
fn only_a_client_that_sends_names_sends_one() {
    let sends = |name: &str| {
        let profile = select(name).unwrap()[0];
        let hello = profile.hello(Some("a.test"));
        hello.extensions.iter().any(|extension| extension.kind() == ExtensionType::SERVER_NAME)
    };
    assert!(sends("chrome"));
    assert!(!sends("nginx"));
}
