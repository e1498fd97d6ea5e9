//! `man`: the manual page, or one for each subcommand, generated from the arguments.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Args, ManArgs};
use super::exit::Exit;

/// Runs the subcommand.
pub(super) fn run(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    match &args.dir {
        Some(folder) => write_all(&command, folder)
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?,
        None => io::stdout().write_all(page(&command)?.1.as_bytes())?,
    }
    Ok(Exit::Passed)
}

fn write_all(command: &clap::Command, folder: &Path) -> anyhow::Result<()> {
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let (name, text) = page(command)?;
        // A failure here is a usage error, because the folder is an argument.
        std::fs::write(folder.join(name), text).map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(())
}

/// A page's file name and its text.
fn page(command: &clap::Command) -> anyhow::Result<(String, String)> {
    let man = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((man.get_filename(), with_sections(&String::from_utf8(text)?)))
}

/// Lines under "Examples:" and similar are kept as they are, each group with its own heading.
fn with_sections(text: &str) -> String {
    let mut page = String::new();
    let mut is_extra = false;
    for line in text.lines() {
        if line == ".SH EXTRA" {
            is_extra = true;
        } else if is_extra && line.starts_with(".SH") {
            page.extend([".fi\n", line, "\n"]);
            is_extra = false;
        } else if let Some(heading) = line.strip_suffix(':').filter(|_| is_extra) {
            page.extend([".fi\n.SH ", &heading.to_uppercase(), "\n.nf\n"]);
        } else {
            page.extend([line, "\n"]);
        }
    }
    page + if is_extra { ".fi\n" } else { "" }
}
