//! Complete handshakes that offer only what is tested: they confirm the answers to raw hellos.
//!
//! A `ServerHello` shows what a server would use. Only a complete handshake without a later alert shows that it works.

use std::sync::Arc;

use super::complete::Caller;
use super::connect::Permits;
use super::follow_up;
use super::offer::Offer;
use super::plan::{Cell, Resume};
use crate::observation::{Cause, Failure, Stage};
use crate::tls::scheme::SignatureScheme;
use crate::tls::version::ProtocolVersion;

/// The result of a complete handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmed {
    /// The scheme in which the server signed.
    pub(super) scheme: Option<SignatureScheme>,
}

impl Caller<'_> {
    /// Makes one complete handshake of that shape, and reads what the server sends after it.
    ///
    /// A request for a client certificate is enough, whether or not the server requires one.
    pub(super) async fn confirm(
        &self,
        sni: Option<&str>,
        version: ProtocolVersion,
        offer: &Offer,
    ) -> Result<Confirmed, Failure> {
        let cell = Cell { sni: sni.map(ToOwned::to_owned), version, resume: Resume::No };
        let kit = self.kit(&cell, offer)?;
        let connection = self.open().await?;
        let waits = self.waits(connection.took);
        let shaken = self.shake_hands(connection.stream, &cell, Arc::clone(&kit.config)).await;
        let ended = match shaken {
            Err(failure) => Err(failure),
            Ok(mut stream) => {
                let late = follow_up::part(&mut stream, self.goodbye(), waits.event).await;
                late.map_or(Ok(()), |cause| Err(Failure { stage: Stage::PostHandshake, cause }))
            }
        };
        drop::<Permits>(connection.permits);
        let ended = match ended {
            Err(Failure { stage: Stage::PostHandshake, cause: Cause::Reset }) => {
                let alert = self.look_again(&cell, offer).await;
                alert.map_or(Ok(()), |cause| Err(Failure { stage: Stage::PostHandshake, cause }))
            }
            ended => ended,
        };
        let asked = kit.recorder.saw_request();
        let confirmed = Confirmed { scheme: kit.recorder.take().scheme };
        match ended {
            Err(failure) if !asked => Err(failure),
            _ => Ok(confirmed),
        }
    }
}
