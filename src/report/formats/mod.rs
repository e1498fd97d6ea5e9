//! One file for each format.

mod csv;
pub mod github;
mod gitlab;
pub(in crate::report) mod html;
pub mod json;
mod junit;
mod markdown;
pub mod nagios;
pub mod ndjson;
pub mod prometheus;
mod sarif;
mod table;

use std::io::{self, Write};

use super::{Format, Look, Report};

impl Report {
    /// Writes the report in one format.
    pub fn render(&self, format: Format, look: Look, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::render(self, look, out),
            Format::Json => json::render(self, out),
            Format::Ndjson => ndjson::render(self, out),
            Format::Sarif => sarif::render(self, out),
            Format::Junit => junit::render(self, out),
            Format::Github => github::render(self, out),
            Format::Gitlab => gitlab::render(self, out),
            Format::Markdown => markdown::render(self, out),
            Format::Csv => csv::render(self, out),
            Format::Prometheus => prometheus::render(self, out),
            Format::Nagios => nagios::render(self, out),
            Format::Html => html::render(self, out),
        }
    }
}
