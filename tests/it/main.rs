//! The tests that look at the whole: the built binary, real servers, the shape of the source.

mod architecture;
mod cli;
mod nginx;
mod openssl;
mod peers;
mod registry;
mod reports;
mod support;
