use crate::observation::*;
pub async fn upgrade<S>(_: &mut S, _: crate::target::StartTls, _: &str) -> Result<(), Failure> { loop {} }
