//! The hello that nginx's settings result in.

use serde::{Deserialize, Serialize};

use super::NginxClient;
use crate::openssl::cipher_string::{self, CipherStringError};
use crate::openssl::conf_command::{Commands, LeftOut};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::tls::extension::Extension;
use crate::tls::hello::ClientHello;
use crate::tls::profile::Profile;
use crate::tls::suite::CipherSuite;
use crate::tls::version::ProtocolVersion;

/// Why no hello can be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HelloError {
    /// The cipher list.
    #[error(transparent)]
    Ciphers(#[from] CipherStringError),
    /// No version is left.
    #[error("the protocols include no version that this OpenSSL supports")]
    NoVersion,
    /// No cipher suite is left for the versions.
    #[error("none of the cipher suites can be used with the protocols")]
    NoSuite,
}

/// The schemes that TLS 1.3 alone cannot use (`tls12_sigalg_allowed`): with SHA-1, SHA-224 and DSA.
const OLDER_SCHEMES: [u16; 9] =
    [0x0201, 0x0202, 0x0203, 0x0301, 0x0302, 0x0303, 0x0402, 0x0502, 0x0602];

/// The suites of TLS 1.3 in OpenSSL's order.
const SUITES_TLS13: [u16; 3] = [0x1302, 0x1303, 0x1301];

impl NginxClient {
    /// The versions in the hello, oldest first.
    pub fn versions(&self) -> Vec<ProtocolVersion> {
        let default = || crate::nginx::defaults::protocols(self.release()).to_vec();
        let configured = self.protocols.clone().unwrap_or_else(default);
        let commands = self.commands();
        let mut versions: Vec<ProtocolVersion> = ProtocolVersion::ALL.to_vec();
        versions.retain(|version| commands.allows(*version, configured.contains(version)));
        if !configured.contains(&ProtocolVersion::SSL3) {
            versions.retain(|version| *version > ProtocolVersion::SSL3);
        }
        if self.library >= OpensslRelease::V3_2 && self.security_level() > 0 {
            versions.retain(|version| *version >= ProtocolVersion::TLS1_2);
        }
        lowest_run(&versions)
    }

    /// The hello, byte for byte what this library sends with these settings.
    pub fn hello(&self) -> Result<ClientHello, HelloError> {
        let versions = self.versions();
        let newest = *versions.last().ok_or(HelloError::NoVersion)?;
        let commands = self.commands();
        let cipher_suites = self.cipher_suites(versions[0], newest, &commands)?;
        let base = self.profile(versions[0], newest, &commands);
        let key_shares = match base.key_shares.as_slice() {
            [] => base.groups.iter().take(1).copied().collect(),
            shares => shares.to_vec(),
        };
        let profile = Profile {
            versions,
            cipher_suites,
            key_shares,
            alpn: self.alpn.clone(),
            server_name: true,
            ..base
        };
        let mut hello = profile.hello(self.sni());
        if !commands.left_out.contains(&LeftOut::Ticket) {
            hello = hello.with(Extension::SessionTicket(Vec::new()));
        }
        if !commands.left_out.contains(&LeftOut::ExtendedMasterSecret) {
            hello = hello.with(Extension::ExtendedMasterSecret);
        }
        if commands.left_out.contains(&LeftOut::SessionId) {
            hello.session_id.clear();
        }
        Ok(hello)
    }

    /// The cipher suites for these versions, those of TLS 1.3 first.
    fn cipher_suites(
        &self,
        oldest: ProtocolVersion,
        newest: ProtocolVersion,
        commands: &Commands,
    ) -> Result<Vec<CipherSuite>, HelloError> {
        let list = cipher_string::evaluate(&self.cipher_list(), security_level::DEFAULT)?;
        let mut suites = Vec::new();
        if newest == ProtocolVersion::TLS1_3 {
            let default = || SUITES_TLS13.map(CipherSuite).to_vec();
            suites.extend(commands.cipher_suites.clone().unwrap_or_else(default));
        }
        let offered = |suite: &CipherSuite| cipher_string::offered_with(*suite, newest);
        if oldest < ProtocolVersion::TLS1_3 {
            suites.extend(list.suites.into_iter().filter(offered));
        }
        if suites.is_empty() { Err(HelloError::NoSuite) } else { Ok(suites) }
    }

    /// The library's own hello, without what these versions cannot use.
    fn profile(
        &self,
        oldest: ProtocolVersion,
        newest: ProtocolVersion,
        commands: &Commands,
    ) -> Profile {
        let mut base = self.library.profile();
        if let Some(groups) = &commands.groups {
            base.groups.clone_from(&groups.offered);
            base.key_shares.clone_from(&groups.shares);
        }
        if let Some(schemes) = &commands.schemes {
            base.signature_schemes.clone_from(schemes);
        }
        if newest < ProtocolVersion::TLS1_3 {
            base.groups.retain(|group| !group.is_finite_field() && !group.is_post_quantum());
            base.key_shares.clear();
            if newest < ProtocolVersion::TLS1_2 {
                base.signature_schemes.clear();
            }
        } else if oldest == ProtocolVersion::TLS1_3 {
            base.signature_schemes.retain(|scheme| !OLDER_SCHEMES.contains(&scheme.0));
        }
        base
    }
}

/// The versions up to the first gap: OpenSSL ignores those after it (`ssl_get_min_max_version`).
fn lowest_run(versions: &[ProtocolVersion]) -> Vec<ProtocolVersion> {
    let mut sorted = versions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let whole = sorted.iter().zip(sorted.iter().skip(1)).take_while(|(a, b)| b.0 == a.0 + 1);
    let length = (whole.count() + 1).min(sorted.len());
    sorted.truncate(length);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_protocols_ends_the_offer() {
        let named = |text: &str| -> Vec<ProtocolVersion> {
            text.split(' ').map(|word| word.parse().unwrap()).collect()
        };
        let offered = |text: &str| lowest_run(&named(text));
        assert_eq!(offered("TLSv1.3 TLSv1"), named("TLSv1"));
        assert_eq!(offered("TLSv1.2 TLSv1.3"), named("TLSv1.2 TLSv1.3"));
        assert_eq!(offered("TLSv1 TLSv1.1 TLSv1.3"), named("TLSv1 TLSv1.1"));
        assert_eq!(lowest_run(&[]), []);
    }

    #[test]
    fn a_hello_follows_the_settings() {
        let mut client = NginxClient::new("a.test");
        let suites = client.hello().unwrap().cipher_suites;
        assert_eq!(suites[0], CipherSuite(0x1302));
        client.protocols = Some(vec![ProtocolVersion::TLS1_2]);
        client.ciphers = "ECDHE-RSA-AES128-GCM-SHA256".to_owned();
        let hello = client.hello().unwrap();
        assert_eq!(hello.version, ProtocolVersion::TLS1_2);
        assert_eq!(hello.cipher_suites[0], CipherSuite(0xc02f));
        client.protocols = Some(Vec::new());
        assert_eq!(client.hello(), Err(HelloError::NoVersion));
    }
}
