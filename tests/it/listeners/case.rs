//! One generated socket of nginx with its servers: the settings that turn clients away, several at once.

use super::has_commands;
use super::material::Material;
use crate::support::dice::Dice;

/// The module that a socket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Http,
    Stream,
    Mail,
}

impl Module {
    pub(super) const ALL: [Self; 3] = [Self::Http, Self::Stream, Self::Mail];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Stream => "stream",
            Self::Mail => "mail",
        }
    }
}

/// One socket.
pub(super) struct Case {
    pub(super) module: Module,
    /// The `server` blocks, in which `ADDRESS` stands for the address and the port.
    pub(super) servers: String,
}

/// The settings that a server may have; those of versions and suites are more often sound than not.
const PROTOCOLS: [&str; 8] = [
    "",
    "ssl_protocols TLSv1.2 TLSv1.3;",
    "ssl_protocols TLSv1.2;",
    "ssl_protocols TLSv1.3;",
    "ssl_protocols TLSv1 TLSv1.1;",
    "ssl_protocols TLSv1 TLSv1.1 TLSv1.2;",
    "ssl_protocols TLSv1.1 TLSv1.3;",
    "ssl_protocols TLSv1.2 TLSv1.3;",
];
const CIPHERS: [&str; 12] = [
    "",
    "ssl_ciphers HIGH:!aNULL:!MD5;",
    "ssl_ciphers ECDHE+AESGCM;",
    "ssl_ciphers ECDHE+CHACHA20;",
    "ssl_ciphers ECDHE+CHACHA20:!AES;",
    "ssl_ciphers AES128-SHA;",
    "ssl_ciphers AES256-GCM-SHA384;",
    "ssl_ciphers DEFAULT:@SECLEVEL=0;",
    "ssl_ciphers HIGH:!kRSA:!SHA1;",
    "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256;",
    "ssl_ciphers ECDHE+AESGCM:@SECLEVEL=0;",
    "ssl_ciphers ECDHE-RSA-CAMELLIA256-SHA384:ECDHE-ECDSA-CAMELLIA256-SHA384;",
];
const CURVES: [&str; 8] = [
    "",
    "",
    "",
    "ssl_ecdh_curve X25519;",
    "ssl_ecdh_curve secp384r1;",
    "ssl_ecdh_curve secp521r1;",
    "ssl_ecdh_curve X448;",
    "ssl_ecdh_curve prime256v1:secp384r1;",
];
const COMMANDS: [&str; 10] = [
    "",
    "",
    "",
    "",
    "",
    "ssl_conf_command CipherString ECDHE+CHACHA20;",
    "ssl_conf_command MinProtocol TLSv1.3;",
    "ssl_conf_command MaxProtocol TLSv1.2;",
    "ssl_conf_command Groups X448:secp521r1;",
    "ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;",
];

impl Case {
    pub(super) fn roll(dice: &mut Dice, material: &Material) -> Self {
        let module = match dice.roll(10) {
            0 => Module::Stream,
            1 => Module::Mail,
            _ => Module::Http,
        };
        let count = if module == Module::Http { 1 + dice.roll(3) } else { 1 };
        let mut servers = String::new();
        let rejects = module == Module::Http && dice.one_in(8);
        if rejects && has_commands() {
            servers.push_str(
                "server {\nlisten ADDRESS ssl default_server;\nssl_reject_handshake on;\n}\n",
            );
        }
        for index in 0..count {
            let name = ["a.test", "b.test", "c.test"][usize::try_from(index).unwrap()];
            servers.push_str(&server(module, name, dice, material));
        }
        Self { module, servers }
    }

    /// The whole configuration of the socket.
    pub(super) fn configuration(&self, address: &str) -> String {
        let servers = self.servers.replace("ADDRESS", address);
        format!("events {{}}\n{} {{\n{servers}}}\n", self.module.name())
    }
}

/// The protocols of mail servers.
const MAIL: [&str; 3] = [
    "protocol imap; auth_http 127.0.0.1:1;",
    "protocol pop3; auth_http 127.0.0.1:1;",
    "protocol smtp; smtp_auth none; auth_http 127.0.0.1:1;",
];

fn server(module: Module, name: &str, dice: &mut Dice, material: &Material) -> String {
    let mut lines = vec!["listen ADDRESS ssl;".to_owned()];
    match module {
        Module::Http => lines.push(format!("server_name {name};")),
        Module::Stream => lines.push("return x;".to_owned()),
        Module::Mail => lines.push((*dice.pick(&MAIL)).to_owned()),
    }
    lines.extend(dice.pick(&material.certificates).iter().cloned());
    let pools: [&[&str]; 4] = [&PROTOCOLS, &CIPHERS, &CURVES, &COMMANDS];
    lines.extend(pools.map(|pool| (*dice.pick(pool)).to_owned()));
    lines.retain(|line| has_commands() || !line.starts_with("ssl_conf_command"));
    if dice.one_in(6) {
        let value = dice.pick(&["on", "optional"]);
        lines.push(format!(
            "ssl_client_certificate {};\nssl_verify_client {value};",
            material.clients
        ));
    }
    lines.retain(|line| !line.is_empty());
    format!("server {{\n{}\n}}\n", lines.join("\n"))
}
