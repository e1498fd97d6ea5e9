//! `completions`: completion scripts for shells, generated from the arguments.

use std::io::{self, Write};

use clap::CommandFactory;

use super::args::{Args, CompletionsArgs};
use super::exit::Exit;

/// Runs the subcommand.
pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "shakedown", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Passed)
}
