//! Misspelt directives. A third-party module may define any name, so a name only counts as misspelt if it is certainly
//! or very probably a typing error in one of nginx's directives.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table;
use crate::nginx::problem::Fault;
use crate::nginx::upstream::ProxyModule;

/// Words in the names of directives with such a prefix in other modules and patched versions of nginx.
const OTHERS: [&str; 10] =
    ["lua", "ntls", "async", "dyn_rec", "_ct", "enc_", "sign_", "gm_", "keyless", "verify_depth_"];

/// Directives of other modules that differ from one of nginx's by one letter.
const NEIGHBOURS: [&str; 3] = ["subs_filter", "subs_filter_types", "subs_filter_bypass"];

/// The shortest name that counts as misspelt: short names are similar to too many others.
const SHORTEST: usize = 5;

/// The names of nginx's directives, by their length.
static BY_LENGTH: LazyLock<HashMap<usize, Vec<&str>>> = LazyLock::new(|| {
    let mut names: HashMap<usize, Vec<&str>> = HashMap::new();
    for known in table::names().filter(|known| known.len() >= SHORTEST) {
        names.entry(known.len()).or_default().push(known);
    }
    names
});

/// Whether a name that nginx does not know is a typing error.
pub(super) fn is_misspelt(name: &str) -> bool {
    meant(name).is_some() || is_tls(name)
}

/// The directive that was probably intended, if a fault is a misspelt one.
pub fn intended(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::UnknownDirective(name) => meant(name),
        _ => None,
    }
}

/// The directive of nginx that was probably intended by a name that it does not know.
fn meant(name: &str) -> Option<&'static str> {
    // A row of `map`, and a missing space before a slash.
    if name == "default" || name == "location/" {
        return Some("location");
    }
    if !is_own(name) {
        return None;
    }
    let lengths = name.len().saturating_sub(1)..=name.len() + 1;
    let near = lengths.filter_map(|length| BY_LENGTH.get(&length)).flatten().copied();
    near.filter(|known| is_one_slip(known.as_bytes(), name.as_bytes())).min()
}

/// Whether only nginx itself can have such a directive.
fn is_tls(name: &str) -> bool {
    let modules = [true, false].into_iter().flat_map(ProxyModule::of);
    let mut prefixes = modules.map(ProxyModule::prefix).chain(["ssl_"]);
    is_own(name) && prefixes.any(|prefix| name.starts_with(prefix))
}

/// Whether it can be a name of nginx itself.
fn is_own(name: &str) -> bool {
    let foreign = OTHERS.iter().any(|word| name.contains(word)) || NEIGHBOURS.contains(&name);
    !foreign && name.len() >= SHORTEST && name.bytes().all(is_letter)
}

/// Whether one letter was added, omitted or changed, or two adjacent ones were swapped. Runs in linear time, because a
/// configuration may contain a million names.
fn is_one_slip(one: &[u8], other: &[u8]) -> bool {
    if one.len().abs_diff(other.len()) > 1 {
        return false;
    }
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same..], &other[same..]);
    let same = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&one[..one.len() - same], &other[..other.len() - same]) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => (a, b) == (d, c),
        _ => false,
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::{is_misspelt, meant};

    #[test]
    fn slips_are_found_and_other_modules_are_left_alone() {
        for (name, known) in [
            ("servr", "server"),
            ("stram", "stream"),
            ("location/", "location"),
            ("proxy_ssl_server_nam", "proxy_ssl_server_name"),
            ("proxy_ssl_verfy", "proxy_ssl_verify"),
            ("ssl_protocol", "ssl_protocols"),
            ("ssl_certficate", "ssl_certificate"),
            ("proxy_pas", "proxy_pass"),
            ("listen", "listen"),
        ] {
            assert_eq!(meant(name), Some(known), "{name}");
        }
        let others = [
            "ssl_certificate_by_lua_block",
            "proxy_ssl_verify_by_lua_file",
            "lua_ssl_trusted_certificate",
            "subs_filter",
            "brotli_types",
            "more_set_headers",
            "vhost_traffic_status",
            "auth_jwt",
            "health_check",
        ];
        for name in others {
            assert!(!is_misspelt(name), "{name}");
        }
    }
}
