//! `completions`: completion scripts for shells, generated from the arguments, with the names that an argument may have as
//! its value: of rules, alerts, clients and formats.

use std::io::{self, Write};
use std::sync::LazyLock;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::args::{Args, CompletionsArgs};
use super::exit::Exit;
use crate::audit::registry::RULES;
use crate::audit::rule::RuleGroup;
use crate::report::Format;
use crate::tls::alert::AlertDescription;
use crate::tls::profile;

/// Runs the subcommand.
pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    io::stdout().write_all(script(args.shell).as_bytes())?;
    Ok(Exit::Passed)
}

/// The script of a shell.
fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    let mut command = Args::command();
    command.build();
    let mut command = command.mut_subcommands(|command| named(&command));
    clap_complete::generate(shell, &mut command, "shakedown", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if let Some((anchor, lines)) = lists(shell) {
        script = script.replacen(anchor, &format!("{anchor}{lines}"), 1);
    }
    or_files(shell, script)
}

/// The script with files beside the formats of `--output`, which the generator takes for all of its values.
fn or_files(shell: Shell, script: String) -> String {
    let formats = FORMATS.join(" ");
    match shell {
        Shell::Bash => {
            let only = format!("($(compgen -W \"{formats}\" -- \"${{cur}}\"))");
            let both = format!(
                "($(compgen -f -W \"{formats}\" -- \"${{cur}}\"))\n                    \
                 [[ \"${{COMPREPLY[*]}}\" == *= ]] && compopt -o nospace 2>/dev/null"
            );
            script.replace(&only, &both)
        }
        Shell::Zsh => {
            let names = formats.replace('=', "");
            let pattern = names.replace(' ', "|");
            let both = format!(
                "{{ if compset -P \"({pattern})=\"; then _files; else compadd -S = {names}; _files; fi }}"
            );
            script.replace(&format!(":({formats})"), &format!(":{both}"))
        }
        Shell::Fish => {
            let lines = script.lines().map(|line| {
                let is_output = line.contains(" -l output ") && line.contains(FORMATS[0].as_str());
                let line = if is_output {
                    line.replacen(" -r -f ", " -r -F ", 1)
                } else {
                    line.to_owned()
                };
                line + "\n"
            });
            lines.collect()
        }
        _ => script,
    }
}

/// A subcommand whose arguments know the names that they take. Only completions use them: an argument may also have other
/// values, and its help names them in its own words.
fn named(command: &Command) -> Command {
    let takes_rules = command.get_name() == "explain";
    command.clone().mut_args(|arg| match arg.get_id().as_str() {
        "subject" if takes_rules => with(arg, rules().chain(alerts())),
        "severity" => with(arg, SEVERITIES.iter().map(|text| PossibleValue::new(&**text))),
        "clients" => with(arg, clients()),
        "output" if takes_format(&arg) => {
            with(arg, FORMATS.iter().map(|text| PossibleValue::new(&**text)))
        }
        "proxy_ssl_server_name" | "proxy_ssl_verify" | "proxy_ssl_session_reuse" => {
            with(arg, ["on", "off"].into_iter().map(PossibleValue::new))
        }
        _ => arg,
    })
}

/// Whether the argument is `[FORMAT=]FILE`.
fn takes_format(arg: &Arg) -> bool {
    let names = arg.get_value_names().into_iter().flatten();
    names.into_iter().any(|name| name.starts_with("[FORMAT=]"))
}

/// `FORMAT=` for every format.
static FORMATS: LazyLock<Vec<String>> = LazyLock::new(|| {
    Format::value_variants().iter().map(|format| format!("{}=", format.name())).collect()
});

fn with(arg: Arg, values: impl Iterator<Item = PossibleValue>) -> Arg {
    arg.value_parser(PossibleValuesParser::new(values))
}

fn rules() -> impl Iterator<Item = PossibleValue> {
    RULES.iter().map(|rule| PossibleValue::new(rule.id).help(rule.summary))
}

fn alerts() -> impl Iterator<Item = PossibleValue> {
    let names = AlertDescription::all().filter_map(AlertDescription::name);
    names.map(|name| PossibleValue::new(name).help("an alert"))
}

/// `RULE=SEVERITY` for every rule and group.
static SEVERITIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let groups = RuleGroup::ALL.into_iter().map(RuleGroup::id);
    let rules = RULES.iter().map(|rule| rule.id).chain(groups);
    rules.flat_map(|id| LEVELS.map(|level| format!("{id}={level}"))).collect()
});

const LEVELS: [&str; 3] = ["error", "warning", "note"];

/// Everything that selects clients.
fn clients() -> impl Iterator<Item = PossibleValue> {
    let families = profile::families().map(|name| PossibleValue::new(name).help("a family"));
    let all = profile::all().iter();
    let clients = all.map(|one| PossibleValue::new(&*one.name).help(&*one.title));
    ["all", "modern"].map(PossibleValue::new).into_iter().chain(families).chain(clients)
}

/// Lines for values that have parts, and the line of the script that they follow: clients in a list, and in bash the
/// severity of a rule, because bash splits words at `=`.
fn lists(shell: Shell) -> Option<(&'static str, &'static str)> {
    match shell {
        Shell::Bash => Some(("    prev=\"$3\"\n", BASH)),
        Shell::Zsh => Some(("_shakedown() {\n", ZSH)),
        _ => None,
    }
}

const ZSH: &str = "    [[ ${words[CURRENT-1]} == --clients ]] && compset -P '*,'\n";

const BASH: &str = r#"    if [[ "${prev}" == "--clients" && "${cur}" == *,* && -z "$4" ]]; then
        _shakedown "$1" "${cur##*,}" "${prev}" part
        COMPREPLY=("${COMPREPLY[@]/#/${cur%,*},}")
        return 0
    fi
    if [[ "${prev}" == "=" && "${COMP_WORDS[COMP_CWORD-3]}" == "--severity" ]] ||
        [[ "${COMP_WORDS[COMP_CWORD]}" == "=" && "${COMP_WORDS[COMP_CWORD-2]}" == "--severity" ]]; then
        COMPREPLY=($(compgen -W "error warning note" -- "${cur#=}"))
        return 0
    fi
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_for_lists_have_their_place() {
        for shell in [Shell::Bash, Shell::Zsh] {
            let (anchor, lines) = lists(shell).unwrap();
            assert!(script(shell).contains(&format!("{anchor}{lines}")), "{shell}");
        }
    }

    #[test]
    fn an_output_is_a_file_or_a_format_and_a_file() {
        for (shell, mark) in [
            (Shell::Bash, "compgen -f -W \"table= "),
            (Shell::Zsh, ":{ if compset -P \"(table|"),
            (Shell::Fish, "(repeatable)' -r -F -a \"table="),
        ] {
            let script = script(shell);
            let places = script.matches(mark).count();
            assert!(places >= 4, "{shell}: {places}: {script}");
        }
    }
}
