//! Packets in, handshakes out: what a capture tells of TLS. Pure.
//!
//! [`frames`] takes a file apart, [`link`] and [`packet`] its packets, [`stream`] puts each direction of a connection together
//! again, [`half`] reads TLS from it, and [`talk`] holds both directions. [`conclusion`] says how a handshake ended, [`blame`] why, in
//! the words of the table of causes that `explain` and `log` share.
//!
//! A capture is written by strangers and is rarely whole: every length is bounded, and what is missing is said to be missing.

pub mod blame;
pub mod client_kinds;
pub mod client_print;
pub mod conclusion;
pub mod configured;
pub mod connections;
pub mod dtls;
pub mod exchange;
mod expansion;
pub mod failing;
pub mod filter;
mod fragments;
pub mod frames;
pub mod half;
pub mod intake;
pub mod kept;
pub mod kept_clients;
pub mod keylog;
pub mod learnt;
pub mod legs;
pub mod link;
mod moment;
pub mod opened;
mod opened_outcome;
pub mod packet;
pub mod pcapng;
pub mod placed;
pub mod placeholders;
mod preface;
pub mod quic;
pub mod record_layer;
mod sealed_sizes;
pub mod seen_answer;
pub mod seen_certificates;
pub mod seen_hello;
pub mod shown;
mod slots;
pub mod stream;
pub mod talk;
pub mod tally;
mod tunnel;
pub mod turns;
