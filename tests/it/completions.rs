//! The completion scripts, run by the shells.

use std::process::{Command, Stdio};

use crate::support::program::shakedown;

/// What bash offers for the last of these words.
fn bash(words: &[&str]) -> Vec<String> {
    let last = words.last().unwrap();
    // bash splits words at `=`, and a lone `=` is completed as nothing.
    let current = if *last == "=" { "" } else { last };
    let before = words[words.len() - 2];
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let lines = format!(
        "COMP_WORDS=({}); COMP_CWORD={}\n_shakedown shakedown '{current}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completion.bash");
    std::fs::write(&file, shakedown(&["completions", "bash"]).stdout + &lines).unwrap();
    run(Command::new("bash").arg("--norc").arg(&file))
}

/// zsh with a terminal of its own; completion prints what it would add, and then a mark.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty inner zsh -f -i
wait_for() { local all line; while zpty -r inner line; do all+=$line; [[ $all == *$1* ]] && break; done; print -r -- "$all"; }
zpty -w inner "PS1=; unsetopt zle_bracketed_paste; source $2; print re''ady"
wait_for ready >/dev/null
zpty -w -n inner "$1"$'\t'
wait_for '<end>'
zpty -d inner
"#;

const INNER: &str = r#"
autoload -Uz compinit && compinit -u -D
stty rows 500 cols 200
source FOLDER/_shakedown
compdef _shakedown shakedown
bindkey '^I' complete-word
finish() { print -r -- '<end>'; }
comppostfuncs=(finish)
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    typeset -a hits
    builtin compadd -A hits "$@"
    for hit in $hits; do print -r -- "<$hit>"; done
    return 1
}
"#;

/// What zsh offers for the end of this line.
fn zsh(line: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    std::fs::write(folder.path().join("_shakedown"), shakedown(&["completions", "zsh"]).stdout)
        .unwrap();
    let inner = folder.path().join("inner.zsh");
    std::fs::write(&inner, INNER.replace("FOLDER", &path)).unwrap();
    let mut command = Command::new("zsh");
    command.args(["-f", "-c", ZSH, "outer", line]).arg(&inner);
    let output = run(command.env("TERM", "dumb")).join("\n");
    let hits = output.split('<').skip(1).filter_map(|hit| Some(hit.split_once('>')?.0.to_owned()));
    hits.filter(|hit| hit != "end").collect()
}

fn run(command: &mut Command) -> Vec<String> {
    let output = command.stdin(Stdio::null()).output().expect("bash and zsh are needed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(ToOwned::to_owned).collect()
}

#[track_caller]
fn offers(found: &[String], expected: &[&str]) {
    for value in expected {
        assert!(found.iter().any(|one| one == value), "{value} is not in {found:?}");
    }
}

#[test]
fn bash_completes_names() {
    offers(
        &bash(&["shakedown", "explain", "certificate-exp"]),
        &["certificate-expired", "certificate-expiring"],
    );
    offers(&bash(&["shakedown", "explain", "unrec"]), &["unrecognized_name"]);
    offers(
        &bash(&["shakedown", "probe", "--severity", "weak-k"]),
        &["weak-key=error", "weak-key=note"],
    );
    assert_eq!(
        bash(&["shakedown", "probe", "--severity", "weak-key", "="]),
        ["error", "warning", "note"]
    );
    assert_eq!(bash(&["shakedown", "probe", "--severity", "weak-key", "=", "w"]), ["warning"]);
    offers(&bash(&["shakedown", "scan", "--clients", "ja"]), &["java", "java-8"]);
    assert_eq!(bash(&["shakedown", "scan", "--clients", "all,mod"]), ["all,modern"]);
    assert_eq!(bash(&["shakedown", "probe", "--format", "nd"]), ["ndjson"]);
    assert_eq!(bash(&["shakedown", "probe", "--output", "sar"]), ["sarif="]);
    offers(&bash(&["shakedown", "probe", "--output", "/etc/host"]), &["/etc/hosts"]);
    assert_eq!(bash(&["shakedown", "log", "--output", "sarif"]), [""]);
    assert_eq!(bash(&["shakedown", "probe", "--proxy-ssl-verify", "of"]), ["off"]);
}

#[test]
fn zsh_completes_names() {
    let found = zsh("shakedown explain certificate-exp");
    assert_eq!(found, ["certificate-expired", "certificate-expiring"]);
    offers(&zsh("shakedown probe --severity weak-key="), &["weak-key=error", "weak-key=warning"]);
    offers(&zsh("shakedown scan --clients ja"), &["java", "java-8"]);
    offers(&zsh("shakedown scan --clients all,mod"), &["modern"]);
    offers(&zsh("shakedown probe --format nd"), &["ndjson"]);
    offers(&zsh("shakedown probe --output sar"), &["sarif"]);
    offers(&zsh("shakedown probe --output /etc/host"), &["hosts"]);
    offers(&zsh("shakedown probe --output sarif=/etc/host"), &["hosts"]);
}
