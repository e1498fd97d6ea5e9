pub struct ClientHello { pub server_name: Option<String> }
impl ClientHello { pub fn probe(_: super::version::ProtocolVersion) -> Self { Self { server_name: None } } }
