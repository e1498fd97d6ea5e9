//! A self-contained HTML file: no network, readable without scripts, and dark or light like the reader's system.
//!
//! Its content security policy only allows this program's own script, whatever text a peer sends.

mod details;
mod matrix;
mod timeline;

use std::borrow::Cow;
use std::io::{self, Write};

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::audit::rule::day;
use crate::report::escape::escape;
use crate::report::items::{Item, items};
use crate::report::{Report, ReportKind, Summary, words};
use crate::run::{Status, TargetReport};

const STYLE: &str = include_str!("style.css");
pub(in crate::report) const SCRIPT: &str = include_str!("script.js");

/// Writes the whole report.
pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let opening = html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        (head(&format!("TLS audit, {}", day(report.finished_at))))
        (PreEscaped("<body>"))
        (heading(report))
        (PreEscaped("<main>"))
        (filters(report))
        @if report.kind == ReportKind::Endpoints { (matrix::section(report)) }
        (timeline::section(report))
        (PreEscaped("<section id=\"details\"><h2>Findings</h2>"))
    };
    out.write_all(opening.into_string().as_bytes())?;
    for (index, target) in report.targets.iter().enumerate() {
        out.write_all(details::article(target, index).into_string().as_bytes())?;
    }
    let closing = html! {
        p.empty #nothing hidden { "No target matches." }
        (PreEscaped("</section></main>"))
        script { (PreEscaped(SCRIPT)) }
        (PreEscaped("</body></html>\n"))
    };
    out.write_all(closing.into_string().as_bytes())
}

/// The head of a page of this program.
pub(in crate::report) fn head(title: &str) -> Markup {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="generator" content=(concat!("shakedown ", env!("CARGO_PKG_VERSION")));
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// The source of a script or style in a policy (Content Security Policy level 3, section 2.3.1).
fn source(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(digest))
}

fn heading(report: &Report) -> Markup {
    let summary = report.summary();
    let Summary { passed, failed, untested, findings, excused, .. } = summary;
    let kinds = summary.kinds(report.kind).into_iter();
    let kinds = kinds.map(|(count, noun)| (format!("{noun}s"), count, ""));
    let results = [
        ("passed", passed, "pass"),
        ("failed", failed, "fail"),
        ("could not be tested", untested, "untested"),
        ("errors", findings.error, "error"),
        ("warnings", findings.warning, "warning"),
        ("notes", findings.note, "note"),
        ("excused", excused, ""),
    ];
    let results = results.map(|(label, count, class)| (label.to_owned(), count, class));
    let tiles = kinds.chain(results);
    let tiles = html! { @for (label, count, class) in tiles {
        div class=(if count > 0 { class } else { "" }) { dt { (label) } dd { (count) } }
    } };
    html! {
        header {
            h1 { "TLS audit" }
            p { "shakedown " (env!("CARGO_PKG_VERSION")) ", " (moment(report.finished_at)) }
            @if let Some(rehearsal) = &report.options.rehearsal {
                p { (rehearsal) }
            }
            @if report.interrupted {
                p.stopped { "The run was stopped before every target was tested." }
            }
            dl.tiles { (tiles) }
        }
    }
}

/// A table that scrolls horizontally on narrow screens.
pub(in crate::report) fn table(headings: &[(&str, &str)], rows: &Markup) -> Markup {
    let headings = html! { @for (class, heading) in headings { th.(class) { (heading) } } };
    html! {
        div.scroll { table { thead { tr { (headings) } } tbody { (rows) } } }
    }
}

/// The filters. Without scripts everything is shown, and the filters are hidden.
fn filters(report: &Report) -> Markup {
    let mut rules: Vec<&str> =
        report.targets.iter().flat_map(|target| items(target).map(Item::rule)).collect();
    rules.sort_unstable();
    rules.dedup();
    let statuses = [Status::Fail, Status::Untested, Status::Pass];
    let boxes = html! { @for status in statuses {
        label { input type="checkbox" name="status" value=(status.name()) checked; " " (words::status(status)) }
    } };
    let rules = html! { @for rule in rules { option { (rule) } } };
    html! {
        form #filters hidden {
            label { "Search " input type="search" name="text" placeholder="name, rule, text"; }
            fieldset { legend { "Result" } (boxes) }
            label { "Finding " select name="rule" { option value="" { "any or none" } (rules) } }
            output aria-live="polite" {}
        }
    }
}

/// The attributes of a target's row or section that the filters use.
fn marks(report: &TargetReport) -> (&'static str, String) {
    let mut rules: Vec<&str> = items(report).map(Item::rule).collect();
    rules.dedup();
    (report.status.name(), rules.join(" "))
}

/// Remote text, escaped; the markup adds its own escaping.
pub(in crate::report) fn safe(text: &str) -> Cow<'_, str> {
    escape(text)
}

fn moment(moment: OffsetDateTime) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    moment.format(&form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_style_nor_script_ends_its_own_element_or_names_another_site() {
        for text in [STYLE, SCRIPT] {
            assert!(!text.contains("</") && !text.contains("://") && !text.contains("url("));
        }
    }

    #[test]
    fn a_source_is_named_by_its_digest() {
        let empty = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(source(""), empty);
    }
}
