//! IP packets and what is in them: segments of TCP, datagrams of UDP.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpNumber, Ipv6ExtensionSlice, LaxIpSlice, LenSource, TcpSlice, UdpSlice, ip_number,
};

use super::fragments::{Defragmenter, Fragment, FragmentKey};
use super::frames::CapturedFrame;
use super::link::{Carried, carried, ip};
use super::tunnel;

/// Tunnels within tunnels that are followed.
const MAX_TUNNELS: usize = 4;

/// A segment of TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpSegment<'a> {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub target: SocketAddr,
    /// Number of the first byte, or of the SYN.
    pub sequence: u32,
    /// Number of the next byte that is expected from the peer, where it says.
    pub acknowledged: Option<u32>,
    /// It opens the connection.
    pub syn: bool,
    /// The sender has no more to send.
    pub fin: bool,
    /// The connection is broken off.
    pub rst: bool,
    /// What was kept of the data.
    pub payload: &'a [u8],
    /// Bytes of the data that were sent and not kept.
    pub cut: usize,
}

/// A datagram of UDP.
#[derive(Clone, Copy, Debug)]
pub struct UdpDatagram<'a> {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub target: SocketAddr,
    /// What was kept of the data.
    pub payload: &'a [u8],
}

/// What a frame turned out to hold.
#[derive(Clone, Copy, Debug)]
pub enum Transport<'a> {
    /// A segment of TCP.
    Tcp(TcpSegment<'a>),
    /// A datagram of UDP.
    Udp(UdpDatagram<'a>),
}

/// Frames by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// All of them.
    pub frames: u64,
    /// Segments of TCP.
    pub tcp: u64,
    /// Datagrams of UDP.
    pub udp: u64,
    /// Other protocols.
    pub other: u64,
    /// Frames of which too little was kept, or whose headers contradict themselves.
    pub unreadable: u64,
    /// Frames of a kind of link that is not read here.
    pub unknown_link: u64,
    /// Frames that were not kept whole.
    pub cut: u64,
}

/// What is known of a packet from outside of it.
#[derive(Clone, Copy)]
struct Envelope {
    time: i64,
    /// Bytes of the frame's end that were not kept.
    cut: usize,
    /// Tunnels around it.
    tunnels: usize,
}

/// Takes frames apart.
#[derive(Debug, Default)]
pub struct Dissector {
    /// What came by.
    pub counts: FrameCounts,
    fragments: Defragmenter,
}

impl Dissector {
    /// Packets of which fragments are missing.
    pub fn fragments_given_up(&self) -> u64 {
        self.fragments.given_up
    }

    /// Hands on what the frame holds.
    pub fn frame(&mut self, frame: CapturedFrame<'_>, take: impl FnOnce(Transport<'_>)) {
        self.counts.frames += 1;
        self.counts.cut += u64::from(frame.cut > 0);
        match carried(frame.link, frame.bytes) {
            Carried::Ip(packet) => {
                let envelope = Envelope { time: frame.time, cut: frame.cut, tunnels: 0 };
                self.packet(packet, envelope, take);
            }
            Carried::Other => self.counts.other += 1,
            Carried::Cut => self.counts.unreadable += 1,
            Carried::UnknownLink => self.counts.unknown_link += 1,
        }
    }

    fn packet(&mut self, packet: &[u8], envelope: Envelope, take: impl FnOnce(Transport<'_>)) {
        let Ok((ip, _)) = LaxIpSlice::from_slice(packet) else {
            self.counts.unreadable += 1;
            return;
        };
        let payload = ip.payload();
        let ends = (ip.source_addr(), ip.destination_addr());
        if payload.fragmented {
            let whole = fragment(&ip).filter(|_| envelope.cut == 0 && !payload.incomplete);
            let whole = whole.and_then(|(key, fragment)| self.fragments.add(key, &fragment));
            if let Some(whole) = whole {
                self.transport(
                    ends,
                    payload.ip_number,
                    &whole,
                    Envelope { cut: 0, ..envelope },
                    take,
                );
            }
            return;
        }
        let cut = if payload.incomplete {
            declared(&ip).saturating_sub(packet.len())
        } else if payload.len_source == LenSource::Slice {
            // Segments that the network card is to divide may not have a length yet.
            envelope.cut
        } else {
            0
        };
        self.transport(
            ends,
            payload.ip_number,
            payload.payload,
            Envelope { cut, ..envelope },
            take,
        );
    }

    fn transport(
        &mut self,
        (source, target): (IpAddr, IpAddr),
        protocol: IpNumber,
        bytes: &[u8],
        envelope: Envelope,
        take: impl FnOnce(Transport<'_>),
    ) {
        let Envelope { time, cut, .. } = envelope;
        match protocol {
            ip_number::TCP => {
                let Ok(tcp) = TcpSlice::from_slice(bytes) else {
                    self.counts.unreadable += 1;
                    return;
                };
                self.counts.tcp += 1;
                take(Transport::Tcp(TcpSegment {
                    time,
                    source: SocketAddr::new(source, tcp.source_port()),
                    target: SocketAddr::new(target, tcp.destination_port()),
                    sequence: tcp.sequence_number(),
                    acknowledged: tcp.ack().then(|| tcp.acknowledgment_number()),
                    syn: tcp.syn(),
                    fin: tcp.fin(),
                    rst: tcp.rst(),
                    payload: tcp.payload(),
                    cut,
                }));
            }
            ip_number::UDP => {
                let Ok(udp) = UdpSlice::from_slice_lax(bytes) else {
                    self.counts.unreadable += 1;
                    return;
                };
                self.counts.udp += 1;
                let inner = tunnel::in_udp(udp.destination_port(), udp.payload());
                if let Some(Carried::Ip(packet)) = inner {
                    self.inner(packet, envelope, take);
                    return;
                }
                take(Transport::Udp(UdpDatagram {
                    time,
                    source: SocketAddr::new(source, udp.source_port()),
                    target: SocketAddr::new(target, udp.destination_port()),
                    payload: udp.payload(),
                }));
            }
            ip_number::GRE => self.tunnel(tunnel::gre(bytes), envelope, take),
            ip_number::IPV4 | ip_number::IPV6 => self.tunnel(ip(bytes), envelope, take),
            _ => self.counts.other += 1,
        }
    }

    fn tunnel(
        &mut self,
        carried: Carried<'_>,
        envelope: Envelope,
        take: impl FnOnce(Transport<'_>),
    ) {
        match carried {
            Carried::Ip(packet) => self.inner(packet, envelope, take),
            Carried::Cut => self.counts.unreadable += 1,
            Carried::Other | Carried::UnknownLink => self.counts.other += 1,
        }
    }

    fn inner(&mut self, packet: &[u8], envelope: Envelope, take: impl FnOnce(Transport<'_>)) {
        if envelope.tunnels >= MAX_TUNNELS {
            self.counts.other += 1;
            return;
        }
        let tunnels = envelope.tunnels + 1;
        self.packet(packet, Envelope { tunnels, ..envelope }, take);
    }
}

/// The length of the packet as its header has it.
fn declared(ip: &LaxIpSlice<'_>) -> usize {
    const IPV6_HEADER: usize = 40;
    match ip {
        LaxIpSlice::Ipv4(ip) => ip.header().total_len().into(),
        LaxIpSlice::Ipv6(ip) => IPV6_HEADER + usize::from(ip.header().payload_length()),
    }
}

/// The packet as a fragment of another.
fn fragment<'a>(ip: &LaxIpSlice<'a>) -> Option<(FragmentKey, Fragment<'a>)> {
    let payload = ip.payload();
    let key = |identification, protocol: IpNumber| FragmentKey {
        source: ip.source_addr(),
        target: ip.destination_addr(),
        identification,
        protocol: protocol.0,
    };
    match ip {
        LaxIpSlice::Ipv4(ip) => {
            let header = ip.header();
            let key = key(header.identification().into(), header.protocol());
            let (offset, more) = (header.fragments_offset(), header.more_fragments());
            Some((key, Fragment { offset, more, payload: payload.payload }))
        }
        LaxIpSlice::Ipv6(ip) => {
            let header =
                ip.extensions().clone().into_iter().find_map(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(header) => Some(header),
                    _ => None,
                })?;
            let key = key(header.identification(), header.next_header());
            let (offset, more) = (header.fragment_offset(), header.more_fragments());
            Some((key, Fragment { offset, more, payload: payload.payload }))
        }
    }
}
