//! Modules: the options of a probe with `/probe?module=…`.

use clap::ValueEnum;

use crate::targets::options::Options;
use crate::targets::{Role, StartTls};

/// The options of a module; `None` if there is none of that name.
pub(super) fn options(name: &str) -> Option<Options> {
    let role = |role| Options { role: Some(role), ..Options::default() };
    match name {
        "listener" => Some(role(Role::Listener)),
        "upstream" => Some(role(Role::Upstream)),
        _ => {
            let starttls = StartTls::from_str(name, false).ok()?;
            Some(Options { starttls: Some(starttls), ..Options::default() })
        }
    }
}

/// The names of all modules.
pub(super) fn names() -> String {
    let protocols = StartTls::all().map(StartTls::name);
    ["listener", "upstream"].into_iter().chain(protocols).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_that_is_named_is_one() {
        for name in names().split(", ") {
            assert!(options(name).is_some(), "{name}");
        }
        assert!(options("http_2xx").is_none());
    }
}
