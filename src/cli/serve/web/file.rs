//! The web configuration as it is written: the format of Prometheus and its exporters.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::targets::yaml_growth;

/// The file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebFile {
    pub(super) tls_server_config: Option<TlsSection>,
    pub(super) http_server_config: Option<HttpSection>,
    pub(super) basic_auth_users: Option<UserTable>,
    pub(super) rate_limit: Option<RateSection>,
}

/// `tls_server_config`. An empty text counts as none.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsSection {
    #[serde(deserialize_with = "text")]
    pub(super) cert: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) key: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_ca: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) cert_file: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) key_file: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_ca_file: Option<String>,
    pub(super) client_auth_type: Option<ClientAuthType>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) min_version: Option<TlsVersion>,
    pub(super) max_version: Option<TlsVersion>,
    pub(super) cipher_suites: Option<Vec<String>>,
    pub(super) curve_preferences: Option<Vec<String>>,
    pub(super) prefer_server_cipher_suites: Option<Flag>,
}

/// `client_auth_type`, in the order of what is asked of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum ClientAuthType {
    /// Clients are not asked for a certificate.
    #[default]
    #[serde(rename = "NoClientCert", alias = "")]
    Off,
    /// They are asked; none, or any, will do.
    #[serde(rename = "RequestClientCert")]
    Request,
    /// Any certificate will do.
    #[serde(rename = "RequireAnyClientCert", alias = "RequireClientCert")]
    RequireAny,
    /// Without a certificate they are let in; with one it must be of the authority.
    #[serde(rename = "VerifyClientCertIfGiven")]
    VerifyIfGiven,
    /// They need a certificate of the authority.
    #[serde(rename = "RequireAndVerifyClientCert")]
    RequireAndVerify,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(super) enum TlsVersion {
    #[serde(rename = "TLS10")]
    Tls10,
    #[serde(rename = "TLS11")]
    Tls11,
    #[serde(rename = "TLS12")]
    Tls12,
    #[serde(rename = "TLS13")]
    Tls13,
}

/// `http_server_config`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpSection {
    /// HTTP/1.1 is always there, and the exporter has no other version.
    #[serde(rename = "http2")]
    pub(super) _http2: Option<Flag>,
    pub(super) headers: Option<Headers>,
}

/// The headers that may be added to answers.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Headers {
    #[serde(rename = "Content-Security-Policy")]
    pub(super) content_security_policy: Option<String>,
    #[serde(rename = "X-Frame-Options")]
    pub(super) x_frame_options: Option<FrameOptions>,
    #[serde(rename = "X-Content-Type-Options")]
    pub(super) x_content_type_options: Option<ContentTypeOptions>,
    #[serde(rename = "X-XSS-Protection")]
    pub(super) x_xss_protection: Option<String>,
    #[serde(rename = "Strict-Transport-Security")]
    pub(super) strict_transport_security: Option<String>,
}

/// What `X-Frame-Options` may say.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FrameOptions {
    Deny,
    SameOrigin,
}

/// What `X-Content-Type-Options` may say.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ContentTypeOptions {
    NoSniff,
}

/// `rate_limit`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateSection {
    pub(super) interval: Option<Pause>,
    pub(super) burst: Option<u32>,
}

/// `basic_auth_users`: names and hashes of passwords, each name once.
pub(super) struct UserTable(pub(super) BTreeMap<String, String>);

/// A boolean, also as YAML 1.1 writes it.
#[derive(Clone, Copy)]
pub(super) struct Flag(pub(super) bool);

/// A duration as Go writes it (`1m30s`).
#[derive(Clone, Copy)]
pub(super) struct Pause(pub(super) Duration);

/// Reads the file. The error says where.
pub(super) fn read(text: &str) -> Result<WebFile, serde_yaml_ng::Error> {
    yaml_growth::check(text.as_bytes()).map_err(serde_yaml_ng::Error::custom)?;
    Ok(serde_yaml_ng::from_str::<Option<WebFile>>(text)?.unwrap_or_default())
}

fn text<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(source)?.filter(|text| !text.is_empty()))
}

impl<'de> Deserialize<'de> for UserTable {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct UserTableVisitor;

        impl<'de> Visitor<'de> for UserTableVisitor {
            type Value = UserTable;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("names with hashes of passwords")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UserTable, A::Error> {
                let mut users = BTreeMap::new();
                while let Some((name, hash)) = map.next_entry::<String, String>()? {
                    if users.contains_key(&name) {
                        return Err(de::Error::custom(format!("user {name:?} is there twice")));
                    }
                    users.insert(name, hash);
                }
                Ok(UserTable(users))
            }
        }

        source.deserialize_map(UserTableVisitor)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct FlagVisitor;

        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("true or false")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(value))
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Flag, E> {
                match word.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" => Ok(Flag(true)),
                    "no" | "off" | "n" => Ok(Flag(false)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }

        source.deserialize_any(FlagVisitor)
    }
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        let pause = duration(&text);
        let error = || de::Error::custom(format!("not a duration: {text:?}; an example is 1m30s"));
        pause.map(Pause).ok_or_else(error)
    }
}

/// Reads numbers with units, as Go's `ParseDuration` does.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1s", Some(1000)),
            ("1m30s", Some(90_000)),
            ("1.5s", Some(1500)),
            ("250ms", Some(250)),
            ("2h", Some(7_200_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("1d", None),
            ("-1s", None),
            ("1s5", None),
        ] {
            assert_eq!(duration(text), expected.map(Duration::from_millis), "{text:?}");
        }
    }

    #[track_caller]
    fn check_refused(text: &str, words: &[&str]) {
        let error = read(text).err().unwrap().to_string();
        for word in words {
            assert!(error.contains(word), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_not_of_the_format_is_refused_with_its_place() {
        check_refused("tls_server_confg: {}\n", &["tls_server_confg"]);
        let unknown = "tls_server_config:\n  cert_file: a\n  certificate: b\n";
        check_refused(unknown, &["tls_server_config", "certificate", "line 3 column 3"]);
        check_refused("tls_server_config:\n  min_version: TLS14\n", &["TLS14", "line 2"]);
        check_refused("basic_auth_users:\n  a: x\n  b: y\n  a: z\n", &["\"a\" is there twice"]);
        check_refused("http_server_config:\n  http2: maybe\n", &["true or false", "line 2"]);
        check_refused("http_server_config:\n  headers:\n    Server: x\n", &["Server", "line 3"]);
        check_refused("rate_limit:\n  interval: soon\n", &["soon", "1m30s"]);
        check_refused("a: &a [x, x]\nb: *a\n", &["unknown field"]);
    }

    #[test]
    fn nothing_is_a_configuration_too() {
        for text in ["", "# nothing\n", "---\n", "{}", "tls_server_config:\nbasic_auth_users:\n"] {
            let file = read(text).ok().unwrap();
            assert!(file.tls_server_config.is_none() && file.basic_auth_users.is_none(), "{text}");
        }
        let file = read("tls_server_config: {prefer_server_cipher_suites: off}").ok().unwrap();
        assert!(!file.tls_server_config.unwrap().prefer_server_cipher_suites.unwrap().0);
    }
}
