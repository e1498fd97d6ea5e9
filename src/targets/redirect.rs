//! curl's `--resolve` and `--connect-to`: other addresses for a host and a port.

use super::Host;
use super::address::{Address, AddressError, host_port, parse_host, parse_port, split};

/// One such option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The option, as it was typed.
    text: String,
    /// The host that it is for; `None` for every host.
    host: Option<Host>,
    /// The port that it is for; `None` for every port.
    port: Option<u16>,
    /// Where to connect instead; `None` is the host or port itself.
    to: Vec<(Option<Host>, Option<u16>)>,
}

impl Redirect {
    /// `HOST:PORT:ADDRESS[,ADDRESS]...`; the host may be `*`.
    pub fn resolve(text: &str) -> Result<Self, AddressError> {
        let form = || AddressError::Resolve(text.to_owned());
        let parts = text.strip_prefix('+').unwrap_or(text);
        // The host may be an IPv6 address in brackets.
        let at = if parts.starts_with('[') {
            parts.find("]:").map(|at| at + 1)
        } else {
            parts.find(':')
        };
        let (first, rest) = parts.split_at_checked(at.ok_or_else(form)?).ok_or_else(form)?;
        let (port, addresses) = rest[1..].split_once(':').ok_or_else(form)?;
        let host = if first == "*" { None } else { Some(parse_host(first)?) };
        let port = parse_port(port)?;
        let to = addresses.split(',').map(|one| Ok((Some(parse_host(one)?), Some(port))));
        let to = to.collect::<Result<_, AddressError>>()?;
        Ok(Self { text: format!("--resolve {text}"), host, port: Some(port), to })
    }

    /// `HOST1:PORT1:HOST2:PORT2`; an empty part is any host or port, or the same.
    pub fn connect_to(text: &str) -> Result<Self, AddressError> {
        let parts = split(text)?;
        let [host, port, to_host, to_port] = *parts.as_slice() else {
            return Err(AddressError::ConnectTo(text.to_owned()));
        };
        let host_of = |part: &str| (!part.is_empty()).then(|| parse_host(part)).transpose();
        let port_of = |part: &str| (!part.is_empty()).then(|| parse_port(part)).transpose();
        Ok(Self {
            text: format!("--connect-to {text}"),
            host: host_of(host)?,
            port: port_of(port)?,
            to: vec![(host_of(to_host)?, port_of(to_port)?)],
        })
    }

    fn is_for(&self, host: &Host, port: u16) -> bool {
        self.host.as_ref().is_none_or(|wanted| wanted == host)
            && self.port.is_none_or(|wanted| wanted == port)
    }
}

/// How many targets are kept to say which one an option may have meant.
const MAX_KEPT: usize = 64;

/// From this similarity on, a host may be what was meant by another one.
const SIMILAR: f64 = 0.9;

/// The options of a run, and what became of each.
#[derive(Debug)]
pub struct Redirects {
    options: Vec<(Redirect, RedirectOutcome)>,
    /// The first targets.
    kept: Vec<(Host, u16)>,
}

/// What became of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
enum RedirectOutcome {
    /// No target was its own.
    Unmet,
    /// Another option came first, or the target says itself where to connect; the target.
    TooLate(String),
    /// The host was a target, at another port.
    OtherPort(u16),
    /// It was applied.
    Applied,
}

impl Redirects {
    /// Nothing is applied yet.
    pub fn new(options: Vec<Redirect>) -> Self {
        let options = options.into_iter().map(|option| (option, RedirectOutcome::Unmet)).collect();
        Self { options, kept: Vec::new() }
    }

    /// The address as the first option that is for it changes it: one for each address to connect to. A target without
    /// a port has the usual one.
    pub fn apply(&mut self, address: Address, usual_port: u16) -> Vec<Address> {
        if self.options.is_empty() {
            return vec![address];
        }
        let port = address.port.unwrap_or(usual_port);
        if self.kept.len() < MAX_KEPT {
            self.kept.push((address.host.clone(), port));
        }
        for (option, outcome) in &mut self.options {
            if *outcome == RedirectOutcome::Applied {
                continue;
            }
            if option.is_for(&address.host, port) {
                *outcome = RedirectOutcome::TooLate(host_port(&address.host, port).to_string());
            } else if *outcome == RedirectOutcome::Unmet
                && option.host.as_ref() == Some(&address.host)
            {
                *outcome = RedirectOutcome::OtherPort(port);
            }
        }
        let is_open = address.connect_to.is_none();
        let mut options = self.options.iter_mut();
        let first = options.find(|(option, _)| is_open && option.is_for(&address.host, port));
        let Some((option, outcome)) = first else { return vec![address] };
        *outcome = RedirectOutcome::Applied;
        let to = option.to.iter().map(|(host, to_port)| {
            let host = host.clone().unwrap_or_else(|| address.host.clone());
            Address {
                port: Some(port),
                connect_to: Some((host, to_port.unwrap_or(port))),
                ..address.clone()
            }
        });
        to.collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// The options that changed nothing, each with why.
    pub fn unused(&self) -> impl Iterator<Item = String> + '_ {
        self.options.iter().filter_map(|(option, outcome)| {
            let why = match outcome {
                RedirectOutcome::Applied => return None,
                RedirectOutcome::TooLate(target) => {
                    format!(
                        "another option, or the target itself, says where to connect for {target}"
                    )
                }
                RedirectOutcome::OtherPort(port) => format!("the port of that target is {port}"),
                RedirectOutcome::Unmet => match self.similar(option) {
                    Some(target) => {
                        format!("it is for none of the targets; did you mean {target}?")
                    }
                    None => "it is for none of the targets".to_owned(),
                },
            };
            Some(format!("{} has no effect: {why}", option.text))
        })
    }

    /// A target whose host is nearly that of the option.
    fn similar(&self, option: &Redirect) -> Option<String> {
        let wanted = option.host.as_ref()?.to_string();
        let similarity = |host: &Host| strsim::jaro_winkler(&host.to_string(), &wanted);
        let kept = self.kept.iter().map(|(host, port)| (similarity(host), host, port));
        let near = kept.filter(|(similarity, ..)| *similarity >= SIMILAR);
        let (_, host, port) = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(host_port(host, *port).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(redirects: &[Redirect], address: &str) -> Vec<String> {
        let all = Redirects::new(redirects.to_vec()).apply(address.parse().unwrap(), 443);
        let place = |one: &Address| {
            one.connect_to
                .as_ref()
                .map_or("itself".to_owned(), |(host, port)| format!("{host}:{port}"))
        };
        all.iter().map(place).collect()
    }

    #[test]
    fn a_name_leads_to_other_addresses() {
        let one = [Redirect::resolve("a.test:443:192.0.2.1,[2001:db8::1]").unwrap()];
        assert_eq!(places(&one, "a.test"), ["192.0.2.1:443", "2001:db8::1:443"]);
        assert_eq!(places(&one, "A.test:443"), ["192.0.2.1:443", "2001:db8::1:443"]);
        assert_eq!(places(&one, "a.test:8443"), ["itself"]);
        assert_eq!(places(&one, "b.test"), ["itself"]);
        assert_eq!(places(&one, "a.test:443:192.0.2.9:443"), ["192.0.2.9:443"]);
        let v6 = [Redirect::resolve("[2001:db8::1]:443:192.0.2.1").unwrap()];
        assert_eq!(places(&v6, "[2001:db8::1]:443"), ["192.0.2.1:443"]);
        let any = [Redirect::resolve("*:443:192.0.2.1").unwrap()];
        assert_eq!(places(&any, "b.test"), ["192.0.2.1:443"]);
    }

    #[test]
    fn an_empty_part_is_any_or_the_same() {
        let all = [Redirect::connect_to("::192.0.2.1:").unwrap()];
        assert_eq!(places(&all, "a.test:8443"), ["192.0.2.1:8443"]);
        let port = [Redirect::connect_to("a.test:443::8443").unwrap()];
        assert_eq!(places(&port, "a.test"), ["a.test:8443"]);
        let v6 = [Redirect::connect_to("a.test:443:[::1]:8443").unwrap()];
        assert_eq!(places(&v6, "a.test"), ["::1:8443"]);
    }

    /// What is said of these options after these targets.
    fn said(options: &[Redirect], targets: &[&str]) -> Vec<String> {
        let mut redirects = Redirects::new(options.to_vec());
        for target in targets {
            redirects.apply(target.parse().unwrap(), 443);
        }
        redirects.unused().collect()
    }

    #[test]
    fn an_option_that_changes_nothing_says_why() {
        let resolve = |text| Redirect::resolve(text).unwrap();
        let one = [resolve("a.test:443:192.0.2.1")];
        assert_eq!(said(&one, &["b.test", "a.test"]), [""; 0]);
        let check = |options: &[Redirect], targets: &[&str], expected: &str| {
            let said = said(options, targets);
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].ends_with(expected), "{said:?}");
        };
        check(
            &one,
            &["other.example"],
            "443:192.0.2.1 has no effect: it is for none of the targets",
        );
        check(&one, &["other.example", "a.test:8443"], "the port of that target is 8443");
        let typed = [resolve("shop.exmaple.test:443:192.0.2.1")];
        check(&typed, &["a.test", "shop.example.test"], "did you mean shop.example.test:443?");
        check(&one, &["a.test:443:192.0.2.9:443"], "says where to connect for a.test:443");
        let twice = [one[0].clone(), resolve("*:443:192.0.2.2")];
        check(&twice, &["a.test"], "says where to connect for a.test:443");
        assert_eq!(said(&twice, &["a.test", "b.test"]), [""; 0]);
    }

    #[test]
    fn a_target_without_a_port_has_the_usual_one_of_its_protocol() {
        let mail = Redirect::resolve("mail.test:25:192.0.2.1").unwrap();
        let all = Redirects::new(vec![mail]).apply("mail.test".parse().unwrap(), 25);
        assert_eq!(all[0].connect_to, Some(("192.0.2.1".parse::<Address>().unwrap().host, 25)));
    }

    #[test]
    fn other_forms_are_refused() {
        let resolve = |text| Redirect::resolve(text).unwrap_err().to_string();
        for text in ["", "a.test", "a.test:443", "[::1", "[::1]"] {
            assert!(resolve(text).contains("HOST:PORT:ADDRESS"), "{text}");
        }
        assert!(resolve("a.test:0:::1").contains("invalid port"));
        assert!(resolve("a.test:443:x y").contains("invalid host"));
        let connect_to = |text| Redirect::connect_to(text).unwrap_err().to_string();
        for text in ["", "a.test:443", "a:1:b:2:c"] {
            assert!(connect_to(text).contains("HOST1:PORT1:HOST2:PORT2"), "{text}");
        }
        assert!(connect_to("a:0:b:1").contains("invalid port"));
    }
}
