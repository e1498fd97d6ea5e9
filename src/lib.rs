//! shakedown: from an nginx `SSL_do_handshake() failed` line to a verified fix.
//!
//! One direction, left to right. Only [`probe`] opens sockets; only [`report`] and [`cli`] write output; what lies
//! between is pure and needs neither a network nor a clock.
//!
//! ```text
//! sources -> Target -> Plan -> Observation -> Finding -> Report
//!            targets   probe   observation    audit      report
//! ```
//!
//! The rooms stand in a total order: each uses only those listed before it (`tests/it/architecture.rs` holds that, and
//! the blank lines below keep rustfmt from sorting them).

pub mod tls;

pub mod openssl;

pub mod certificate;

pub mod nginx;

pub mod log;

pub mod capture;

pub mod targets;

pub mod observation;

pub mod probe;

pub mod audit;

pub mod run;

pub mod report;

pub mod cli;
