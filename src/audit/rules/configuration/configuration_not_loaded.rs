//! `configuration-not-loaded`: the running nginx has not loaded what its files contain.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Rule, RuleGroup};

pub(crate) const RULE: Rule = Rule {
    id: "configuration-not-loaded",
    severity: Severity::Warning,
    section: Section::Prevention,
    summary: "the running nginx has not loaded what its files contain now",
    why: "nginx reads its configuration, certificates, keys and revocation lists when it starts and when it is reloaded. \
          A fix that is only in the files has no effect yet; and if a reload fails, nginx goes on with the old \
          configuration and says so only in its error log.",
    fix: "Run nginx -t, correct what it reports, then nginx -s reload (systemctl reload nginx). Then look for a new \
          [emerg] line in the error log: without one, the change is loaded.",
    references: &["https://nginx.org/en/docs/control.html"],
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
        setting(FactKind::NotRunning(Unloaded::File {
            path: "/etc/nginx/tls/a.pem".to_owned(),
            seen: "changed at 2026-06-15T11:00:00Z; worker process 7 is from 2026-06-15T10:00:00Z"
                .to_owned(),
        }))
    }
}
