//! Merges the parts of a run into exactly the bytes that a single run would have written.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::Value;

use super::manifest::Manifest;
use crate::audit::finding::Severity;
use crate::report::formats::json;
use crate::report::{Summary, inert_json};
use crate::run::Status;

/// The most shards in one message.
const MAX_NAMED: usize = 20;

/// Why parts cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file has no manifest at the end.
    #[error(
        "{file} is not finished: it has no manifest at its end. Finish it with --resume {file}, or run the shard again"
    )]
    Unfinished {
        /// The file.
        file: String,
    },
    /// A line is not a target.
    #[error("{file}:{line}: not a target object: {error}")]
    Line {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// The reason.
        error: serde_json::Error,
    },
    /// Manifest and lines contradict each other.
    #[error("{file} is damaged: its manifest counts {announced} targets, it contains {held}")]
    Damaged {
        /// The file.
        file: String,
        /// The number of targets in the manifest.
        announced: usize,
        /// The number of lines.
        held: usize,
    },
    /// Two files are of different runs.
    #[error("{first} and {second} are parts of different runs: {what}")]
    Mixed {
        /// A file.
        first: String,
        /// Another.
        second: String,
        /// The difference.
        what: &'static str,
    },
    /// Two files contain the same shard.
    #[error("{first} and {second} are both shard {shard}")]
    Twice {
        /// A file.
        first: String,
        /// Another.
        second: String,
        /// The shard.
        shard: u32,
    },
    /// Shards are missing.
    #[error("missing: {}", named(missing, *absent, *count))]
    Missing {
        /// The first missing ones, from 1.
        missing: Vec<u32>,
        /// The number of missing shards.
        absent: u32,
        /// The number of all shards.
        count: u32,
    },
    /// The parts do not contain each target exactly once.
    #[error("the parts do not contain each of the {0} targets exactly once")]
    Uncovered(usize),
    /// No file was given.
    #[error("no files given")]
    Nothing,
}

fn named(missing: &[u32], absent: u32, count: u32) -> String {
    let shown: Vec<String> = missing.iter().map(|shard| format!("{shard}/{count}")).collect();
    let more = absent as usize - missing.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("shard {}{more}", shown.join(", "))
}

/// A finished part of a run.
#[derive(Debug)]
pub struct RunPart {
    file: String,
    manifest: Manifest,
    lines: Vec<Value>,
}

impl RunPart {
    /// Reads the text of a file.
    pub fn read(file: &str, text: &str) -> Result<Self, MergeError> {
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.split_last().and_then(|(last, rest)| Some((Manifest::parse(last)?, rest)));
        let Some((manifest, lines)) = last else {
            return Err(MergeError::Unfinished { file: file.to_owned() });
        };
        let (announced, held) = (manifest.positions.len(), lines.len());
        if announced != held {
            return Err(MergeError::Damaged { file: file.to_owned(), announced, held });
        }
        let value = |(index, line): (usize, &&str)| {
            let value: Result<Value, _> = serde_json::from_str(line);
            // A line that cannot be counted is not a target: ignoring it would turn a lost result into a pass.
            let target = value.and_then(|value| CountedTarget::deserialize(&value).map(|_| value));
            target.map_err(|error| MergeError::Line {
                file: file.to_owned(),
                line: index + 1,
                error,
            })
        };
        let lines = lines.iter().enumerate().map(value).collect::<Result<_, _>>()?;
        Ok(Self { file: file.to_owned(), manifest, lines })
    }
}

/// A complete run.
#[derive(Debug)]
pub struct Merged {
    /// The targets as in the parts, in input order.
    pub targets: Vec<Value>,
    /// When the first part started.
    pub started_at: Option<String>,
    /// When the last one ended.
    pub finished_at: Option<String>,
    /// Findings of this severity or above fail the run; or `never`.
    pub fail_on: String,
}

/// Merges the parts.
pub fn merge(mut parts: Vec<RunPart>) -> Result<Merged, MergeError> {
    parts.sort_by_key(|part| part.manifest.shard);
    let Some(first) = parts.first().map(|part| part.manifest.clone()) else {
        return Err(MergeError::Nothing);
    };
    agree(&parts)?;
    all_present(&parts, first.shards)?;
    let times = |of: fn(&Manifest) -> Option<&String>| -> Vec<String> {
        parts.iter().filter_map(|part| of(&part.manifest)).cloned().collect()
    };
    let started_at = times(|manifest| manifest.started_at.as_ref()).into_iter().min();
    let finished_at = times(|manifest| manifest.finished_at.as_ref()).into_iter().max();
    let held: usize = parts.iter().map(|part| part.lines.len()).sum();
    if held != first.targets {
        return Err(MergeError::Uncovered(first.targets));
    }
    let mut targets = vec![Value::Null; first.targets];
    for part in parts {
        for (position, line) in part.manifest.positions.into_iter().zip(part.lines) {
            match targets.get_mut(position) {
                Some(place) if place.is_null() => *place = line,
                _ => return Err(MergeError::Uncovered(first.targets)),
            }
        }
    }
    Ok(Merged { targets, started_at, finished_at, fail_on: first.fail_on })
}

/// Whether every shard is present; a manifest may contain any number of shards.
fn all_present(parts: &[RunPart], count: u32) -> Result<(), MergeError> {
    let present: BTreeSet<u32> = parts.iter().map(|part| part.manifest.shard).collect();
    let wanted = 1..=count;
    let known = present.iter().filter(|shard| wanted.contains(shard)).count();
    let absent = count - u32::try_from(known).unwrap_or(count);
    if absent == 0 {
        return Ok(());
    }
    let missing = wanted.filter(|shard| !present.contains(shard)).take(MAX_NAMED).collect();
    Err(MergeError::Missing { missing, absent, count })
}

/// Whether all parts, in the order of their shards, belong to one run, without duplicates.
fn agree(parts: &[RunPart]) -> Result<(), MergeError> {
    for pair in parts.windows(2) {
        let [one, other] = pair else { continue };
        let (first, second) = (one.file.clone(), other.file.clone());
        let (a, b) = (&one.manifest, &other.manifest);
        let what = if a.version != b.version {
            "their versions of this program differ"
        } else if a.shards != b.shards {
            "their numbers of shards differ"
        } else if (&a.run, a.targets) != (&b.run, b.targets) {
            "their targets or options differ"
        } else if a.shard == b.shard {
            return Err(MergeError::Twice { first, second, shard: a.shard });
        } else {
            continue;
        };
        return Err(MergeError::Mixed { first, second, what });
    }
    Ok(())
}

impl Merged {
    /// The counts of the run.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for target in
            self.targets.iter().filter_map(|target| CountedTarget::deserialize(target).ok())
        {
            target.count(&mut summary);
        }
        summary
    }

    /// Writes the whole run as one JSON document.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let times = (self.started_at.clone(), self.finished_at.clone());
        json::write_document(&self.targets, self.summary(), times, out)
    }

    /// Writes the targets, one per line, in input order.
    pub fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        for target in &self.targets {
            inert_json::write(target, out)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The fields of a target's line that are counted.
#[derive(Debug, Deserialize)]
pub struct CountedTarget {
    /// Identifies it across runs.
    pub id: String,
    status: Status,
    findings: Vec<CountedFinding>,
    #[serde(default)]
    untested: Vec<UntestedRule>,
}

#[derive(Debug, Deserialize)]
struct UntestedRule {
    rule: String,
    #[serde(default)]
    excuse: Option<CountedExcuse>,
}

#[derive(Debug, Deserialize)]
struct CountedFinding {
    #[serde(default)]
    rule: String,
    severity: Severity,
    excuse: Option<CountedExcuse>,
}

#[derive(Debug, Deserialize)]
struct CountedExcuse {
    kind: String,
}

impl CountedTarget {
    /// Whether the operator allows every reason why it was not tested.
    fn is_waived(&self) -> bool {
        let explicit = |excuse: &CountedExcuse| matches!(&*excuse.kind, "allowed" | "ignored");
        let allowed = |untested: &UntestedRule| {
            let waived = |excuse: &CountedExcuse| explicit(excuse) || excuse.kind == "no-tls";
            if untested.excuse.as_ref().is_some_and(waived) {
                return true;
            }
            let mut causes = self.findings.iter().filter(|finding| finding.rule == untested.rule);
            causes.any(|finding| finding.excuse.as_ref().is_some_and(explicit))
        };
        self.status == Status::Untested && self.untested.iter().all(allowed)
    }

    /// Adds the target to the counts of its run.
    pub fn count(&self, summary: &mut Summary) {
        let findings = self.findings.iter();
        summary.count(self.status, findings.map(|one| (one.severity, one.excuse.is_some())));
        summary.waived += usize::from(self.is_waived());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::saved::MANIFEST;

    fn manifest(shard: u32, positions: &[usize]) -> Manifest {
        Manifest {
            schema: MANIFEST.to_owned(),
            version: "1".to_owned(),
            run: "r".to_owned(),
            fail_on: "error".to_owned(),
            shard,
            shards: 2,
            targets: 3,
            positions: positions.to_vec(),
            started_at: Some(format!("2026-01-01T00:00:0{shard}Z")),
            finished_at: Some(format!("2026-01-01T00:01:0{shard}Z")),
        }
    }

    fn part(shard: u32, positions: &[usize], change: impl Fn(&mut Manifest)) -> RunPart {
        let mut manifest = manifest(shard, positions);
        change(&mut manifest);
        let lines = positions.iter().map(|position| {
            format!("{{\"id\":\"{position}\",\"status\":\"pass\",\"findings\":[]}}\n")
        });
        let text = lines.collect::<String>() + &serde_json::to_string(&manifest).unwrap() + "\n";
        RunPart::read(&format!("{shard}.ndjson"), &text).unwrap()
    }

    #[track_caller]
    fn check_error(parts: Vec<RunPart>, words: &str) {
        let error = merge(parts).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn lines_come_back_in_input_order_whatever_the_order_of_the_parts() {
        let merged = merge(vec![part(2, &[1], |_| {}), part(1, &[2, 0], |_| {})]).unwrap();
        let ids: Vec<&str> = merged.targets.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["0", "1", "2"]);
        assert_eq!(merged.summary().passed, 3);
        assert_eq!(merged.started_at.as_deref(), Some("2026-01-01T00:00:01Z"));
        assert_eq!(merged.finished_at.as_deref(), Some("2026-01-01T00:01:02Z"));
    }

    #[test]
    fn parts_that_do_not_make_a_run_are_refused() {
        let good = || part(1, &[2, 0], |_| {});
        check_error(vec![], "no files given");
        check_error(vec![good()], "missing: shard 2/2");
        let endless = |shard| part(shard, &[0], |it| it.shards = u32::MAX);
        check_error(vec![endless(2)], "missing: shard 1/4294967295, 3/4294967295, ");
        check_error(vec![endless(2)], " 21/4294967295 and 4294967274 more");
        check_error(vec![good(), good()], "are both shard 1");
        check_error(vec![good(), part(2, &[0], |_| {})], "each of the 3 targets exactly once");
        check_error(vec![good(), part(2, &[9], |_| {})], "each of the 3 targets exactly once");
        check_error(vec![good(), part(2, &[], |_| {})], "each of the 3 targets exactly once");
        let other = |change: fn(&mut Manifest)| vec![good(), part(2, &[1], change)];
        check_error(other(|it| it.run = "s".to_owned()), "their targets or options differ");
        check_error(other(|it| it.version = "2".to_owned()), "versions of this program differ");
        check_error(other(|it| it.shards = 3), "their numbers of shards differ");
    }

    #[test]
    fn a_truncated_file_is_reported() {
        let error = |text: &str| RunPart::read("x", text).unwrap_err().to_string();
        assert!(error("").contains("--resume x"));
        assert!(error("{\"id\":\"a\"}\n").contains("x is not finished"));
        let manifest = serde_json::to_string(&manifest(1, &[0])).unwrap();
        assert!(error(&manifest).contains("its manifest counts 1 targets, it contains 0"));
        assert!(error(&format!("{{\n{manifest}")).contains("x:1: not a target"));
    }
}
