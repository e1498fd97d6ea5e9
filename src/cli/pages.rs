//! Completions and manual pages, made from the arguments themselves.

use std::io;

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Args, CompletionsArgs, ManArgs};
use super::exit::Exit;

/// `completions`: a script for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "shakedown", &mut script);
    io::Write::write_all(&mut io::stdout(), &script)?;
    Ok(Exit::Passed)
}

/// `man`: the manual page, or one for each subcommand.
pub(super) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    match &args.dir {
        Some(folder) => clap_mangen::generate_to(Args::command(), folder)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?,
        None => clap_mangen::Man::new(Args::command()).render(&mut io::stdout())?,
    }
    Ok(Exit::Passed)
}
