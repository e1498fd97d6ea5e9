//! The command line: arguments, settings, run, report, exit status.

pub mod args;
mod capture;
mod cert;
mod collector;
mod completions;
pub mod demo;
mod descriptors;
mod diff;
mod engine;
mod errors;
mod exit;
mod explain;
mod fleet;
mod gate;
mod input;
mod installed;
mod journal;
mod log;
mod man;
mod merge;
mod moment;
mod nginx;
mod probe;
mod progress;
mod replay;
mod report_writer;
mod saver;
mod scan;
mod serve;
mod settings;
mod stop;
mod targets;
mod tls_clock;
mod unpacked;
mod whole_file;

use std::ffi::OsString;
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

/// A panic prints its own message; its exit status, 101, is replaced by one of the contract.
fn guarded(program: impl FnOnce() -> ExitCode + UnwindSafe) -> ExitCode {
    panic::catch_unwind(program).unwrap_or_else(|_| Exit::Internal.into())
}

fn dispatch() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let plugin = args.is_plugin();
    match descriptors::check().and_then(|()| run(args)) {
        Ok(exit) => exit.into(),
        Err(error) if plugin => errors::unknown(&error).into(),
        Err(error) => errors::complain(&error).into(),
    }
}

fn run(args: Args) -> anyhow::Result<Exit> {
    stop::watch();
    match args.command {
        Command::Probe(args) => probe::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Nginx(args) => nginx::run(&args),
        Command::Cert(args) => cert::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Whether the arguments ask for a plugin, as far as invalid arguments show.
fn wants_plugin() -> bool {
    let words: Vec<_> = std::env::args_os().collect();
    let is = |word: &OsString, text: &str| word.as_os_str() == text;
    let pair = |pair: &[OsString]| is(&pair[0], "--format") && is(&pair[1], "nagios");
    words.windows(2).any(pair) || words.iter().any(|word| is(word, "--format=nagios"))
}

/// clap reports help and version as errors too; everything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && wants_plugin() {
        let text = error.to_string();
        let first =
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return errors::unknown(&anyhow::anyhow!(first)).into();
    }
    // A failure to print cannot be reported.
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
    fn a_fault_of_this_program_is_not_a_finding() {
        assert_eq!(guarded(|| panic!("on purpose")), ExitCode::from(4));
        assert_eq!(guarded(|| ExitCode::from(1)), ExitCode::from(1));
    }
}
