//! Parsed chains, kept so that a chain met again is not parsed again. Bounded, whatever a server sends.
