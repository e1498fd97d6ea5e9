//! The line that nginx writes to its error log, from the message to the upstream's address.
//!
//! Reason texts are OpenSSL's (`ERR_reason_error_string`), the rest is `ngx_ssl_error` and `ngx_http_upstream.c`.

use std::net::SocketAddr;

use super::verdict::Breakage;
use crate::nginx::upstream::Module;
use crate::observation::{Cause, Failure, Stage};
use crate::target::nginx_client::{HelloError, Library, NginxClient};
use crate::tls::alert::AlertDescription;

/// The message of the line, `None` where nginx writes none, or where its words are not known here.
pub fn message(client: &NginxClient, breakage: &Breakage) -> Option<String> {
    let handshake = |text: String| format!("{text} while SSL handshaking to upstream");
    Some(match breakage {
        Breakage::Network(failure) => return network(failure),
        Breakage::Configuration(error) => handshake(unmade(client, error)?),
        Breakage::HttpRefusal(_) => return None,
        Breakage::Peer(cause) | Breakage::ClientCertificate(cause) => {
            handshake(ended(client, cause)?)
        }
        Breakage::Version(_) => {
            handshake(own(client, 258, (607, "ssl_choose_client_version"), "unsupported protocol"))
        }
        Breakage::DhKeyTooSmall(_) => {
            handshake(own(client, 394, (419, "tls_process_ske_dhe"), "dh key too small"))
        }
        Breakage::LegacySignature => {
            let (reason, text) = match client.library {
                Library::OpenSsl1_1_1 => (68, "internal error"),
                _ => (333, "legacy sigalg disallowed or unsupported"),
            };
            handshake(own(client, reason, (365, "tls_process_key_exchange"), text))
        }
        Breakage::UnsafeRenegotiation => {
            let text = "unsafe legacy renegotiation disabled";
            handshake(own(client, 338, (444, "final_renegotiate"), text))
        }
        Breakage::Verify(error) => {
            let text = error.text_in(client.verification(client.verify_depth).release);
            handshake(format!("upstream SSL certificate verify error: ({}:{text})", error.0))
        }
        Breakage::Name(name) => {
            handshake(format!("upstream SSL certificate does not match \"{name}\""))
        }
        Breakage::LateClientCertificate(Cause::Alert(alert)) => {
            let reading = match client.module {
                Module::Stream => "while proxying connection",
                _ => "while reading response header from upstream",
            };
            format!("SSL_read() failed (SSL: {}) {reading}", of_alert(client, *alert))
        }
        Breakage::LateClientCertificate(_) => {
            "upstream prematurely closed connection while reading response header from upstream"
                .to_owned()
        }
    })
}

/// The whole line from the message on, with the fields that are known.
pub fn line(client: &NginxClient, breakage: &Breakage, address: SocketAddr) -> Option<String> {
    let upstream = match client.module {
        Module::Stream => address.to_string(),
        Module::Grpc => format!("grpcs://{address}"),
        Module::Uwsgi => format!("suwsgi://{address}"),
        Module::Proxy => format!("https://{address}/"),
    };
    Some(format!("{}, upstream: \"{upstream}\"", message(client, breakage)?))
}

/// Without a cipher list that matches, nginx does not even start.
fn unmade(client: &NginxClient, error: &HelloError) -> Option<String> {
    match error {
        HelloError::Ciphers(_) => None,
        HelloError::NoVersion => {
            Some(own(client, 191, (607, "ssl_choose_client_version"), "no protocols available"))
        }
        HelloError::NoSuite => {
            let function = (425, "ssl_cipher_list_to_bytes");
            let text = own(client, 181, function, "no ciphers available");
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
        Cause::Alert(alert) => {
            format!("SSL_do_handshake() failed (SSL: {})", of_alert(client, *alert))
        }
        Cause::Closed => "peer closed connection in SSL handshake".to_owned(),
        Cause::Reset => {
            "peer closed connection in SSL handshake (104: Connection reset by peer)".to_owned()
        }
        Cause::TimedOut => "upstream timed out (110: Connection timed out)".to_owned(),
        // OpenSSL 3.2 on reads the text as a record first: two errors, whose data depend on the bytes.
        Cause::NotTls(_) if client.library < Library::OpenSsl3_2 => {
            own(client, 267, (143, "ssl3_get_record"), "wrong version number")
        }
        _ => return None,
    })
}

/// An error of our own library.
fn own(client: &NginxClient, reason: u32, function: (u32, &str), text: &str) -> String {
    format!("SSL_do_handshake() failed (SSL: {})", error(client, reason, function, text))
}

fn of_alert(client: &NginxClient, alert: AlertDescription) -> String {
    let reason = 1000 + u32::from(alert.0);
    let text = alert_text(client.library, alert);
    format!(
        "{}:SSL alert number {}",
        error(client, reason, (148, "ssl3_read_bytes"), &text),
        alert.0
    )
}

/// `error:0A000410:SSL routines::text`, or `error:14094410:SSL routines:ssl3_read_bytes:text` before OpenSSL 3.
fn error(client: &NginxClient, reason: u32, (number, name): (u32, &str), text: &str) -> String {
    if client.library == Library::OpenSsl1_1_1 {
        return format!(
            "error:{:08X}:SSL routines:{name}:{text}",
            0x1400_0000 | number << 12 | reason
        );
    }
    format!("error:{:08X}:SSL routines::{text}", 0x0A00_0000 | reason)
}

/// OpenSSL's text for an alert that the peer sent.
fn alert_text(library: Library, alert: AlertDescription) -> String {
    let old = |text: &str| match library {
        Library::OpenSsl3_2 => format!("ssl/tls alert {text}"),
        _ => format!("sslv3 alert {text}"),
    };
    let text = match alert.0 {
        10 => return old("unexpected message"),
        20 => return old("bad record mac"),
        21 => "tlsv1 alert decryption failed",
        22 => "tlsv1 alert record overflow",
        30 => return old("decompression failure"),
        40 => return old("handshake failure"),
        41 => return old("no certificate"),
        42 => return old("bad certificate"),
        43 => return old("unsupported certificate"),
        44 => return old("certificate revoked"),
        45 => return old("certificate expired"),
        46 => return old("certificate unknown"),
        47 => return old("illegal parameter"),
        48 => "tlsv1 alert unknown ca",
        49 => "tlsv1 alert access denied",
        50 => "tlsv1 alert decode error",
        51 => "tlsv1 alert decrypt error",
        60 => "tlsv1 alert export restriction",
        70 => "tlsv1 alert protocol version",
        71 => "tlsv1 alert insufficient security",
        80 => "tlsv1 alert internal error",
        86 => "tlsv1 alert inappropriate fallback",
        90 => "tlsv1 alert user cancelled",
        100 => "tlsv1 alert no renegotiation",
        109 => "tlsv13 alert missing extension",
        110 => "tlsv1 unsupported extension",
        111 => "tlsv1 certificate unobtainable",
        112 => "tlsv1 unrecognized name",
        113 => "tlsv1 bad certificate status response",
        114 => "tlsv1 bad certificate hash value",
        116 => "tlsv13 alert certificate required",
        120 if library != Library::OpenSsl1_1_1 => "tlsv1 alert no application protocol",
        // OpenSSL has no text for the rest.
        other => return format!("reason({})", 1000 + u32::from(other)),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_nginx_writes_them() {
        let mut client = NginxClient::new("a.test");
        let refused = Breakage::Peer(Cause::Alert(AlertDescription::HANDSHAKE_FAILURE));
        let address = "192.0.2.1:8443".parse().unwrap();
        assert_eq!(
            line(&client, &refused, address).unwrap(),
            "SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert \
             number 40) while SSL handshaking to upstream, upstream: \"https://192.0.2.1:8443/\""
        );
        client.library = Library::OpenSsl1_1_1;
        assert!(message(&client, &refused).unwrap().contains(
            "error:14094410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:SSL alert number 40"
        ));
        let late = Breakage::LateClientCertificate(Cause::Alert(AlertDescription(116)));
        client.library = Library::OpenSsl3_0;
        assert_eq!(
            message(&client, &late).unwrap(),
            "SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number \
             116) while reading response header from upstream"
        );
    }
}
