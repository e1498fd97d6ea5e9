use crate::observation::*; use crate::tls::hello::ClientHello;
pub async fn exchange<S>(_: &mut S, _: &ClientHello, _: std::time::Duration) -> Result<RawChoice, Failure> { loop {} }
