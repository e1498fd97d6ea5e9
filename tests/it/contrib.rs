//! What is shipped with the program: manifests, units, alerts, the dashboard, the action. Each is parsed by its own
//! tool, and the program accepts every command line in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use serde::Deserialize;
use serde_yaml_ng::Value;
use shakedown::cli::args::Args;
use shakedown::report::{Format, Look};

use crate::support::pki::Pki;
use crate::support::sample;
use crate::support::server::says;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

/// Checks that the program accepts this command line.
#[track_caller]
pub(crate) fn check_command(words: &[String]) {
    let words = std::iter::once("shakedown").chain(words.iter().map(String::as_str));
    if let Err(error) = Args::command().try_get_matches_from(words) {
        panic!("{error}");
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_kubernetes_jobs_use_valid_options() {
    let mut called = 0;
    for file in ["cronjob", "indexed-job"] {
        for document in documents(&format!("contrib/kubernetes/{file}.yaml")) {
            assert!(document["apiVersion"].is_string() && document["metadata"]["name"].is_string());
            let job = &document["spec"]["jobTemplate"]["spec"];
            let job = if job.is_null() { &document["spec"] } else { job };
            let pod = &job["template"]["spec"];
            for container in pod["containers"].as_sequence().into_iter().flatten() {
                let args = container["args"].as_sequence().unwrap().iter();
                let args =
                    args.map(|word| word.as_str().unwrap().replace("$(JOB_COMPLETION_INDEX)", "7"));
                check_command(&args.collect::<Vec<_>>());
                assert_eq!(
                    container["securityContext"]["readOnlyRootFilesystem"],
                    Value::Bool(true)
                );
                assert_eq!(pod["securityContext"]["runAsNonRoot"], Value::Bool(true));
                called += 1;
            }
        }
    }
    assert_eq!(called, 2);
}

#[test]
fn the_targets_of_the_config_map_are_targets() {
    let config = documents("contrib/kubernetes/cronjob.yaml").remove(0);
    let text = config["data"]["targets.toml"].as_str().unwrap();
    let (entries, problems) = shakedown::targets::toml::read("targets.toml", Path::new(""), text);
    assert_eq!((entries.len(), problems), (2, Vec::new()));
}

#[test]
fn the_systemd_units_use_valid_options() {
    let folder = Path::new(ROOT).join("contrib/systemd");
    let mut called = 0;
    for unit in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(unit.unwrap().path()).unwrap().replace("\\\n", " ");
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            let line = words(line);
            // systemd looks for it in /usr/local/bin and /usr/bin.
            assert_eq!(line[0], "shakedown");
            check_command(&line[1..]);
            called += 1;
        }
    }
    assert!(called > 0);
}

#[test]
fn the_hook_uses_valid_options() {
    for hook in documents(".pre-commit-hooks.yaml").remove(0).as_sequence().unwrap() {
        for key in ["id", "name", "entry", "language", "files"] {
            assert!(hook[key].is_string(), "{key}");
        }
        let entry = words(hook["entry"].as_str().unwrap());
        assert_eq!(entry[0], "shakedown");
        let named = match &hook["pass_filenames"] {
            Value::Bool(false) => arguments(hook),
            _ => vec!["a.pem".to_owned()],
        };
        check_command(&[&entry[1..], &named].concat());
    }
}

fn arguments(hook: &Value) -> Vec<String> {
    let all = hook["args"].as_sequence().unwrap().iter();
    all.map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A folder with a configuration of these settings, `site/nginx.conf`, and the same with others, `main/nginx.conf`.
fn two_configurations(pki: &Pki, new: &str, old: &str) {
    let files = pki.server("a", &["www.test"]);
    for (folder, settings) in [("site", new), ("main", old)] {
        let path = pki.path(folder);
        fs::create_dir_all(&path).unwrap();
        let server = format!(
            "  server {{\n    listen 443 ssl;\n    server_name www.test;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    {settings}\n  }}",
            files.certificate.display(),
            files.key.display()
        );
        let text = format!("events {{}}\nhttp {{\n  access_log off;\n{server}\n}}\n");
        fs::write(path.join("nginx.conf"), text).unwrap();
    }
}

/// Runs a script of this repository with these variables in the folder of the configurations.
fn run(pki: &Pki, script: Command, variables: &[(&str, &str)]) -> (i32, String) {
    run_in(pki.folder.path(), pki, script, variables)
}

fn run_in(
    folder: &Path,
    pki: &Pki,
    mut script: Command,
    variables: &[(&str, &str)],
) -> (i32, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_shakedown")).parent().unwrap();
    let output = script
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("SSL_CERT_FILE", pki.ca_file())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().unwrap(), said.concat())
}

#[test]
fn the_hooks_for_configurations_pass_a_sound_one_and_fail_a_broken_one() {
    let pki = Pki::rsa();
    two_configurations(&pki, "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_ciphers nonsense;");
    let hooks = documents(".pre-commit-hooks.yaml").remove(0);
    let of_nginx = |hook: &&Value| hook["pass_filenames"] == Value::Bool(false);
    let hooks = hooks.as_sequence().unwrap().iter().filter(of_nginx);
    for hook in hooks.clone() {
        let entry = words(hook["entry"].as_str().unwrap());
        for (folder, status) in [("site", 0), ("main", 1)] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_shakedown"));
            command.args(&entry[1..]);
            command.args(arguments(hook).iter().map(|file| format!("{folder}/{file}")));
            let (found, said) = run(&pki, command, &[]);
            assert_eq!(found, status, "{entry:?} {folder}: {said}");
        }
    }
    assert_eq!(hooks.count(), 2);
}

/// Runs git or pre-commit in a folder, with settings of its own.
fn versioned(folder: &Path, pki: &Pki, program: &str, args: &[&str]) -> (i32, String) {
    let mut command = Command::new(program);
    command.args(args);
    let own = folder.display().to_string();
    let built = Path::new(env!("CARGO_BIN_EXE_shakedown")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", built.display());
    let home = pki.path("home").display().to_string();
    let variables = [
        ("PATH", &*path),
        ("HOME", &home),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ("GIT_CEILING_DIRECTORIES", &own),
    ];
    run_in(folder, pki, command, &variables)
}

#[test]
fn pre_commit_runs_the_hooks_on_the_files_that_they_are_for() {
    let pki = Pki::rsa();
    let (project, hooks) = (pki.path("project"), pki.path("hooks"));
    for folder in [&project, &hooks, &pki.path("home")] {
        fs::create_dir_all(folder).unwrap();
    }
    let git = |folder: &Path, args: &[&str]| {
        let (status, said) = versioned(folder, &pki, "git", args);
        assert_eq!(status, 0, "{args:?}: {said}");
        said.trim().to_owned()
    };
    // The built program is used; pre-commit would build it again.
    let system = read(".pre-commit-hooks.yaml").replace("language: rust", "language: system");
    fs::write(hooks.join(".pre-commit-hooks.yaml"), system).unwrap();
    for folder in [&project, &hooks] {
        git(folder, &["init", "-q"]);
        git(folder, &["add", "-A"]);
        git(folder, &["commit", "-q", "--allow-empty", "-m", "a"]);
    }
    let revision = git(&hooks, &["rev-parse", "HEAD"]);
    let configured = |main: &str| {
        let text = format!(
            "repos:\n- repo: {}\n  rev: {revision}\n  hooks:\n  - id: shakedown-cert\n  - id: shakedown-nginx\n    args: [{main}/nginx.conf]\n  - id: shakedown-rehearse\n    args: [{main}/nginx.conf]\n",
            hooks.display()
        );
        fs::write(project.join(".pre-commit-config.yaml"), text).unwrap();
    };
    let checked = || {
        git(&project, &["add", "-A"]);
        let (status, said) = versioned(&project, &pki, "pre-commit", &["run", "--color=never"]);
        // The name of each hook, and what became of it.
        let lines = said.lines().filter_map(|line| line.split_once("...."));
        let results: Vec<_> =
            lines.map(|(_, end)| end.trim_start_matches('.').to_owned()).collect();
        (status, results, said)
    };
    configured("site");
    fs::write(project.join("README"), "a").unwrap();
    let (status, results, said) = checked();
    let skipped = "(no files to check)Skipped";
    assert_eq!(
        (status, &results[..]),
        (0, &[skipped.to_owned(), skipped.into(), skipped.into()][..]),
        "{said}"
    );
    two_configurations(&pki, "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_ciphers nonsense;");
    for folder in ["site", "main"] {
        fs::rename(pki.path(folder), project.join(folder)).unwrap();
    }
    fs::copy(pki.path("a.pem"), project.join("fullchain.pem")).unwrap();
    let (status, results, said) = checked();
    assert_eq!((status, &*results.join(" ")), (0, "Passed Passed Passed"), "{said}");
    configured("main");
    let past =
        |params: &mut rcgen::CertificateParams| params.not_after = pki.now - time::Duration::DAY;
    fs::copy(pki.changed("past", &["www.test"], past).certificate, project.join("old.crt"))
        .unwrap();
    let (status, results, said) = checked();
    assert_eq!((status, &*results.join(" ")), (1, "Failed Failed Failed"), "{said}");
    assert!(said.contains("error[certificate-expired]"), "{said}");
    assert!(said.contains("error[value-refused-by-openssl]"), "{said}");
}

#[test]
fn the_action_compares_two_configurations_without_a_live_host() {
    let pki = Pki::rsa();
    two_configurations(&pki, "ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2 TLSv1.3;");
    let audit = || Command::new(Path::new(ROOT).join("contrib/github/audit"));
    let rehearsal = [
        ("NGINX", "site/nginx.conf"),
        ("REHEARSE", "true"),
        ("AGAINST", "main/nginx.conf"),
        ("CLIENTS", "openssl-1.0.2"),
        ("SARIF", "out.sarif"),
        ("GITHUB_OUTPUT", "output"),
        ("GITHUB_STEP_SUMMARY", "summary"),
        ("GITHUB_ACTIONS", "true"),
    ];
    let (status, said) = run(&pki, audit(), &rehearsal);
    assert_eq!(status, 1, "{said}");
    let annotation = said.lines().find(|line| line.contains("clients-lost"));
    let annotation = annotation.unwrap_or_else(|| panic!("{said}"));
    assert!(annotation.starts_with("::error file=site/nginx.conf,line=9"), "{annotation}");
    assert!(annotation.contains("OpenSSL 1.0.2e: no common version"), "{annotation}");
    let read = |name: &str| fs::read_to_string(pki.path(name)).unwrap();
    assert_eq!(read("output"), "status=1\n");
    let summary = read("summary");
    assert!(summary.contains("compared with main/nginx.conf"), "{summary}");
    assert!(summary.contains("lost: OpenSSL 1.0.2e: no common version"), "{summary}");
    let sarif: serde_json::Value = serde_json::from_str(&read("out.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let places = results
        .iter()
        .map(|one| &one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]);
    assert!(places.clone().any(|uri| uri == "site/nginx.conf"), "{sarif:#}");
    let (status, said) = run(&pki, audit(), &[("CERT", "a.pem"), ("GITHUB_OUTPUT", "output")]);
    assert_eq!(status, 0, "{said}");
    let mistakes = [("AGAINST", "main/nginx.conf"), ("CONFIG", "targets.toml")];
    for mistake in mistakes {
        let wrong = [mistake, ("NGINX", "site/nginx.conf"), ("GITHUB_OUTPUT", "mistake")];
        let (status, said) = run(&pki, audit(), &wrong);
        assert!(status == 2 && said.starts_with("::error::"), "{mistake:?}: {said}");
    }
    assert_eq!(read("mistake"), "status=2\nstatus=2\n");
}

#[test]
fn the_component_for_gitlab_compares_two_configurations() {
    let documents = documents("templates/nginx.yml");
    let [spec, job] = &documents[..] else { panic!("{documents:?}") };
    let job = &job["shakedown-nginx"];
    let template = serde_yaml_ng::to_string(job).unwrap();
    for (input, _) in spec["spec"]["inputs"].as_mapping().unwrap() {
        let input = input.as_str().unwrap();
        assert!(template.contains(&format!("$[[ inputs.{input} ]]")), "{input}");
    }
    let lines = job["script"].as_sequence().unwrap().iter();
    let script: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    let script = script.join("\n");
    assert!(!script.contains("$[["), "no input is run as a command");
    let pki = Pki::rsa();
    two_configurations(&pki, "ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2 TLSv1.3;");
    let variables = [
        ("SHAKEDOWN_NGINX", "site/nginx.conf"),
        ("SHAKEDOWN_REHEARSE", "true"),
        ("SHAKEDOWN_AGAINST", "main/nginx.conf"),
        ("SHAKEDOWN_CLIENTS", "openssl-1.0.2"),
        ("SHAKEDOWN_FAIL_ON", "error"),
    ];
    let shell = || {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &script]);
        shell
    };
    let (status, said) = run(&pki, shell(), &variables);
    assert_eq!(status, 1, "{said}");
    let quality = fs::read_to_string(pki.path("gl-code-quality.json")).unwrap();
    assert!(quality.contains("clients-lost") && quality.contains("site/nginx.conf"), "{quality}");
    let text_only = [("SHAKEDOWN_NGINX", "site/nginx.conf"), ("SHAKEDOWN_FAIL_ON", "error")];
    let (status, said) = run(&pki, shell(), &text_only);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn the_image_contains_the_program_and_runs_without_privileges() {
    let text = read("Dockerfile");
    let (_, last) = text.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    assert!(
        last.contains("\nUSER 65532:65532\n")
            && last.contains("/etc/ssl/certs/ca-certificates.crt")
    );
    assert!(last.trim_end().ends_with("ENTRYPOINT [\"/usr/local/bin/shakedown\"]"));
}

#[track_caller]
fn promtool(folder: &Path, args: &[&str]) {
    let output = Command::new("promtool").args(args).current_dir(folder).output();
    let output = output.expect("promtool is needed: install the package prometheus");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}

fn prometheus() -> PathBuf {
    Path::new(ROOT).join("contrib/prometheus")
}

#[test]
fn the_alerts_are_raised_when_they_should_be() {
    promtool(&prometheus(), &["check", "config", "scrape.yml"]);
    promtool(&prometheus(), &["check", "rules", "alerts.yml"]);
    promtool(&prometheus(), &["test", "rules", "alerts_test.yml"]);
}

/// The words in a text that look like metrics of this program.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("shakedown_"))
}

#[test]
fn alerts_and_dashboard_look_at_metrics_that_there_are() {
    let mut out = Vec::new();
    let look = Look { width: 100, colour: false, show_chain: false };
    sample::report().render(Format::Prometheus, look, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    for file in ["alerts.yml", "alerts_test.yml", "dashboard.json"] {
        let text = fs::read_to_string(prometheus().join(file)).unwrap();
        for metric in metrics(&text) {
            assert!(shown.contains(&format!("# TYPE {metric} ")), "{file}: {metric}");
        }
    }
}

#[test]
fn the_dashboard_asks_what_prometheus_understands() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(prometheus().join("dashboard.json")).unwrap())
            .unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (number, panel) in panels.iter().enumerate() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap().replace("$target", ".*");
            let query = serde_json::to_string(&query).unwrap();
            rules = format!("{rules}  - record: panel_{number}\n    expr: {query}\n");
        }
        assert!(!panel["title"].as_str().unwrap().is_empty());
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules).unwrap();
    promtool(folder.path(), &["check", "rules", "rules.yml"]);
}

#[test]
fn every_input_of_the_action_is_used_and_none_is_a_command() {
    let action = documents("action.yml").remove(0);
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    let runs: String = steps.iter().map(|step| step["run"].as_str().unwrap()).collect();
    assert!(!runs.contains("${{"), "{runs}");
    let environment = serde_yaml_ng::to_string(&steps[1]["env"]).unwrap();
    for (input, _) in action["inputs"].as_mapping().unwrap() {
        let input = input.as_str().unwrap();
        assert!(environment.contains(&format!("inputs.{input} }}}}")), "{input}");
    }
}

#[test]
fn the_action_annotates_and_outputs_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let peer = says(b"SSH-2.0-x\r\n").to_string();
    let program = Path::new(env!("CARGO_BIN_EXE_shakedown")).parent().unwrap();
    let output = Command::new(Path::new(ROOT).join("contrib/github/audit"))
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("TARGETS", format!("{peer}\n127.0.0.1:1 $(touch {})", path("pwned").display()))
        .env("SARIF", path("out.sarif"))
        .env("HTML", path("out.html"))
        .env("GITHUB_OUTPUT", path("output"))
        .env("GITHUB_STEP_SUMMARY", path("summary"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "what is no host is a mistake");
    assert!(!path("pwned").exists());
    let output = Command::new(Path::new(ROOT).join("contrib/github/audit"))
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("TARGETS", format!("{peer}\n127.0.0.1:1"))
        .env("SARIF", path("out.sarif"))
        .env("HTML", path("out.html"))
        .env("GITHUB_WORKFLOW_REF", "owner/name/.github/workflows/tls.yml@refs/heads/main")
        .env("GITHUB_OUTPUT", path("output"))
        .env("GITHUB_STEP_SUMMARY", path("summary"))
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.starts_with("::error file=.github/workflows/tls.yml,line=1"), "{shown}");
    assert!(fs::read_to_string(path("output")).unwrap().ends_with("status=1\n"));
    assert!(fs::read_to_string(path("summary")).unwrap().contains("## TLS audit"));
    let sarif: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path("out.sarif")).unwrap()).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
}

#[test]
fn the_slurm_jobs_use_valid_options() {
    let mut called = 0;
    for job in ["audit", "merge"] {
        let text = read(&format!("contrib/slurm/{job}.sbatch")).replace("\\\n", " ");
        for line in text.lines().filter(|line| line.starts_with("shakedown ")) {
            let line = line
                .replace("\"$@\"", "--config targets.toml")
                .replace("$SLURM_ARRAY_TASK_ID", "7")
                .replace("$SLURM_ARRAY_TASK_COUNT", "8");
            check_command(&shlex::split(&line).unwrap()[1..]);
            called += 1;
        }
    }
    assert_eq!(called, 2);
}
