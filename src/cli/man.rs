//! `man`: the manual page, or one for each subcommand, made from the arguments themselves.

use std::io;

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Args, ManArgs};
use super::exit::Exit;

/// Runs the subcommand.
pub(super) fn run(args: &ManArgs) -> anyhow::Result<Exit> {
    match &args.dir {
        Some(folder) => clap_mangen::generate_to(Args::command(), folder)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?,
        None => clap_mangen::Man::new(Args::command()).render(&mut io::stdout())?,
    }
    Ok(Exit::Passed)
}
