//! The baseline: fingerprints of findings that were accepted. Each has its rule and target for reviewers of the file,
//! but no dates, serial numbers or messages, so that the file changes only if a finding is new or fixed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::TargetReport;
use super::schema::{self, UnknownSchema};

/// The schema of the file.
const SCHEMA: &str = "shakedown/baseline/v1";

/// Why a file is not a baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It does not have the right form.
    #[error("not a baseline: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of another kind or a later version.
    #[error(transparent)]
    Schema(#[from] UnknownSchema),
}

#[derive(Serialize, Deserialize)]
struct BaselineDocument {
    schema: String,
    findings: BTreeSet<AcceptedFinding>,
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct AcceptedFinding {
    target: String,
    rule: String,
    fingerprint: String,
}

/// Findings to write to a baseline.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    findings: BTreeSet<AcceptedFinding>,
}

impl Baseline {
    /// Adds the findings of a target, except those that something could not be tested.
    pub fn add(&mut self, report: &TargetReport) {
        let findings = report.judgement.findings.iter().filter(|finding| !finding.could_not_test);
        self.findings.extend(findings.map(|finding| AcceptedFinding {
            target: report.target.name.clone(),
            rule: finding.rule.to_owned(),
            fingerprint: finding.fingerprint(&report.target),
        }));
    }

    /// The text of the file.
    ///
    /// # Panics
    ///
    /// Never: a baseline is plain data.
    pub fn text(self) -> String {
        let document = BaselineDocument { schema: SCHEMA.to_owned(), findings: self.findings };
        serde_json::to_string_pretty(&document).expect("a baseline is plain data") + "\n"
    }
}

/// The fingerprints in a baseline.
pub fn read(text: &str) -> Result<BTreeSet<String>, BaselineError> {
    let BaselineDocument { schema, findings } = serde_json::from_str(text)?;
    schema::check(&schema, SCHEMA)?;
    Ok(findings.into_iter().map(|known| known.fingerprint).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_baselines_are_refused() {
        let error = |text| read(text).unwrap_err().to_string();
        assert!(error("[]").starts_with("not a baseline"));
        assert!(error("{}").contains("missing field"));
        assert_eq!(
            error("{\"schema\":\"shakedown/report/v1\",\"findings\":[]}"),
            "unknown schema \"shakedown/report/v1\": expected \"shakedown/baseline/v1\""
        );
    }

    #[test]
    fn an_empty_baseline_is_read_back() {
        assert_eq!(read(&Baseline::default().text()).unwrap(), BTreeSet::new());
    }
}
