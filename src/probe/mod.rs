//! Probing: the only room with sockets and tasks. What it brings home is an [`crate::observation::Observation`].
