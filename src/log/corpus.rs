//! Tests the classifier with lines that people posted, each with the cause that was found eventually.

use serde::Deserialize;

use super::classify::classify;
use super::direction::Direction;
use super::intake::Intake;
use super::line;
use super::program::ProgramRole;

#[derive(Debug, Deserialize)]
struct CorpusLine {
    line: String,
    direction: String,
    label: String,
    software: String,
}

fn cases() -> Vec<CorpusLine> {
    let text = include_str!("../../testdata/logs/error-lines.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn causes(case: &CorpusLine) -> (Direction, Vec<&'static str>) {
    let line = line::parse(case.line.as_bytes());
    let diagnosis = classify(&line);
    (diagnosis.direction, diagnosis.causes().iter().map(|(cause, _)| cause.id).collect())
}

#[test]
fn the_direction_is_right_on_every_line_of_nginx() {
    for case in cases().iter().filter(|case| case.software == "nginx") {
        assert_eq!(causes(case).0.name(), case.direction, "{}", case.line);
    }
}

#[test]
fn the_cause_is_among_the_first_three_and_mostly_the_first() {
    let cases = cases();
    let mut first = 0;
    let mut missed = Vec::new();
    for case in &cases {
        let (_, causes) = causes(case);
        if causes.first() == Some(&&*case.label) {
            first += 1;
        }
        if !causes.iter().take(3).any(|id| *id == case.label) {
            missed.push(format!("{} is not in {causes:?}: {}", case.label, case.line));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(first * 10 >= cases.len() * 9, "{first} of {}", cases.len());
}

#[test]
fn what_programs_print_is_about_their_own_connections() {
    let mut wrong = Vec::new();
    for row in crate::openssl::rows(include_str!("../../testdata/logs/programs.tsv")) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [text, role, side, class, cause] = cells[..] else { panic!("{row}") };
        let line = line::parse(text.as_bytes());
        let diagnosis = classify(&line);
        let found_role = match diagnosis.program.map(|program| program.role) {
            None => "nginx",
            Some(ProgramRole::Client) => "client",
            Some(ProgramRole::Server) => "server",
            Some(ProgramRole::Proxy) => "proxy",
        };
        let first = diagnosis.causes().first().map(|(cause, _)| cause.id);
        let found = (found_role, diagnosis.direction.name(), diagnosis.class(), first);
        if found != (role, side, Some(class), Some(cause)) {
            wrong.push(format!("{found:?} {text}"));
        }
        let mut intake = Intake::default();
        if intake.line(text.as_bytes()).is_none()
            && !text.starts_with("SSL_")
            && !text.starts_with('[')
        {
            wrong.push(format!("not counted: {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
