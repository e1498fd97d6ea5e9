//! A generated upstream, and an nginx that connects to it: common faults, several at once.

use std::fmt::Write;

use super::material::Material;
use crate::support::dice::Dice;
use crate::support::pki::Files;

/// An upstream, and the directives of the proxy in front of it.
pub(super) struct Case {
    /// What is unusual about it, for messages.
    pub(super) what: String,
    /// The address, without the port.
    pub(super) ip: String,
    /// The `server` blocks, with `PORT` as the port.
    servers: String,
    /// The host in `proxy_pass`; if it is not an address, there is an upstream block with this name.
    pub(super) pass: String,
    /// The `proxy_ssl_*` directives by the suffixes of their names.
    pub(super) directives: Vec<(&'static str, String)>,
}

/// OpenSSL commands of proxies.
const COMMANDS: [&str; 16] = [
    "Groups P-384",
    "Curves P-521:X25519",
    "MinProtocol TLSv1.3",
    "MaxProtocol TLSv1.2",
    "Protocol -TLSv1.3",
    "CipherString ECDHE-RSA-AES128-GCM-SHA256",
    "CipherString DEFAULT:@SECLEVEL=0",
    "CipherString DEFAULT:@SECLEVEL=3",
    "Ciphersuites TLS_AES_128_GCM_SHA256",
    "SignatureAlgorithms RSA+SHA256:RSA+SHA384:RSA-PSS+SHA256",
    "SignatureAlgorithms ECDSA+SHA256",
    "Options -SessionTicket,-MiddleboxCompat",
    "Options UnsafeLegacyServerConnect",
    "Options -ExtendedMasterSecret,-EncryptThenMac",
    "ClientSignatureAlgorithms RSA+SHA256",
    "RecordPadding 512",
];

impl Case {
    /// The case with that number.
    ///
    /// `commands`: whether nginx has `proxy_ssl_conf_command`.
    pub(super) fn roll(index: usize, dice: &mut Dice, material: &Material, commands: bool) -> Self {
        let mut case = Self {
            what: String::new(),
            ip: format!("127.2.{}.{}", index / 250, 1 + index % 250),
            servers: String::new(),
            pass: String::new(),
            directives: Vec::new(),
        };
        case.roll_upstream(dice, material);
        case.roll_proxy(index, dice, material);
        case.roll_lists(&mut Dice(20_261_129 + u64::try_from(index).unwrap()), material);
        if commands {
            case.roll_command(&mut Dice(20_261_130 + u64::try_from(index).unwrap()));
        }
        case
    }

    /// A quarter of the proxies have an OpenSSL command.
    fn roll_command(&mut self, dice: &mut Dice) {
        if dice.one_in(4) {
            let command: &&str = dice.pick(&COMMANDS);
            self.set("conf_command", command);
        }
    }

    /// A third of the proxies that verify have revocation lists; half of these files are in order.
    fn roll_lists(&mut self, dice: &mut Dice, material: &Material) {
        let verifies = self.directives.iter().any(|(suffix, _)| *suffix == "verify");
        if verifies && dice.one_in(3) {
            let (word, file) =
                if dice.one_in(2) { &material.lists[0] } else { dice.pick(&material.lists) };
            self.note(&format!("with {word}"));
            self.set("crl", file);
        }
    }

    fn note(&mut self, words: &str) {
        write!(self.what, "{words}; ").unwrap();
    }

    fn roll_upstream(&mut self, dice: &mut Dice, material: &Material) {
        let (word, files) =
            if dice.one_in(2) { &material.servers[0] } else { dice.pick(&material.servers) };
        let mut settings = String::new();
        let protocols = match dice.roll(10) {
            0..=5 => "TLSv1.2 TLSv1.3",
            6 => "TLSv1.3",
            7 => "TLSv1.2",
            8 => "TLSv1 TLSv1.1",
            _ => "TLSv1 TLSv1.1 TLSv1.2",
        };
        write!(settings, "ssl_protocols {protocols}; ").unwrap();
        let ciphers = match dice.roll(10) {
            0 => "AES128-SHA:@SECLEVEL=0",
            1 => "ECDHE+CHACHA20:@SECLEVEL=0",
            2 => "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-SHA:@SECLEVEL=0",
            3 => "CAMELLIA128-SHA:@SECLEVEL=0",
            _ => "DEFAULT:@SECLEVEL=0",
        };
        let dh = dice.pick(&material.dh);
        write!(settings, "ssl_ciphers {ciphers}; ssl_dhparam {dh}; ").unwrap();
        let asks = dice.one_in(6);
        if asks {
            let file = &material.clients;
            write!(settings, "ssl_client_certificate {file}; ssl_verify_client on; ").unwrap();
        }
        self.note(&format!("upstream {word}, {protocols}, {ciphers}, client certificate {asks}"));
        let server = |flags: &str, name: &str, files: &Files, more: &str| {
            format!(
                "server {{ listen ADDRESS:PORT ssl {flags}; server_name {name}; ssl_certificate {};
                 ssl_certificate_key {}; {settings} {more} return 200; }}\n",
                files.certificate.display(),
                files.key.display()
            )
        };
        self.servers = match dice.roll(5) {
            0 => {
                self.note("refuses unknown names");
                let refusing = server("default_server", "_", files, "ssl_reject_handshake on;");
                refusing + &server("", "a.test", files, "")
            }
            1 => {
                self.note("shows another certificate by default");
                let other = &material.servers[6].1;
                server("default_server", "_", other, "") + &server("", "a.test", files, "")
            }
            _ => server("default_server", "a.test", files, ""),
        };
    }

    fn roll_proxy(&mut self, index: usize, dice: &mut Dice, material: &Material) {
        self.pass = match dice.roll(4) {
            0 => format!("{}:PORT", self.ip),
            1 => format!("up{index}.test"),
            _ => format!("backend{index}"),
        };
        if dice.one_in(2) {
            self.set("server_name", "on");
        }
        match dice.roll(6) {
            0..=2 => self.set("name", "a.test"),
            3 => self.set("name", "wrong.invalid"),
            _ => {}
        }
        match dice.roll(8) {
            0 => self.set("protocols", "TLSv1.2"),
            1 => self.set("protocols", "TLSv1.3"),
            2 => self.set("protocols", "TLSv1 TLSv1.1"),
            3..=5 => self.set("protocols", "TLSv1.2 TLSv1.3"),
            _ => {}
        }
        match dice.roll(8) {
            0 => self.set("ciphers", "ECDHE-RSA-AES128-GCM-SHA256"),
            1 => self.set("ciphers", "HIGH:!aNULL:!MD5:!kRSA"),
            2 => self.set("ciphers", "DEFAULT:@SECLEVEL=1"),
            3 => self.set("ciphers", "ALL:!kECDHE"),
            _ => {}
        }
        if dice.one_in(2) {
            self.set("verify", "on");
            let (word, file) =
                if dice.one_in(3) { dice.pick(&material.trusted) } else { &material.trusted[0] };
            self.note(&format!("trusts the {word}"));
            self.set("trusted_certificate", file);
            match dice.roll(5) {
                0 => self.set("verify_depth", "0"),
                1 => self.set("verify_depth", "2"),
                _ => {}
            }
        }
        let identity = match dice.roll(8) {
            0 | 1 => Some(&material.client),
            2 => Some(&material.stranger),
            _ => None,
        };
        if let Some(files) = identity {
            self.set("certificate", &files.certificate.display().to_string());
            self.set("certificate_key", &files.key.display().to_string());
        }
    }

    fn set(&mut self, suffix: &'static str, value: &str) {
        self.directives.push((suffix, value.to_owned()));
    }

    /// The upstream's `server` blocks.
    pub(super) fn upstream(&self, port: u16) -> String {
        self.servers.replace("ADDRESS", &self.ip).replace("PORT", &port.to_string())
    }

    /// The proxy's location, with an upstream block if one is used.
    pub(super) fn location(
        &self,
        index: usize,
        port: u16,
        changed: &[(String, String)],
    ) -> (String, String) {
        let host = self.pass.replace("PORT", &port.to_string());
        let block = if self.pass.contains("PORT") {
            String::new()
        } else {
            format!("upstream {host} {{ server {}:{port}; }}\n", self.ip)
        };
        let named = |suffix: &str| format!("proxy_ssl_{suffix}");
        let kept = self.directives.iter().map(|(suffix, value)| (named(suffix), value.clone()));
        // A command is replaced by another value for the same setting, and any other directive by its new value.
        let key = |name: &str, value: &str| match name {
            "proxy_ssl_conf_command" => value.split(' ').next().unwrap().to_owned(),
            name => name.to_owned(),
        };
        let kept = kept.filter(|(name, value)| {
            !changed.iter().any(|(new, to)| new == name && key(new, to) == key(name, value))
        });
        let lines: Vec<String> = kept
            .chain(changed.iter().cloned())
            .map(|(name, value)| format!("{name} {value};"))
            .collect();
        (
            block,
            format!("location = /{index} {{ proxy_pass https://{host}; {} }}\n", lines.join(" ")),
        )
    }

    /// The same as a target.
    pub(super) fn target(&self, index: usize, port: u16) -> String {
        let mut text = format!(
            "[[target]]\naddress = '{}:{port}'\nname = '{index}'\nserver_name = 'a.test'\n[target.proxy_ssl]\npass = '{}'\n",
            self.ip,
            self.pass.replace(":PORT", "")
        );
        for (suffix, value) in &self.directives {
            let value = match (*suffix, value.as_str()) {
                ("server_name" | "verify", word) => (word == "on").to_string(),
                ("verify_depth", number) => number.to_owned(),
                ("protocols", words) => {
                    let words: Vec<String> =
                        words.split(' ').map(|word| format!("'{word}'")).collect();
                    format!("[{}]", words.join(", "))
                }
                ("conf_command", text) => format!("['{text}']"),
                (_, text) => format!("'{text}'"),
            };
            writeln!(text, "{suffix} = {value}").unwrap();
        }
        text
    }
}
