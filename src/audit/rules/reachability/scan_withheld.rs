//! `scan-withheld`: a scan could lock this machine out.

use crate::audit::finding::{Section, Severity};
use crate::audit::rule::{Check, Context, Rule, Verdict};
use crate::observation::Endpoint;

pub(crate) const RULE: Rule = Rule {
    id: "scan-withheld",
    severity: Severity::Warning,
    section: Section::Reachability,
    summary: "a scan was not made, because it could lock this machine out of the server",
    why: "MySQL and MariaDB count connections that end before the login. A scan makes 58 to 76 of them, and about 100 more \
          with all clients. At max_connect_errors (100 by default) the server refuses every client on this machine until \
          FLUSH HOSTS. A probe ends with a failed login, which is not counted.",
    fix: "Scan with --risk-lockout where a lockout does no harm: from a machine with no other clients of the server, or with \
          max_connect_errors raised. Run FLUSH HOSTS afterwards.",
    references: &[
        "https://dev.mysql.com/doc/refman/8.0/en/server-system-variables.html#sysvar_max_connect_errors",
    ],
    consequence_of: &[],
    check: Check::Endpoint(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(endpoint: &Endpoint, _: &Context<'_>) -> Verdict {
    if !endpoint.scan_withheld {
        return Verdict::Pass;
    }
    RULE.finds("the scan was not made: it could lock this machine out of the server")
        .evidence(format!("{}: each hello counts as a connection error", endpoint.address))
        .could_not_test()
        .into()
}

#[cfg(test)]
mod tests {
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.seen.endpoints[0].scan_withheld = true;
        scene.judge().findings
    }
}
