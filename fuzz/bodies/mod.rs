//! What is fuzzed: one function for each reader of what strangers write, with seeds that are made from real files and
//! real handshakes. The functions only use the library's public items, so they run as targets of cargo-fuzz as well as
//! in a test.

mod certificates;
mod logs;
mod nginx;
mod seeds;
mod settings;
mod wire;

/// One reader.
#[derive(Clone, Copy)]
pub(crate) struct FuzzTarget {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Reads the input; whatever it is, this neither panics nor takes long.
    pub(crate) body: fn(&[u8]),
    /// Valid inputs to start from.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something to the reader.
    pub(crate) words: &'static [&'static str],
}

/// Every reader.
pub(crate) const TARGETS: &[FuzzTarget] = &[
    FuzzTarget { name: "flight", body: wire::flight, seeds: seeds::flights, words: &[] },
    FuzzTarget {
        name: "certificate",
        body: certificates::findings,
        seeds: seeds::certificates,
        words: &[],
    },
    FuzzTarget {
        name: "formats",
        body: certificates::formats,
        seeds: seeds::certificates,
        words: seeds::MARKUP,
    },
    FuzzTarget { name: "ocsp", body: certificates::staple, seeds: seeds::staples, words: &[] },
    FuzzTarget {
        name: "revocation-list",
        body: certificates::revocation_list,
        seeds: seeds::revocation_lists,
        words: &[],
    },
    FuzzTarget {
        name: "cipher-string",
        body: settings::cipher_string,
        seeds: seeds::cipher_strings,
        words: seeds::CIPHERS,
    },
    FuzzTarget {
        name: "configuration",
        body: nginx::configuration,
        seeds: seeds::configurations,
        words: seeds::DIRECTIVES,
    },
    FuzzTarget {
        name: "ingress",
        body: nginx::ingress,
        seeds: seeds::ingresses,
        words: seeds::FIELDS,
    },
    FuzzTarget {
        name: "error-line",
        body: logs::error_line,
        seeds: seeds::error_lines,
        words: seeds::MESSAGES,
    },
    FuzzTarget {
        name: "access-log",
        body: logs::access_log,
        seeds: seeds::access_logs,
        words: seeds::VARIABLES,
    },
    FuzzTarget {
        name: "json-log",
        body: logs::any_log,
        seeds: seeds::json_logs,
        words: seeds::MESSAGES,
    },
    FuzzTarget {
        name: "targets",
        body: settings::targets,
        seeds: seeds::targets,
        words: seeds::KEYS,
    },
    FuzzTarget {
        name: "inventory",
        body: settings::inventory,
        seeds: seeds::inventories,
        words: seeds::MARKUP,
    },
    FuzzTarget {
        name: "openssl-config",
        body: settings::openssl_config,
        seeds: seeds::openssl_configs,
        words: seeds::CIPHERS,
    },
    FuzzTarget { name: "key-log", body: wire::key_log, seeds: seeds::key_logs, words: &[] },
    FuzzTarget { name: "gate", body: settings::gate, seeds: seeds::gates, words: seeds::KEYS },
    FuzzTarget {
        name: "saved-report",
        body: settings::saved_report,
        seeds: seeds::saved_reports,
        words: seeds::FIELDS,
    },
    FuzzTarget {
        name: "observations",
        body: settings::observations,
        seeds: seeds::observations,
        words: seeds::FIELDS,
    },
    FuzzTarget { name: "capture", body: wire::capture, seeds: seeds::captures, words: &[] },
];
