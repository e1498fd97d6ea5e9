//! The gate: which findings fail the run. It applies the allowances and the baseline to each target, and finally
//! reports allowances that have expired or matched nothing.

use std::collections::BTreeSet;

use time::Date;

use super::TargetReport;
use crate::audit::allowance::{Allowance, Allowances};
use crate::audit::finding::{Excuse, Finding, Severity};
use crate::audit::ignore::IgnoreComment;
use crate::audit::rules::reachability::not_tested;
use crate::targets::Target;

/// The gate of one run.
#[derive(Debug)]
pub struct Gate {
    threshold: Severity,
    allowances: Allowances,
    /// What each allowance matched, in the order of the file.
    met: Vec<Met>,
    /// Comments beside directives, and whether each matched a finding.
    ignored: Vec<(IgnoreComment, bool)>,
    /// Something could not be tested, so a missing finding proves nothing.
    untested: bool,
    baseline: Option<BTreeSet<String>>,
    today: Date,
}

/// What an allowance matched.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    /// A target that matches its pattern.
    target: bool,
    /// Such a target that was not completely tested, so a missing finding proves nothing.
    untested: bool,
    /// A finding.
    finding: bool,
}

impl Gate {
    /// A gate that fails targets with findings of this severity, on this day (in UTC).
    pub fn new(threshold: Severity, allowances: Allowances, today: Date) -> Self {
        let met = vec![Met::default(); allowances.entries.len()];
        let (ignored, untested, baseline) = (Vec::new(), false, None);
        Self { threshold, allowances, met, ignored, untested, baseline, today }
    }

    /// The same gate, which ignores findings with these fingerprints.
    #[must_use]
    pub fn with_baseline(self, fingerprints: BTreeSet<String>) -> Self {
        Self { baseline: Some(fingerprints), ..self }
    }

    /// The same gate, with comments beside directives that allow findings.
    #[must_use]
    pub fn with_ignored(self, ignored: Vec<IgnoreComment>) -> Self {
        Self { ignored: ignored.into_iter().map(|one| (one, false)).collect(), ..self }
    }

    /// Sets the severity and excuse of findings, sorts the worst first, and updates the status of the target.
    pub fn apply(&mut self, report: &mut TargetReport) {
        let target = std::sync::Arc::clone(&report.target);
        let untested = !report.judgement.untested.is_empty();
        self.untested |= untested;
        for (allowance, met) in self.allowances.entries.iter().zip(&mut self.met) {
            if allowance.covers(&target) {
                met.target = true;
                met.untested |= untested;
            }
        }
        for finding in &mut report.judgement.findings {
            let mut severities = self.allowances.severities.iter().rev();
            let own = severities.find(|(named, _)| named.covers(finding.rule));
            finding.severity = own.map_or(finding.severity, |(_, severity)| *severity);
            self.excuse(finding, &target);
        }
        if report.is_untestable() {
            let mut stand_in = not_tested::RULE.finds("");
            self.excuse(&mut stand_in, &target);
            report.judgement.waiver = stand_in.excuse.filter(Excuse::is_explicit);
        }
        let plain = target.nginx.as_ref().and_then(|client| client.plain.as_ref());
        if untested && plain.is_some_and(|plain| plain.beside_tls) {
            report.judgement.waiver.get_or_insert(Excuse::NoTls);
        }
        report.judgement.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        report.settle(self.threshold);
    }

    fn excuse(&mut self, finding: &mut Finding, target: &Target) {
        let entries = self.allowances.entries.iter().zip(&mut self.met);
        for (allowance, met) in entries {
            if !allowance.rule.covers(finding.rule) || !allowance.covers(target) {
                continue;
            }
            met.finding = true;
            if allowance.until < self.today {
                finding.evidence.push(format!(
                    "allowed until {} ({}): {}",
                    allowance.until,
                    place(allowance),
                    allowance.reason
                ));
            } else {
                let (reason, until) = (allowance.reason.clone(), allowance.until);
                finding.excuse.get_or_insert(Excuse::Allowed { reason, until });
            }
        }
        for (ignored, met) in &mut self.ignored {
            if ignored.covers(finding, target) {
                *met = true;
                let reason = ignored.ignore.reason.clone();
                finding.excuse.get_or_insert(Excuse::Ignored { reason });
            }
        }
        let known = self.baseline.as_ref();
        if known.is_some_and(|known| known.contains(&finding.fingerprint(target))) {
            finding.excuse.get_or_insert(Excuse::Known);
        }
    }

    /// Notices about the allowances after every target, one per line.
    pub fn notices(&self) -> Vec<String> {
        let entries = self.allowances.entries.iter().zip(&self.met);
        let spare = self.ignored.iter().filter(|(_, met)| !met && !self.untested);
        let spare = spare.map(|(IgnoreComment { ignore, origin }, _)| {
            let rules: Vec<&str> = ignore.rules.iter().map(|named| named.id()).collect();
            let rules = rules.join(", ");
            format!(
                "{}:{}: {rules}: no longer found here; remove the comment",
                origin.file, origin.line
            )
        });
        let notices = entries.filter_map(|(allowance, met)| self.notice(allowance, *met));
        notices.chain(spare).collect()
    }

    fn notice(&self, allowance: &Allowance, met: Met) -> Option<String> {
        let Allowance { rule, target, until, .. } = allowance;
        let rule = rule.id();
        let said = match met {
            Met { target: false, .. } => format!("no target matches {target:?}"),
            Met { finding: false, untested: false, .. } => {
                format!("{rule} is no longer found at {target:?}; remove the entry")
            }
            _ if *until < self.today => {
                format!("the allowance of {rule} at {target:?} expired after {until}")
            }
            _ => return None,
        };
        Some(format!("{}: {said}", place(allowance)))
    }
}

fn place(allowance: &Allowance) -> String {
    format!("{}:{}", allowance.origin.file, allowance.origin.line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::macros::date;

    use super::*;
    use crate::audit::allowance;
    use crate::audit::ignore::in_text;
    use crate::audit::judge::Judgement;
    use crate::audit::registry::find;
    use crate::observation::{Observation, Untried};
    use crate::run::Status;
    use crate::targets::Origin;
    use crate::targets::options::Options;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn report(address: &str, rules: &[&str]) -> TargetReport {
        let target = Options::default().target(address.parse().unwrap(), None, None);
        let findings = rules.iter().map(|rule| find(rule).unwrap().finds("a message")).collect();
        let observation = Observation::not_tried(Untried::TextOnly);
        let judgement = Judgement { findings, ..Judgement::default() };
        TargetReport::new(Arc::new(target), observation, judgement, Severity::Error)
    }

    fn gate(text: &str) -> Gate {
        Gate::new(Severity::Error, allowance::read("p.toml", text).unwrap(), TODAY)
    }

    fn allowance(rule: &str, target: &str, until: &str) -> String {
        format!("[[allow]]\nrule='{rule}'\ntarget='{target}'\nreason='why'\nuntil={until}\n")
    }

    #[test]
    fn an_allowed_finding_does_not_fail_its_target_until_the_day_is_over() {
        for (until, status, notices) in [
            ("2026-06-15", Status::Pass, &[][..]),
            (
                "2026-06-14",
                Status::Fail,
                &["p.toml:1: the allowance of self-signed at \"*.test\" expired after 2026-06-14"],
            ),
        ] {
            let mut gate = gate(&allowance("self-signed", "*.test", until));
            let mut report = report("a.test", &["self-signed"]);
            gate.apply(&mut report);
            assert_eq!(report.status, status);
            assert_eq!(gate.notices(), notices);
        }
    }

    #[test]
    fn an_allowance_that_matches_nothing_is_reported() {
        let both = allowance("self-signed", "*.test", "2027-01-01")
            + &allowance("self-signed", "b.example", "2027-01-01");
        let mut gate = gate(&both);
        gate.apply(&mut report("a.test", &["weak-key"]));
        assert_eq!(
            gate.notices(),
            [
                "p.toml:1: self-signed is no longer found at \"*.test\"; remove the entry",
                "p.toml:6: no target matches \"b.example\"",
            ]
        );
    }

    #[test]
    fn of_a_target_that_could_not_be_tested_nothing_is_concluded() {
        let mut gate = gate(&allowance("self-signed", "*.test", "2027-01-01"));
        let mut untested = report("a.test", &[]);
        untested.judgement.untested.push(("connect-timeout", "timed out".to_owned()));
        gate.apply(&mut untested);
        assert_eq!(untested.status, Status::Untested);
        assert_eq!(gate.notices(), [""; 0]);
    }

    #[test]
    fn what_could_not_be_tested_stays_so_though_it_is_allowed() {
        let mut gate = gate(&allowance("connection-refused", "*", "2027-01-01"));
        let mut report = report("a.test", &["connection-refused"]);
        report.judgement.untested.push(("connection-refused", "refused".to_owned()));
        gate.apply(&mut report);
        assert_eq!(report.status, Status::Untested);
    }

    #[test]
    fn a_severity_of_the_file_replaces_the_rules_own_and_the_order() {
        let mut gate = gate("[severity]\nself-signed = 'note'\nsct-missing = 'error'");
        let mut report = report("a.test", &["self-signed", "sct-missing"]);
        gate.apply(&mut report);
        let findings = report.judgement.findings.iter().map(|f| (f.rule, f.severity));
        assert_eq!(
            findings.collect::<Vec<_>>(),
            [("sct-missing", Severity::Error), ("self-signed", Severity::Note)]
        );
        assert_eq!(report.status, Status::Fail);
    }

    #[test]
    fn the_name_of_a_group_applies_to_its_rules_and_a_rules_own_entry_takes_precedence() {
        let mut gate = gate(
            "[severity]\nannotation-ignored = 'error'\nconfiguration-ineffective = 'note'\n\
             [[allow]]\nrule='configuration-refused'\ntarget='*'\nreason='why'\nuntil=2027-01-01",
        );
        let rules = [
            "annotation-ignored",
            "verify-setting-unused",
            "directive-removed",
            "resolver-missing",
        ];
        let mut report = report("a.test", &rules);
        gate.apply(&mut report);
        let mut findings: Vec<_> = report.judgement.findings.iter().collect();
        findings.sort_by_key(|finding| rules.iter().position(|rule| *rule == finding.rule));
        let severities: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Note, Severity::Error, Severity::Note]);
        let excused: Vec<bool> = findings.iter().map(|finding| finding.excuse.is_some()).collect();
        assert_eq!(excused, [false, false, true, false]);
        assert_eq!(gate.notices(), [""; 0]);
    }

    #[test]
    fn a_comment_beside_the_directive_allows_what_is_found_there_and_nothing_else() {
        let text = "listen 443 ssl; # shakedown: ignore[self-signed] the lab has no authority\n\
            listen 8443 ssl; # shakedown: ignore[weak-key] old\n";
        let ignored = in_text("nginx.conf", text).0;
        let mut gate = gate("").with_ignored(ignored);
        let mut report = report("a.test", &["self-signed", "weak-key"]);
        let mut target = Target::clone(&report.target);
        target.origin = Some(Origin { file: "nginx.conf".to_owned(), line: 1, column: 1 });
        report.target = Arc::new(target);
        gate.apply(&mut report);
        let excused: Vec<bool> =
            report.judgement.findings.iter().map(|one| one.excuse.is_some()).collect();
        assert_eq!(excused, [true, false]);
        assert_eq!(
            gate.notices(),
            ["nginx.conf:2: weak-key: no longer found here; remove the comment"]
        );
    }

    #[test]
    fn only_what_the_baseline_does_not_hold_fails() {
        let mut old = report("a.test", &["self-signed"]);
        let known = old.judgement.findings[0].fingerprint(&old.target);
        let mut gate = gate("").with_baseline(BTreeSet::from([known]));
        gate.apply(&mut old);
        assert_eq!(old.status, Status::Pass);
        let mut new = report("a.test", &["self-signed", "weak-key"]);
        gate.apply(&mut new);
        assert_eq!(new.status, Status::Fail);
        assert_eq!(new.judgement.findings[1].excuse, None);
    }
}
