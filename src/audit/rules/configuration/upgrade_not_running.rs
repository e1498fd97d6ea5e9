//! `upgrade-not-running`: nginx or its TLS library was replaced on disk, and the old one still runs.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "upgrade-not-running",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "nginx or its TLS library was replaced on disk, and the old one still runs",
    why: "A process keeps the program and the libraries that it was started with. A reload starts new workers of the \
          same master, so a security update of nginx or OpenSSL has no effect until nginx is restarted.",
    fix: "Restart nginx (systemctl restart nginx), or upgrade it without a pause: send USR2 to the master, then QUIT \
          to the old one. A reload is not enough.",
    references: &["https://nginx.org/en/docs/control.html#upgrade"],
    consequence_of: &[],
    check: Check::Setting(RuleGroup::Ineffective),
    #[cfg(test)]
    specimen: tests::specimen,
};

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::setting;
    use crate::nginx::facts::{FactKind, Unloaded};

    pub(super) fn specimen() -> Vec<Finding> {
        setting(FactKind::NotRunning(Unloaded::Replaced {
            path: "/usr/lib/x86_64-linux-gnu/libcrypto.so.3".to_owned(),
            running: Some("OpenSSL 3.0.15 3 Sep 2024".to_owned()),
            now: Some("OpenSSL 3.0.17 1 Jul 2025".to_owned()),
            seen: "master process 7 has the old file in memory".to_owned(),
        }))
    }
}
