//! Rules about the server name in the hello (SNI): required, refused, or decisive for which certificate is presented.

pub mod sni_different_certificate;
pub mod sni_name_rejected;
pub mod sni_required;
