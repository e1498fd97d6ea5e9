//! The hello of a current browser. It is larger than our other hellos, and some servers and middleboxes fail on it.

use super::complete::Caller;
use crate::observation::scan::{BrowserHello, SizedHello};
use crate::observation::{Endpoint, Failure, Handshake, Steadiness};
use crate::targets::Target;
use crate::tls::extension::{Extension, ExtensionType, KeyShare};
use crate::tls::group::NamedGroup;
use crate::tls::hello::ClientHello;
use crate::tls::profile::usual_browser;

/// The bytes of an extension's type and length.
const EXTENSION_HEADER: usize = 4;

/// Ports on which TLS starts at once and the protocol inside is not HTTP.
const NOT_HTTP: [u16; 22] = [
    465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 1433, 3269, 3306, 5061, 5223, 5270, 5432,
    5671, 6379, 6697, 8883, 27017,
];

/// Whether the protocol inside TLS is assumed to be HTTP, so that a client would offer h2 and http/1.1.
pub(super) fn speaks_http(target: &Target) -> bool {
    target.starttls.is_none() && target.endpoint().is_none_or(|(_, port)| !NOT_HTTP.contains(&port))
}

/// The answer to the hello of a current browser, unless it has nothing to do with the hello.
pub(super) async fn greet(caller: &Caller<'_>, target: &Target) -> Option<SizedHello> {
    send(caller, &whole(target)?).await.filter(|sent| sent.outcome.is_ok() || fails(sent))
}

/// Sends the hello of a current browser to an address that supports TLS, unless it was greeted already, and smaller ones
/// if it fails.
pub(super) async fn ask(
    caller: &Caller<'_>,
    target: &Target,
    endpoint: &Endpoint,
    greeting: Option<SizedHello>,
) -> Option<BrowserHello> {
    let answered = endpoint.handshakes.iter().any(Handshake::established)
        || endpoint.raw.iter().any(|raw| raw.outcome.is_ok());
    if !answered {
        return None;
    }
    let sent = match greeting {
        Some(sent) => sent,
        None => send(caller, &whole(target)?).await?,
    };
    let mut seen = BrowserHello { whole: sent, classic: None, padded: None };
    // Of a server whose answers differ anyway, the smaller hellos show nothing.
    if !fails(&seen.whole) || matches!(endpoint.steadiness, Steadiness::Unsteady(_)) {
        return Some(seen);
    }
    let hello = whole(target)?;
    let classic = without_post_quantum(hello.clone());
    let filler = seen.whole.size.saturating_sub(classic.encode().ok()?.len() + EXTENSION_HEADER);
    let padding = Extension::Padding(u16::try_from(filler).ok()?);
    seen.classic = send(caller, &classic).await;
    if seen.breaks().is_none() {
        return Some(seen);
    }
    // A single failure may be chance or a limit; the smaller hello in between shows that it is neither.
    seen.whole = send(caller, &hello).await?;
    if !fails(&seen.whole) {
        return Some(seen);
    }
    let padded = ClientHello { padded: false, ..classic }.with(padding);
    seen.padded = send(caller, &padded).await;
    Some(seen)
}

fn fails(hello: &SizedHello) -> bool {
    hello.outcome.as_ref().is_err_and(Failure::is_silence_or_refusal)
}

fn whole(target: &Target) -> Option<ClientHello> {
    let hello = usual_browser()?.hello(target.server_name.as_deref());
    Some(if speaks_http(target) { hello } else { without_http(hello) })
}

/// A browser's hello without its application protocols, which other servers refuse.
pub(super) fn without_http(hello: ClientHello) -> ClientHello {
    // ALPS contains the same protocols.
    hello.without(ExtensionType::ALPN).without(ExtensionType(0x44cd))
}

fn without_post_quantum(mut hello: ClientHello) -> ClientHello {
    for extension in &mut hello.extensions {
        match extension {
            Extension::SupportedGroups(groups) => groups.retain(|group| !group.is_post_quantum()),
            Extension::KeyShare(shares) => {
                shares.retain(|KeyShare { group, .. }| !NamedGroup::is_post_quantum(*group));
            }
            _ => {}
        }
    }
    hello
}

async fn send(caller: &Caller<'_>, hello: &ClientHello) -> Option<SizedHello> {
    let size = hello.encode().ok()?.len();
    let outcome = match caller.exchange(hello).await {
        Ok(answer) => answer.outcome,
        Err(failure) => Err(failure),
    };
    Some(SizedHello { size, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::options::Options;

    #[test]
    fn the_hello_is_as_large_as_a_browsers_and_its_twin_small() {
        let target = Options::default().target("a.test".parse().unwrap(), None, None);
        let hello = whole(&target).unwrap();
        let size = hello.encode().unwrap().len();
        assert!((1500..2100).contains(&size), "{size}");
        let small = without_post_quantum(hello).encode().unwrap().len();
        assert!(size - small > 1216 && small < 1000, "{small}");
    }

    #[test]
    fn http_is_offered_only_to_web_servers() {
        let offers = |address: &str| {
            let target = Options::default().target(address.parse().unwrap(), None, None);
            let hello = whole(&target).unwrap();
            hello.extensions.iter().any(|it| it.kind() == ExtensionType::ALPN)
        };
        assert!(offers("a.test:8443"));
        assert!(!offers("a.test:993"));
    }
}
