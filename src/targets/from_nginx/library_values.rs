//! Values that only OpenSSL checks, when nginx starts.

use std::collections::HashSet;

use crate::nginx::facts::FactKind;
use crate::openssl::cipher_string::refusal;
use crate::openssl::group_name::{self, GroupSupport};
use crate::openssl::release::OpensslRelease;
use crate::openssl::{conf_command, conf_value};

/// A cipher list.
pub(super) fn ciphers(list: &str) -> Option<FactKind> {
    let error = refusal(list)?;
    let words = format!("SSL_CTX_set_cipher_list(\"{list}\") failed (SSL: {error})");
    Some(FactKind::LibraryRefuses { words })
}

/// A list of groups.
pub(super) fn curves(list: &str, library: Option<OpensslRelease>) -> Option<FactKind> {
    if list == "auto" {
        return None;
    }
    let refused = |error: &str| {
        let words = format!("SSL_CTX_set1_curves_list(\"{list}\") failed{error}");
        Some(FactKind::LibraryRefuses { words })
    };
    let mut met = HashSet::new();
    let is_old = library.is_some_and(|library| library < OpensslRelease::V3_5);
    for name in list.split(':') {
        match (group_name::support(name), library) {
            (GroupSupport::Known, _) | (GroupSupport::Since3_5, Some(OpensslRelease::V3_5)) => {}
            (GroupSupport::Since3_5, None) => {
                let reason = format!(
                    "could not test: whether this OpenSSL supports the group {name} (3.5 does)"
                );
                return Some(FactKind::Untested { reason });
            }
            // 1.1.1 knows no providers.
            (GroupSupport::OfProvider, library) if library != Some(OpensslRelease::V1_1_1) => {
                let reason = format!(
                    "could not test: whether a provider of this OpenSSL has the group {name}"
                );
                return Some(FactKind::Untested { reason });
            }
            // Since 3.5, a list may mark groups that may be unknown.
            (GroupSupport::Unknown, Some(OpensslRelease::V3_5) | None)
                if name.contains(['?', '*', '/', '-']) => {}
            _ => {
                return refused(&format!(
                    " (SSL: error:0A080106:SSL routines::passed invalid argument:group '{name}' cannot be set)"
                ));
            }
        }
        if is_old && !met.insert(name.to_ascii_lowercase()) {
            return refused("");
        }
    }
    None
}

/// A command of `ssl_conf_command`, but for the files that it may name.
pub(super) fn command(
    name: &str,
    value: &str,
    library: Option<OpensslRelease>,
) -> Option<FactKind> {
    let refused = |error: &str| {
        let words = format!("SSL_CONF_cmd(\"{name}\", \"{value}\") failed (SSL: {error})");
        Some(FactKind::LibraryRefuses { words })
    };
    if !conf_command::exists(name) {
        return refused(&format!("error:0A000182:SSL routines::unknown cmd name:cmd={name}"));
    }
    if conf_value::is_refused(name, value, library) {
        return refused(&format!(
            "error:0A000180:SSL routines::bad value:cmd={name}, value={value}"
        ));
    }
    let is_groups = ["Groups", "Curves"].iter().any(|one| one.eq_ignore_ascii_case(name));
    let lacks = library.is_some_and(|library| library < OpensslRelease::V3_5);
    let newer = |group: &str| group_name::support(group) == GroupSupport::Since3_5;
    if is_groups && lacks && value.split(':').any(newer) {
        return refused("error:0A080106:SSL routines::passed invalid argument:group cannot be set");
    }
    None
}
