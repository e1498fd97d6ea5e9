//! Arguments that are only described to clap where their subcommand is used.

use std::ops::Deref;

use clap::builder::Resettable;
use clap::error::Error;
use clap::{ArgMatches, Args, Command, FromArgMatches, Id};

/// The arguments of a subcommand. clap is told of them when it comes to that subcommand: to describe those of all takes
/// longer than to read the command line. A command that is inspected otherwise needs [`Command::build`] first.
#[derive(Debug)]
pub(in crate::cli) struct Deferred<T>(Box<T>);

impl<T> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// The command with its arguments. Comments of the structs that these are in would replace its own.
fn described(command: Command, augment: fn(Command) -> Command) -> Command {
    let about = Resettable::from(command.get_about().cloned());
    let long_about = Resettable::from(command.get_long_about().cloned());
    augment(command).about(about).long_about(long_about)
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| described(command, T::augment_args_for_update))
    }

    fn group_id() -> Option<Id> {
        T::group_id()
    }
}

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(|args| Self(Box::new(args)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(|args| Self(Box::new(args)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches_mut(matches)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::cli::args::Args;

    use super::*;

    /// What the program answers to these words, with its colors.
    fn answer(program: &Command, words: &[&str]) -> String {
        match program.clone().try_get_matches_from(words) {
            Ok(_) => "understood".to_owned(),
            Err(error) => format!("{:?}\n{}", error.kind(), error.render().ansi()),
        }
    }

    #[track_caller]
    fn check_same(words: &[&str]) {
        let deferred = Args::command();
        let mut whole = Args::command();
        whole.build();
        let words = [&["shakedown"], words].concat();
        assert_eq!(answer(&deferred, &words), answer(&whole, &words), "{words:?}");
    }

    #[test]
    fn the_program_answers_as_if_all_arguments_were_described_at_once() {
        for words in [
            &[][..],
            &["-h"],
            &["--help"],
            &["--version"],
            &["help"],
            &["prob"],
            &["--nothing"],
            // An option of a subcommand, before it.
            &["--ca-file", "ca.pem", "probe"],
            &["--strattls", "probe"],
        ] {
            check_same(words);
        }
        for subcommand in Args::command().get_subcommands() {
            let name = subcommand.get_name();
            for words in [
                &[name][..],
                &[name, "-h"],
                &[name, "--help"],
                &["help", name],
                &[name, "--version"],
                &[name, "--nothing"],
                &[name, "--formt", "json"],
                &[name, "--format"],
                &[name, "--format", "jsn"],
                &[name, "--timeout=never", "a.test"],
                &[name, "a.test", "b.test", "c.test"],
                &[name, "--quiet", "--quiet", "a.test"],
            ] {
                check_same(words);
            }
        }
    }

    #[test]
    fn every_subcommand_has_its_arguments_once_it_is_built() {
        let mut program = Args::command();
        program.build();
        for subcommand in program.get_subcommands().filter(|one| one.get_name() != "help") {
            let own = subcommand.get_arguments().filter(|arg| arg.get_id() != "help");
            assert_ne!(own.count(), 0, "{}", subcommand.get_name());
        }
    }
}
