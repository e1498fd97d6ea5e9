//! The name in the hello: who needs it, who refuses it, and what is presented without it.

pub mod sni_different_certificate;
pub mod sni_name_rejected;
pub mod sni_required;
