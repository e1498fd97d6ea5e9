//! The hello that nginx's settings result in.

use serde::{Deserialize, Serialize};

use super::NginxClient;
use crate::openssl::cipher_string::{self, CipherStringError};
use crate::openssl::conf_command::{Commands, LeftOut};
use crate::openssl::release::OpensslRelease;
use crate::openssl::security_level;
use crate::tls::extension::{Extension, ExtensionType};
use crate::tls::hello::ClientHello;
use crate::tls::profile::Profile;
use crate::tls::scheme::SignatureScheme;
use crate::tls::suite::{Authentication, CipherSuite};
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

/// The suites of TLS 1.3 with keys of 256 bits.
const LONG_KEYS: [u16; 2] = [0x1302, 0x1303];

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
        let least = match (self.library >= OpensslRelease::V3_2, self.security_level()) {
            (true, 1..) | (false, 4..) => ProtocolVersion::TLS1_2,
            (false, 3) => ProtocolVersion::TLS1_1,
            _ => ProtocolVersion::SSL3,
        };
        versions.retain(|version| *version >= least);
        lowest_run(&versions)
    }

    /// The hello, byte for byte what this library sends with these settings.
    pub fn hello(&self) -> Result<ClientHello, HelloError> {
        let versions = self.versions();
        let newest = *versions.last().ok_or(HelloError::NoVersion)?;
        let commands = self.commands();
        let level = self.security_level();
        let base = self.profile(versions[0], newest, &commands, level);
        let schemes = &base.signature_schemes;
        let mut cipher_suites = self.cipher_suites(versions[0], newest, &commands, level)?;
        cipher_suites.retain(|suite| can_be_signed(*suite, schemes));
        if cipher_suites.is_empty() {
            return Err(HelloError::NoSuite);
        }
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
        // Tickets are forbidden from level 3 on (`SSL_SECOP_TICKET`).
        let is_out = |part: LeftOut| {
            commands.left_out.contains(&part) || part == LeftOut::Ticket && level >= 3
        };
        let (ticket, secret) =
            (Extension::SessionTicket(Vec::new()), Extension::ExtendedMasterSecret);
        if !is_out(LeftOut::Ticket) {
            hello = hello.with(ticket);
        }
        if !is_out(LeftOut::ExtendedMasterSecret) {
            hello = hello.with(secret);
        }
        for (part, kind) in [
            (LeftOut::Ticket, ExtensionType::SESSION_TICKET),
            (LeftOut::ExtendedMasterSecret, ExtensionType::EXTENDED_MASTER_SECRET),
            (LeftOut::EncryptThenMac, ExtensionType::ENCRYPT_THEN_MAC),
        ] {
            hello.extensions.retain(|extension| !is_out(part) || extension.kind() != kind);
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
        level: u8,
    ) -> Result<Vec<CipherSuite>, HelloError> {
        let list = cipher_string::evaluate(&self.cipher_list(), level)?;
        let mut suites = Vec::new();
        if newest == ProtocolVersion::TLS1_3 {
            let default = || SUITES_TLS13.map(CipherSuite).to_vec();
            let named = commands.cipher_suites.clone().unwrap_or_else(default);
            let bits = |suite: &CipherSuite| if LONG_KEYS.contains(&suite.0) { 256 } else { 128 };
            let least = security_level::least_bits(level);
            suites.extend(named.into_iter().filter(|suite| bits(suite) >= least));
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
        level: u8,
    ) -> Profile {
        let mut base = self.library.profile();
        let least = security_level::least_bits(level);
        with_weak_schemes(&mut base.signature_schemes);
        if let Some(groups) = &commands.groups {
            base.groups.clone_from(&groups.offered);
            base.key_shares.clone_from(&groups.shares);
        }
        if let Some(schemes) = &commands.schemes {
            base.signature_schemes.clone_from(schemes);
        }
        let bits = |scheme| security_level::scheme_bits(scheme, self.library);
        base.signature_schemes.retain(|scheme| bits(*scheme) >= least);
        base.groups.retain(|group| security_level::group_bits(*group) >= least);
        base.key_shares.retain(|group| security_level::group_bits(*group) >= least);
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

/// Adds the schemes with SHA-1, which the recorded hellos, all of the usual level, leave out: each stands behind that with
/// SHA-224.
fn with_weak_schemes(schemes: &mut Vec<SignatureScheme>) {
    for (before, weak) in [(0x0303, 0x0203), (0x0301, 0x0201), (0x0302, 0x0202)] {
        let weak = SignatureScheme(weak);
        let at = schemes.iter().position(|scheme| scheme.0 == before);
        if let Some(at) = at.filter(|_| !schemes.contains(&weak)) {
            schemes.insert(at + 1, weak);
        }
    }
}

/// Whether a certificate for the suite could sign with one of the schemes (`ssl_set_sig_mask`).
fn can_be_signed(suite: CipherSuite, schemes: &[SignatureScheme]) -> bool {
    let low =
        |number: u8| schemes.iter().any(|one| one.0 < 0x0800 && one.0.to_be_bytes()[1] == number);
    let of = |numbers: &[u16]| schemes.iter().any(|one| numbers.contains(&one.0));
    // Without the extension, before TLS 1.2, nothing is excluded.
    schemes.is_empty()
        || match suite.authentication() {
            Some(Authentication::Rsa) => {
                low(1) || of(&[0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b])
            }
            Some(Authentication::Dss) => low(2),
            Some(Authentication::Ecdsa) => low(3) || of(&[0x0807, 0x0808, 0x081a, 0x081b, 0x081c]),
            _ => true,
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
