//! XMPP, from client to server and between servers (RFC 6120 section 5).

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Dialogue, MAX_REPLY, refused, turned_away};
use crate::observation::Cause;

const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<'_, S> {
    /// A stream of that namespace to that domain.
    pub(super) async fn xmpp(&mut self, namespace: &str, domain: &str) -> Result<(), Cause> {
        let open = format!(
            "<?xml version='1.0'?><stream:stream to='{domain}' xmlns='{namespace}' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
        );
        self.say(open.as_bytes()).await?;
        let ends =
            ["</stream:features>", "<stream:features/>", "</stream:error>", "</stream:stream>"];
        let features = self.until(&ends).await?;
        if let Some(error) = stream_error(&features) {
            return Err(turned_away(&format!("{error}, asked for the domain {domain}")));
        }
        if !features.contains(TLS) {
            return Err(refused("starttls is not among the stream's features"));
        }
        self.say(format!("<starttls xmlns='{TLS}'/>").as_bytes()).await?;
        let answer = self.until(&[">"]).await?;
        if answer.trim_start().starts_with("<proceed") { Ok(()) } else { Err(refused(&answer)) }
    }

    /// Text up to the first of these ends.
    async fn until(&mut self, ends: &[&str]) -> Result<String, Cause> {
        let mut text = Vec::new();
        loop {
            text.push(self.exactly::<1>().await?[0]);
            if ends.iter().any(|end| text.ends_with(end.as_bytes())) {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            if text.len() > MAX_REPLY {
                return Err(Cause::TooMuchData);
            }
        }
    }
}

/// The condition of a stream error, and the server's own words: `host-unknown (This server does not serve a.test)`.
fn stream_error(text: &str) -> Option<String> {
    let (_, error) = text.split_once("<stream:error")?;
    let (_, inside) = error.split_once('>')?;
    let condition = element(inside)?;
    let words = inside.split_once("<text").and_then(|(_, rest)| rest.split_once('>'));
    let words =
        words.and_then(|(_, rest)| rest.split('<').next()).filter(|words| !words.is_empty());
    Some(match words {
        Some(words) => format!("{condition} ({words})"),
        None => condition.to_owned(),
    })
}

/// The name of the first element that is not the text.
fn element(xml: &str) -> Option<&str> {
    let names = xml.split('<').skip(1);
    let names = names.map(|tag| tag.split([' ', '/', '>']).next().unwrap_or_default());
    names.into_iter().find(|name| !name.is_empty() && *name != "text")
}
