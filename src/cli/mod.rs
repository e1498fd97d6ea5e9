//! The command line: what was typed, then what it means, then the run, the report and the exit status.

pub mod args;
mod cert;
pub mod demo;
mod exit;
mod explain;
mod output;
mod pages;
mod probe;
mod progress;
mod settings;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::args::{Args, Command};
use self::exit::Exit;

/// Runs the program.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let outcome = match args.command {
        Command::Probe(args) => probe::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => pages::completions(&args),
        Command::Man(args) => pages::man(&args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => complain(&error),
    }
}

/// Help and version are asked for; everything else that clap says is a mistake in what was typed.
fn usage(error: &clap::Error) -> ExitCode {
    // There is nowhere left to report a failure to print.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Passed.into(),
        _ => Exit::Usage.into(),
    }
}

/// An error before or after the probing. A reader that went away, as `head` does, is no error.
fn complain(error: &anyhow::Error) -> ExitCode {
    let io_error = error.downcast_ref::<io::Error>();
    if io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Passed.into();
    }
    // There is nowhere left to report a failure to print.
    let _ = writeln!(anstream::stderr(), "shakedown: error: {error:#}");
    if io_error.is_some() { Exit::Internal.into() } else { Exit::Usage.into() }
}
