//! The command line: what was typed, then what it means, then the run, the report and the exit status.

pub mod args;
mod cert;
pub mod demo;
mod destination;
mod diff;
mod exit;
mod explain;
mod gate;
mod input;
mod journal;
mod log;
mod merge;
mod mistake;
mod nginx;
mod output;
mod outputs;
mod pages;
mod portion;
mod probe;
mod progress;
mod scan;
mod serve;
mod settings;

use std::panic::{self, UnwindSafe};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::args::{Args, Command};
use self::exit::Exit;

/// Runs the program.
pub fn main() -> ExitCode {
    guarded(dispatch)
}

/// A panic has told its story on stderr; its own exit status, 101, is none of the contract's.
fn guarded(program: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    panic::catch_unwind(program).unwrap_or_else(|_| Exit::Internal.into())
}

fn dispatch() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let plugin = args.is_plugin();
    let outcome = match args.command {
        Command::Probe(args) => probe::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Nginx(args) => nginx::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => pages::completions(&args),
        Command::Man(args) => pages::man(&args),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) if plugin => mistake::unknown(&error).into(),
        Err(error) => mistake::complain(&error).into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_this_program_is_no_finding() {
        assert_eq!(guarded(|| panic!("on purpose")), ExitCode::from(4));
        assert_eq!(guarded(|| ExitCode::from(1)), ExitCode::from(1));
    }
}
