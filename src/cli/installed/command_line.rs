//! The command line of a running nginx, in `/proc/PID/cmdline`.

/// The options that decide which configuration nginx reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NginxCommand {
    /// The program, as it was called.
    pub(super) program: String,
    /// `-c`.
    pub(super) configuration: Option<String>,
    /// `-p`.
    pub(super) prefix: Option<String>,
    /// `-g`.
    pub(super) directives: Option<String>,
}

/// What a process of nginx is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NginxProcess {
    /// A master, or a process without workers.
    Master(NginxCommand),
    /// A worker that accepts connections.
    Worker,
}

/// The names of programs made from nginx.
const PROGRAMS: [&str; 6] = ["nginx", "angie", "openresty", "tengine", "freenginx", "nginx-debug"];

/// The title of a master: `nginx: master process /usr/sbin/nginx -g daemon off;`.
const MASTER: &str = ": master process ";

/// Options with which nginx does not serve.
const BRIEF: [&str; 8] = ["-t", "-T", "-s", "-v", "-V", "-h", "-?", "--help"];

impl NginxProcess {
    /// Reads a command line: arguments that end with a zero byte, or a title, in which spaces separate them. `None` for
    /// other programs, and for workers that no longer accept connections.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\0', ' ']);
        if let Some((program, rest)) = text.split_once(MASTER) {
            is_program(program).then_some(())?;
            // Angie puts its own release before, and the command line into brackets.
            let inner = rest.split_once('[').filter(|_| program.ends_with("angie"));
            let rest = inner.map_or(rest, |(_, inner)| inner.trim_end_matches(']'));
            return Some(Self::Master(NginxCommand::read(rest.split(' '))));
        }
        if let Some((program, rest)) = text.split_once(": worker process") {
            return (is_program(program) && !rest.contains("shutting down"))
                .then_some(Self::Worker);
        }
        let mut words = text.split('\0');
        let program = words.next()?;
        let is_brief = words.any(|word| BRIEF.contains(&word));
        (is_program(program) && !is_brief)
            .then(|| Self::Master(NginxCommand::read(text.split('\0'))))
    }
}

fn is_program(word: &str) -> bool {
    PROGRAMS.contains(&word.rsplit('/').next().unwrap_or_default())
}

impl NginxCommand {
    fn read<'w>(mut words: impl Iterator<Item = &'w str>) -> Self {
        let mut command =
            Self { program: words.next().unwrap_or_default().to_owned(), ..Self::default() };
        let mut current: Option<char> = None;
        for word in words {
            let option = word.strip_prefix('-').and_then(|rest| rest.chars().next());
            match option.filter(|option| "cpgeq".contains(*option)) {
                Some(option) => {
                    current = Some(option);
                    let attached = &word[2..];
                    if !attached.is_empty() {
                        command.add(option, attached);
                    }
                }
                None => {
                    if let Some(option) = current {
                        command.add(option, word);
                    }
                }
            }
        }
        command
    }

    /// Adds a word to an option's value: in a title, a value with spaces is several words.
    fn add(&mut self, option: char, word: &str) {
        let value = match option {
            'c' => &mut self.configuration,
            'p' => &mut self.prefix,
            'g' => &mut self.directives,
            _ => return,
        };
        match value {
            Some(value) => {
                value.push(' ');
                value.push_str(word);
            }
            None => *value = Some(word.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(text: &str) -> NginxCommand {
        match NginxProcess::read(text.as_bytes()) {
            Some(NginxProcess::Master(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_title_is_read_as_the_command_line_that_it_shows() {
        let command = master(
            "nginx: master process /usr/sbin/nginx -g daemon on; master_process on; -c /a\0",
        );
        assert_eq!(command.program, "/usr/sbin/nginx");
        assert_eq!(command.directives.as_deref(), Some("daemon on; master_process on;"));
        assert_eq!(command.configuration.as_deref(), Some("/a"));
        let command = master("angie: master process v1.10.0 #1 [/usr/sbin/angie -p /srv/a]");
        assert_eq!(command.program, "/usr/sbin/angie");
        assert_eq!(command.prefix.as_deref(), Some("/srv/a"));
        assert_eq!(master("nginx: master process nginx").configuration, None);
    }

    #[test]
    fn arguments_are_read_where_there_is_no_title() {
        let command = master("/usr/sbin/nginx\0-p\0/srv/a b\0-c/srv/n.conf\0");
        assert_eq!(command.prefix.as_deref(), Some("/srv/a b"));
        assert_eq!(command.configuration.as_deref(), Some("/srv/n.conf"));
    }

    #[test]
    fn other_processes_are_none_of_nginx() {
        for text in [
            "nginx\0-t\0",
            "nginx: worker process is shutting down",
            "nginx: cache manager process",
            "vi\0/etc/nginx/nginx.conf\0",
            "tail: master process x",
            "",
        ] {
            assert_eq!(NginxProcess::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(NginxProcess::read(b"nginx: worker process"), Some(NginxProcess::Worker));
    }
}
