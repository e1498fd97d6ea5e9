//! `serial-malformed`: a serial number that RFC 5280 does not allow.

use crate::audit::finding::{Section, Severity};
use crate::audit::reproduce::{leaf_of, with_own_name};
use crate::audit::rule::{Check, Context, ObservedChain, Rule, Verdict};
use crate::certificate::Certificate;

pub(crate) const RULE: Rule = Rule {
    id: "serial-malformed",
    severity: Severity::Note,
    section: Section::Certificate,
    summary: "the serial number is zero, negative or too long",
    why: "Serial numbers must be positive and have at most 20 octets. Most clients ignore this, some libraries \
          refuse the certificate, and it is difficult to revoke.",
    fix: "Correct the settings of the authority, and have the certificate issued again.",
    references: &["RFC 5280 section 4.1.2.2"],
    consequence_of: &[],
    check: Check::Leaf(check),
    #[cfg(test)]
    specimen: tests::specimen,
};

fn check(leaf: &Certificate, view: &ObservedChain<'_>, cx: &Context<'_>) -> Verdict {
    if !is_malformed(&leaf.serial) {
        return Verdict::Pass;
    }
    RULE.finds("the serial number is zero, negative or too long")
        .evidence(format!("serial number {}", leaf.serial))
        .evidence(view.describe(0))
        .reproduce(leaf_of(&with_own_name(cx.target, view.address()), "-serial"))
        .into()
}

/// The serial is the contents of a DER INTEGER in hexadecimal: a leading bit makes it negative, and 20 octets may have a
/// zero before them that keeps them positive.
fn is_malformed(serial: &str) -> bool {
    let zero = serial.bytes().all(|digit| digit == b'0');
    let negative = serial.bytes().next().is_some_and(|digit| digit >= b'8');
    let digits = serial.strip_prefix("00").unwrap_or(serial).len();
    zero || negative || digits > 40
}

#[cfg(test)]
mod tests {
    use super::is_malformed;
    use crate::audit::finding::Finding;
    use crate::audit::fixtures::Scene;

    pub(super) fn specimen() -> Vec<Finding> {
        let mut scene = Scene::new();
        scene.pretend(|leaf| leaf.serial = "00".to_owned());
        scene.judge().findings
    }

    #[test]
    fn serials_are_positive_and_bounded() {
        for serial in ["", "00", "ff", "80", &"7f".repeat(21)] {
            assert!(is_malformed(serial), "{serial}");
        }
        for serial in ["01", "7f", "00ff", &"7f".repeat(20), &format!("00{}", "ff".repeat(20))] {
            assert!(!is_malformed(serial), "{serial}");
        }
    }
}
