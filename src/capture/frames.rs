//! Capture files as frames: pcap in either byte order with micro- or nanoseconds, and pcapng, from any reader.

use std::io::{self, Chain, Cursor, Read};
use std::sync::{Arc, OnceLock};

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, PcapBlockOwned, PcapError, SecretsType, create_reader};

/// Bytes that are read at once.
const BUFFER: usize = 256 * 1024;

/// No honest block is longer, in bytes.
const MAX_BLOCK: usize = 16 * 1024 * 1024;

/// No honest section header is longer, in bytes.
const MAX_SECTION_HEADER: usize = 64 * 1024;

/// Interfaces of one section that are told apart.
const MAX_INTERFACES: usize = 4096;

/// What a section header block of pcapng begins with.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Bytes of the file header of pcap.
const FILE_HEADER: usize = 24;

/// Nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;

/// One frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct CapturedFrame<'a> {
    /// Nanoseconds since 1970, as the capturing host's clock had it.
    pub time: i64,
    /// The kind of link by its registered number.
    pub link: u16,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How many bytes of its end were not kept.
    pub cut: usize,
}

/// What a capture holds.
#[derive(Clone, Copy, Debug)]
pub enum CaptureBlock<'a> {
    /// A frame.
    Frame(CapturedFrame<'a>),
    /// The text of a key log.
    Secrets(&'a [u8]),
}

/// Why no more frames can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramesError {
    /// It begins like no capture.
    #[error("it is neither pcap nor pcapng")]
    NotACapture,
    /// It ends in the middle of a block.
    #[error("it is cut short")]
    CutShort,
    /// A block contradicts itself, or is larger than any honest one.
    #[error("it is damaged after {0} frames")]
    Damaged(u64),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// An interface of pcapng, or the only one of pcap.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    /// Units of a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
    snaplen: u32,
}

/// Reads the frames of a capture one by one.
pub struct Frames<'r> {
    reader: Box<dyn PcapReaderIterator + 'r>,
    interfaces: Vec<Interface>,
    /// Frames handed out so far.
    count: u64,
    consume: usize,
    last: i64,
    failed: Failed,
}

impl<'r> Frames<'r> {
    /// Begins with the file's header.
    pub fn new<R: Read + 'r>(source: R) -> Result<Self, FramesError> {
        let source = with_header(source)?;
        let failed = Failed::default();
        let reader = create_reader(BUFFER, Uninterrupted { source, failed: Arc::clone(&failed) });
        let reader = reader.map_err(|_| FramesError::NotACapture)?;
        Ok(Self { reader, interfaces: Vec::new(), count: 0, consume: 0, last: 0, failed })
    }

    /// Frames handed out so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Hands the next frame on, or secrets; whether there was one.
    pub fn next_block(&mut self, take: impl FnOnce(CaptureBlock<'_>)) -> Result<bool, FramesError> {
        loop {
            self.reader.consume(std::mem::take(&mut self.consume));
            match self.reader.next() {
                Ok((length, block)) => {
                    self.consume = length;
                    if let Some(secrets) = secrets(&block) {
                        take(CaptureBlock::Secrets(secrets));
                        return Ok(true);
                    }
                    let frame = frame(&block, &mut self.interfaces, self.last);
                    if let Some(frame) = frame {
                        self.count += 1;
                        self.last = frame.time;
                        take(CaptureBlock::Frame(frame));
                        return Ok(true);
                    }
                }
                Err(PcapError::Eof) => return Ok(false),
                Err(PcapError::Incomplete(_)) => self.refill()?,
                Err(PcapError::BufferTooSmall) => self.grow()?,
                Err(PcapError::UnexpectedEof) => return Err(FramesError::CutShort),
                Err(PcapError::ReadError) => return Err(self.unreadable()),
                Err(_) => return Err(FramesError::Damaged(self.count)),
            }
        }
    }

    fn refill(&mut self) -> Result<(), FramesError> {
        let refilled = self.reader.refill().is_ok();
        if refilled { Ok(()) } else { Err(self.unreadable()) }
    }

    fn grow(&mut self) -> Result<(), FramesError> {
        let wanted = (self.reader.data().len() * 2).max(2 * BUFFER);
        if wanted > MAX_BLOCK || !self.reader.grow(wanted) {
            return Err(FramesError::Damaged(self.count));
        }
        self.refill()
    }

    fn unreadable(&self) -> FramesError {
        match self.failed.get() {
            // What is gzipped ends early.
            Some((io::ErrorKind::UnexpectedEof, _)) => FramesError::CutShort,
            Some((_, words)) => FramesError::Unreadable(words.clone()),
            None => FramesError::Unreadable("the source failed".to_owned()),
        }
    }
}

/// How the source failed; the parser does not say it.
type Failed = Arc<OnceLock<(io::ErrorKind, String)>>;

/// Reads on over interruptions.
struct Uninterrupted<R> {
    source: R,
    failed: Failed,
}

impl<R: Read> Read for Uninterrupted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, _)) = self.failed.get() {
            return Err((*kind).into());
        }
        loop {
            match self.source.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let _ = self.failed.set((error.kind(), error.to_string()));
                    return Err(error);
                }
                read => return read,
            }
        }
    }
}

/// A stream hands out its first bytes in pieces, and the header is wanted whole.
fn with_header<R: Read>(mut source: R) -> Result<Chain<Cursor<Vec<u8>>, R>, FramesError> {
    let mut header = Vec::new();
    let mut read_to = |header: &mut Vec<u8>, length: usize| {
        let missing = u64::try_from(length.saturating_sub(header.len())).unwrap_or(0);
        source.by_ref().take(missing).read_to_end(header).map(|_| ())
    };
    let unreadable = |error: io::Error| FramesError::Unreadable(error.to_string());
    read_to(&mut header, FILE_HEADER).map_err(unreadable)?;
    if let Some((&SECTION_HEADER, rest)) = header.split_first_chunk::<4>()
        && let [l0, l1, l2, l3, 0x1a, ..] | [l3, l2, l1, l0, 0x4d, ..] = rest
    {
        let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_SECTION_HEADER {
            return Err(FramesError::Damaged(0));
        }
        read_to(&mut header, length).map_err(unreadable)?;
    }
    Ok(Cursor::new(header).chain(source))
}

/// The text of a key log, if the block holds one.
fn secrets<'a>(block: &PcapBlockOwned<'a>) -> Option<&'a [u8]> {
    let PcapBlockOwned::NG(Block::DecryptionSecrets(secrets)) = block else { return None };
    let length = usize::try_from(secrets.secrets_len).ok()?;
    (secrets.secrets_type == SecretsType::TlsKeyLog).then_some(secrets.data.get(..length)?)
}

/// What a block holds, if it is a packet's.
fn frame<'a>(
    block: &PcapBlockOwned<'a>,
    interfaces: &mut Vec<Interface>,
    last: i64,
) -> Option<CapturedFrame<'a>> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let resolution =
                if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            *interfaces = vec![Interface {
                link: link_number(header.network.0),
                resolution,
                offset: 0,
                snaplen: header.snaplen,
            }];
            None
        }
        PcapBlockOwned::Legacy(packet) => {
            let interface = interfaces.first()?;
            let fraction = u64::from(packet.ts_usec);
            let time = i64::from(packet.ts_sec) * NANOS + nanos(fraction, interface.resolution);
            let bytes = packet.data;
            Some(CapturedFrame {
                time,
                link: interface.link,
                bytes,
                cut: cut(packet.origlen, bytes),
            })
        }
        PcapBlockOwned::NG(block) => ng_frame(block, interfaces, last),
    }
}

fn ng_frame<'a>(
    block: &Block<'a>,
    interfaces: &mut Vec<Interface>,
    last: i64,
) -> Option<CapturedFrame<'a>> {
    match block {
        Block::SectionHeader(_) => interfaces.clear(),
        Block::InterfaceDescription(described) if interfaces.len() < MAX_INTERFACES => {
            interfaces.push(Interface {
                link: link_number(described.linktype.0),
                resolution: resolution(described.if_tsresol),
                offset: described.if_tsoffset,
                snaplen: described.snaplen,
            });
        }
        Block::EnhancedPacket(packet) => {
            let interface = interfaces.get(usize::try_from(packet.if_id).ok()?)?;
            let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let time = time_of(units, interface);
            let kept = usize::try_from(packet.caplen).ok()?.min(packet.data.len());
            let bytes = packet.data.get(..kept)?;
            return Some(CapturedFrame {
                time,
                link: interface.link,
                bytes,
                cut: cut(packet.origlen, bytes),
            });
        }
        Block::SimplePacket(packet) => {
            let interface = interfaces.first()?;
            let mut kept = packet.data.len().min(usize::try_from(packet.origlen).ok()?);
            if interface.snaplen > 0 {
                kept = kept.min(usize::try_from(interface.snaplen).ok()?);
            }
            let bytes = packet.data.get(..kept)?;
            // It has no time of its own.
            return Some(CapturedFrame {
                time: last,
                link: interface.link,
                bytes,
                cut: cut(packet.origlen, bytes),
            });
        }
        _ => {}
    }
    None
}

/// The upper half of pcap's field says whether frames end in a checksum.
fn link_number(field: i32) -> u16 {
    let [low, high, ..] = field.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn cut(original: u32, kept: &[u8]) -> usize {
    usize::try_from(original).unwrap_or(0).saturating_sub(kept.len())
}

/// Units of a second: a power of ten, or of two.
fn resolution(exponent: u8) -> u64 {
    const MICROSECONDS: u64 = 1_000_000;
    let power = u32::from(exponent & 0x7f);
    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(power).unwrap_or(MICROSECONDS)
}

fn time_of(units: u64, interface: &Interface) -> i64 {
    let seconds = i64::try_from(units / interface.resolution).unwrap_or(i64::MAX);
    let seconds = seconds.saturating_add(interface.offset);
    let fraction = nanos(units % interface.resolution, interface.resolution);
    seconds.saturating_mul(NANOS).saturating_add(fraction)
}

fn nanos(fraction: u64, resolution: u64) -> i64 {
    let nanos = u128::from(fraction) * 1_000_000_000 / u128::from(resolution.max(1));
    i64::try_from(nanos).unwrap_or(0)
}
