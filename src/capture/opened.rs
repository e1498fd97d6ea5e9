//! What a direction showed in records that were opened with the keys of a key log.

use super::moment::CaptureMoment;
use crate::tls::alert::AlertDescription;

/// Alerts that are kept.
const MAX_ALERTS: usize = 8;

/// An alert that was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedAlert {
    /// What it says.
    pub description: AlertDescription,
    /// When it came.
    pub at: CaptureMoment,
    /// The last data or ticket that was sent before it.
    pub after: Option<CaptureMoment>,
}

impl OpenedAlert {
    /// Whether it only says that its sender is done.
    pub fn is_goodbye(&self) -> bool {
        matches!(self.description, AlertDescription::CLOSE_NOTIFY | AlertDescription(90))
    }
}

/// What was opened of a direction; of data nothing but that it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedTls {
    /// When the handshake's last message came.
    pub finished: Option<CaptureMoment>,
    /// When data or a ticket was sent last.
    pub last_sent: Option<CaptureMoment>,
    /// Alerts.
    pub alerts: Vec<OpenedAlert>,
    /// Tickets of TLS 1.3 to resume with.
    pub tickets: u16,
    /// How often keys were updated.
    pub updates: u16,
}

impl OpenedTls {
    /// Takes an alert: its level, which means nothing in TLS 1.3, and what it says.
    pub(super) fn alert(&mut self, body: &[u8], at: CaptureMoment) {
        if let [_, description] = *body
            && self.alerts.len() < MAX_ALERTS
        {
            let description = AlertDescription(description);
            self.alerts.push(OpenedAlert { description, at, after: self.last_sent });
        }
    }

    /// The first alert that says that something is wrong, or that its sender leaves before its handshake is finished.
    pub(super) fn refusal(&self) -> Option<&OpenedAlert> {
        let complaint = self.alerts.iter().find(|alert| !alert.is_goodbye());
        complaint.or(self.alerts.first().filter(|_| self.finished.is_none()))
    }
}
