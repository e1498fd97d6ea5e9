//! Tests of the whole: the built binary, real servers, the structure of the source.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that cannot go on should stop, and the world is what these tests are about"
)]

mod architecture;
mod as_nginx;
mod assumed_request;
mod capture;
mod cert_folder;
mod certificate;
mod certificate_variables;
mod cipher_string;
mod cli;
mod client_certificate;
mod client_file;
mod completions;
mod contrib;
mod diff;
mod ending;
mod endpoint;
mod every_ending;
mod examples;
mod fetch;
mod file;
mod fleet;
mod formats;
mod front_doors;
mod fuzz;
mod gate;
mod hello;
mod hostile;
mod keystores;
mod kubernetes;
mod listeners;
mod log;
mod mutation;
mod nginx;
mod nginx_command;
mod nginx_meaning;
mod nginx_mutants;
mod nginx_reader;
mod nginx_startup;
mod odd_chains;
mod openssl;
mod packaging;
mod pages;
mod passwords;
mod patch;
mod peers;
mod places;
mod plain_text;
mod proxy;
mod quic;
mod registry;
mod rehearse;
mod rehearse_against;
mod rehearse_answer;
mod rehearse_changes;
mod rehearse_files;
mod rehearse_requests;
mod rehearse_sockets;
mod replay;
mod reports;
mod repository;
mod reproduce;
mod revocation;
mod running;
mod scan;
mod serve;
mod serve_attacked;
mod serve_protected;
mod stacks;
mod staple;
mod steady;
mod support;
mod traffic;
mod unix_sockets;
mod verdict;
mod web_config;
mod zoo;
