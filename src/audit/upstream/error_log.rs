//! The line that nginx writes to its error log, from the message to the upstream's address.
//!
//! Reason texts are OpenSSL's (`ERR_reason_error_string`), the rest is `ngx_ssl_error` and `ngx_http_upstream.c`.

use super::verdict::NginxFailure;
use crate::nginx::upstream::ProxyModule;
use crate::observation::nginx::Served;
use crate::observation::{Cause, Failure, PlainProtocol, Stage};
use crate::openssl::code::reason::{
    DH_KEY_TOO_SMALL, INTERNAL_ERROR, LEGACY_SIGNATURE, NO_CIPHERS_AVAILABLE,
    NO_PROTOCOLS_AVAILABLE, UNSAFE_LEGACY_RENEGOTIATION, UNSUPPORTED_PROTOCOL,
    WRONG_VERSION_NUMBER, of_alert as alert_reason, words_in,
};
use crate::openssl::release::OpensslRelease;
use crate::targets::nginx_client::{HelloError, NginxClient};
use crate::tls::alert::AlertDescription;

/// The message of the line; `None` if nginx writes none, or if its text is not known here.
pub fn message(client: &NginxClient, failure: &NginxFailure) -> Option<String> {
    let stream = client.module == ProxyModule::Stream;
    let handshake = |text: String| format!("{text} while SSL handshaking to upstream");
    Some(match failure {
        // The stream module does not log timeouts.
        NginxFailure::Network(Failure { cause: Cause::TimedOut, .. })
        | NginxFailure::Peer(Cause::TimedOut)
            if stream =>
        {
            return None;
        }
        NginxFailure::Network(failure) => return network(failure),
        NginxFailure::Configuration(error) => handshake(unmade(client, error)?),
        NginxFailure::HttpRefusal(_)
        | NginxFailure::PostHandshakeAuthentication(_)
        | NginxFailure::Misdirected(_)
        // Which error OpenSSL reports first depends on the exact bytes.
        | NginxFailure::UnreadableCertificate(_) => return None,
        NginxFailure::PlainText(served) => return in_plain_text(client.module, served),
        NginxFailure::BadSignature => handshake(own(client, 123, (367, "tls_process_cert_verify"))),
        NginxFailure::Peer(cause) | NginxFailure::ClientCertificate(cause) => {
            handshake(ended(client, cause)?)
        }
        NginxFailure::Version(_) => {
            handshake(own(client, UNSUPPORTED_PROTOCOL, (607, "ssl_choose_client_version")))
        }
        NginxFailure::DhKeyTooSmall(_) => {
            handshake(own(client, DH_KEY_TOO_SMALL, (419, "tls_process_ske_dhe")))
        }
        NginxFailure::LegacySignature => {
            let reason = match client.library {
                OpensslRelease::V1_1_1 => INTERNAL_ERROR,
                _ => LEGACY_SIGNATURE,
            };
            handshake(own(client, reason, (365, "tls_process_key_exchange")))
        }
        NginxFailure::UnsafeRenegotiation => {
            handshake(own(client, UNSAFE_LEGACY_RENEGOTIATION, (444, "final_renegotiate")))
        }
        NginxFailure::Verify(error) | NginxFailure::Revocation(error) => {
            let text = error.text_in(client.library);
            handshake(format!("upstream SSL certificate verify error: ({}:{text})", error.0))
        }
        NginxFailure::Name(name) => {
            handshake(format!("upstream SSL certificate does not match \"{name}\""))
        }
        NginxFailure::LateClientCertificate(Cause::Alert(alert))
        | NginxFailure::Late(Cause::Alert(alert)) => {
            let reading = match client.module {
                ProxyModule::Stream => "while proxying connection",
                _ => "while reading response header from upstream",
            };
            format!("SSL_read() failed (SSL: {}) {reading}", of_alert(client, *alert))
        }
        NginxFailure::LateClientCertificate(_) | NginxFailure::Late(_) if stream => return None,
        NginxFailure::LateClientCertificate(_) | NginxFailure::Late(_) => {
            "upstream prematurely closed connection while reading response header from upstream"
                .to_owned()
        }
    })
}

/// The whole line from the message on, with the fields that are known; `peer` is the address as nginx writes it.
pub fn line(client: &NginxClient, failure: &NginxFailure, peer: &str) -> Option<String> {
    let is_unix = peer.starts_with("unix:");
    // Whether the socket's file was missing is not known.
    if is_unix && matches!(failure, NginxFailure::Network(Failure { stage: Stage::Connect, .. })) {
        return None;
    }
    let address = match client.module {
        ProxyModule::Stream => peer.to_owned(),
        _ => format!("{peer}{}", if is_unix { ":" } else { "" }),
    };
    let upstream = match (client.module, client.plain.is_some()) {
        (ProxyModule::Stream, _) => address,
        (ProxyModule::Grpc, false) => format!("grpcs://{address}"),
        (ProxyModule::Grpc, true) => format!("grpc://{address}"),
        (ProxyModule::Uwsgi, false) => format!("suwsgi://{address}"),
        (ProxyModule::Uwsgi, true) => format!("uwsgi://{address}"),
        (ProxyModule::Proxy, false) => format!("https://{address}/"),
        (ProxyModule::Proxy, true) => format!("http://{address}/"),
    };
    Some(format!("{}, upstream: \"{upstream}\"", message(client, failure)?))
}

/// What nginx, that speaks plain text, says of a server that expects TLS.
fn in_plain_text(module: ProxyModule, served: &Served) -> Option<String> {
    let said = match (served, module) {
        (Served::Ended(Cause::Closed), _) | (Served::Ended(Cause::Alert(_)), ProxyModule::Grpc) => {
            "upstream prematurely closed connection"
        }
        (Served::Ended(Cause::Reset), _) => "recv() failed (104: Connection reset by peer)",
        (Served::Ended(Cause::Alert(_)), ProxyModule::Proxy) => {
            "upstream sent no valid HTTP/1.0 header"
        }
        // The size of a frame that begins with "HTT".
        (Served::Ended(Cause::NotTls(PlainProtocol::Http(_))), ProxyModule::Grpc) => {
            "upstream sent too large http2 frame: 4740180"
        }
        (Served::Silent, _) => "upstream timed out (110: Connection timed out)",
        _ => return None,
    };
    Some(format!("{said} while reading response header from upstream"))
}

/// Without a cipher list that matches, nginx does not even start.
fn unmade(client: &NginxClient, error: &HelloError) -> Option<String> {
    match error {
        HelloError::Ciphers(_) => None,
        HelloError::NoVersion => {
            Some(own(client, NO_PROTOCOLS_AVAILABLE, (607, "ssl_choose_client_version")))
        }
        HelloError::NoSuite => {
            let function = (425, "ssl_cipher_list_to_bytes");
            let text = own(client, NO_CIPHERS_AVAILABLE, function);
            let hint = "No ciphers enabled for max supported SSL/TLS version)";
            Some(format!("{}:{hint}", text.trim_end_matches(')')))
        }
    }
}

fn network(failure: &Failure) -> Option<String> {
    let connecting = "while connecting to upstream";
    match (failure.stage, &failure.cause) {
        (Stage::Connect, Cause::ConnectionRefused) => {
            Some(format!("connect() failed (111: Connection refused) {connecting}"))
        }
        (Stage::Connect, Cause::TimedOut) => {
            Some(format!("upstream timed out (110: Connection timed out) {connecting}"))
        }
        (Stage::Connect, Cause::Reset) => {
            Some(format!("connect() failed (104: Connection reset by peer) {connecting}"))
        }
        _ => None,
    }
}

fn ended(client: &NginxClient, cause: &Cause) -> Option<String> {
    Some(match cause {
        // OpenSSL treats close_notify as the end of the connection, not as an error.
        Cause::Closed | Cause::Alert(AlertDescription::CLOSE_NOTIFY) => {
            "peer closed connection in SSL handshake".to_owned()
        }
        Cause::Alert(alert) => {
            format!("SSL_do_handshake() failed (SSL: {})", of_alert(client, *alert))
        }
        Cause::Reset => {
            "peer closed connection in SSL handshake (104: Connection reset by peer)".to_owned()
        }
        Cause::TimedOut => "upstream timed out (110: Connection timed out)".to_owned(),
        // OpenSSL 3.2 on reads the text as a record first: two errors, whose data depend on the bytes.
        Cause::NotTls(_) if client.library < OpensslRelease::V3_2 => {
            own(client, WRONG_VERSION_NUMBER, (143, "ssl3_get_record"))
        }
        _ => return None,
    })
}

/// An error of nginx's own library.
fn own(client: &NginxClient, reason: u32, function: (u32, &str)) -> String {
    let text = match words_in(reason, client.library) {
        Some(text) => text,
        None if reason == INTERNAL_ERROR => "internal error",
        None => "",
    };
    format!("SSL_do_handshake() failed (SSL: {})", error(client, reason, function, text))
}

fn of_alert(client: &NginxClient, alert: AlertDescription) -> String {
    let reason = alert_reason(alert);
    // OpenSSL does not have a text for every alert.
    let text =
        words_in(reason, client.library).map_or_else(|| format!("reason({reason})"), str::to_owned);
    format!(
        "{}:SSL alert number {}",
        error(client, reason, (148, "ssl3_read_bytes"), &text),
        alert.0
    )
}

/// `error:0A000410:SSL routines::text`, or `error:14094410:SSL routines:ssl3_read_bytes:text` before OpenSSL 3.
fn error(client: &NginxClient, reason: u32, (number, name): (u32, &str), text: &str) -> String {
    if client.library == OpensslRelease::V1_1_1 {
        return format!(
            "error:{:08X}:SSL routines:{name}:{text}",
            0x1400_0000 | number << 12 | reason
        );
    }
    format!("error:{:08X}:SSL routines::{text}", 0x0A00_0000 | reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_nginx_writes_them() {
        let mut client =
            NginxClient { library: OpensslRelease::V3_0, ..NginxClient::new("a.test") };
        let refused = NginxFailure::Peer(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        let address = "192.0.2.1:8443";
        assert_eq!(
            line(&client, &refused, address).unwrap(),
            "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert \
             number 40) while SSL handshaking to upstream, upstream: \"https://192.0.2.1:8443/\""
        );
        let unix = line(&client, &refused, "unix:/run/a.sock").unwrap();
        assert!(unix.ends_with(", upstream: \"https://unix:/run/a.sock:/\""), "{unix}");
        client.library = OpensslRelease::V1_1_1;
        assert!(message(&client, &refused).unwrap().contains(
            "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:SSL alert number 40"
        ));
        let late = NginxFailure::LateClientCertificate(Cause::Alert(AlertDescription(116)));
        client.library = OpensslRelease::V3_0;
        assert_eq!(
            message(&client, &late).unwrap(),
            "SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number \
             116) while reading response header from upstream"
        );
    }
}
