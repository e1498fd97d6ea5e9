//! Host names: what a client asks for, and whether a certificate covers it (RFC 6125, RFC 9525).
