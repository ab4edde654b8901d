//! What it is: a naive reading of what a client sends by WebSocket (RFC 6455, section 5; RFC 7692, section 7.2).
//! What it is not: fast, nor able to read in pieces: it has all bytes, and inflates them all for each frame.
//! Who calls it: `reader`, which expects `engineio::reader` to find the same.

use bytes::Bytes;
use engineio::{
    Message, TransportFault,
    reader::{Compressed, Unit},
};
use flate2::{Decompress, FlushDecompress, Status};

/// What ends a compressed message, and is not sent.
pub(crate) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// What a reader lets pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) compressed: Compressed,
    pub(crate) max_payload: usize,
    pub(crate) max_fragments: usize,
}

/// What is in the bytes.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) units: Vec<Unit>,
    /// What may be said of the frame after them, if something is wrong with it.
    pub(crate) faults: Vec<TransportFault>,
    /// Whether something began that is not whole.
    pub(crate) unfinished: bool,
    /// Bytes of that, inflated.
    pub(crate) kept: usize,
    limits: Limits,
    message: Option<Partial>,
    /// Compressed messages that came before, if the next ones may refer to them.
    history: Vec<u8>,
}

/// Fragments of a message.
#[derive(Debug)]
struct Partial {
    text: bool,
    compressed: bool,
    fragments: usize,
    payload: Vec<u8>,
}

impl Reading {
    pub(crate) fn of(bytes: &[u8], limits: Limits) -> Self {
        let (units, faults, history) = (Vec::new(), Vec::new(), Vec::new());
        let mut reading = Self { units, faults, unfinished: false, kept: 0, limits, message: None, history };
        let mut rest = bytes;
        while let Some(after) = reading.frame(rest).filter(|_| reading.faults.is_empty()) {
            rest = after;
        }
        reading.unfinished = !rest.is_empty() || reading.message.is_some();
        reading
    }

    /// Reads one frame, and returns what follows it. `None` when it is not whole, or wrong.
    fn frame<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = second & 0x80 != 0;
        let (header, rest) = bytes.split_at_checked(2 + extended + if masked { 4 } else { 0 })?;
        let length = match extended {
            0 => u64::from(second & 0x7f),
            _ => header[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        let shortest = [(2, 126), (8, 0x10000)].iter().all(|(size, least)| extended != *size || length >= *least);
        if !masked || !shortest {
            return self.fail(TransportFault::Frame);
        }
        self.check(first, length)?;
        let came = rest.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        let mask = header.last_chunk::<4>()?;
        let payload: Vec<u8> = rest[..came].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        let whole = came as u64 == length;
        if first & 0x0f >= 8 {
            if !whole {
                self.kept += came;
                return None;
            }
            return self.control(first & 0x0f, payload).map(|()| &rest[came..]);
        }
        self.data(first, &payload, whole)?;
        Some(&rest[came..]).filter(|_| whole)
    }

    fn fail<T>(&mut self, fault: TransportFault) -> Option<T> {
        self.faults.push(fault);
        None
    }

    /// Whether such a frame may come now. Begins a message, or another fragment of it.
    fn check(&mut self, first: u8, length: u64) -> Option<()> {
        let (fin, compressed, reserved) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x30 != 0);
        let well_formed = match (first & 0x0f, &self.message) {
            (0, Some(_)) => !compressed,
            (1 | 2, None) => !compressed || self.limits.compressed != Compressed::Never,
            (8..=10, _) => fin && !compressed && length <= 125,
            _ => false,
        };
        if reserved || !well_formed {
            return self.fail(TransportFault::Frame);
        }
        if first & 0x0f >= 8 {
            return Some(());
        }
        let message = self.message.get_or_insert_with(|| Partial {
            text: first & 0x0f == 1,
            compressed,
            fragments: 0,
            payload: Vec::new(),
        });
        message.fragments += 1;
        let (fragments, before) = (message.fragments, if message.compressed { 0 } else { message.payload.len() });
        if fragments > self.limits.max_fragments {
            return self.fail(TransportFault::Fragments);
        }
        if before as u128 + u128::from(length) > self.limits.max_payload as u128 {
            return self.fail(TransportFault::TooLarge);
        }
        Some(())
    }

    fn control(&mut self, opcode: u8, payload: Vec<u8>) -> Option<()> {
        let payload = Bytes::from(payload);
        self.units.push(match (opcode, &payload[..]) {
            (9, _) => Unit::Ping(payload),
            (10, _) => Unit::Pong,
            (_, []) => Unit::Close(payload),
            (_, [high, low, reason @ ..]) if may_close_with(*high, *low) => {
                if str::from_utf8(reason).is_err() {
                    return self.fail(TransportFault::Utf8);
                }
                Unit::Close(payload)
            }
            _ => return self.fail(TransportFault::Frame),
        });
        Some(())
    }

    /// A frame of a message, or its beginning.
    fn data(&mut self, first: u8, payload: &[u8], whole: bool) -> Option<()> {
        let mut message = self.message.take()?;
        message.payload.extend_from_slice(payload);
        let complete = whole && first & 0x80 != 0;
        let (data, sound) = if message.compressed {
            let tail = if complete { &TAIL[..] } else { &[] };
            self.inflate(&[&message.payload[..], tail].concat())
        } else {
            (message.payload.clone(), true)
        };
        let within = &data[..data.len().min(self.limits.max_payload)];
        let too_large = within.len() < data.len();
        let text = if message.text { str::from_utf8(within).err() } else { None };
        let no_text = text.is_some_and(|error| error.error_len().is_some() || complete && !too_large && sound);
        // A reader that inflates bit by bit may meet any of these first.
        self.faults.extend([TransportFault::Utf8].into_iter().filter(|_| no_text));
        self.faults.extend([TransportFault::TooLarge].into_iter().filter(|_| too_large));
        self.faults.extend([TransportFault::Compression].into_iter().filter(|_| !sound));
        if !self.faults.is_empty() {
            return None;
        }
        self.kept = data.len();
        if !complete {
            self.message = Some(message);
            return Some(());
        }
        self.kept = 0;
        if message.compressed && self.limits.compressed == Compressed::Continued {
            self.history.extend([&message.payload[..], &TAIL].concat());
        }
        self.units.push(Unit::Message(if message.text {
            Message::Text(String::from_utf8(data).expect("checked").into())
        } else {
            Message::Binary(data.into())
        }));
        Some(())
    }

    /// What a compressed message becomes, as far as it is no bomb and sound; and whether it is sound so far.
    fn inflate(&self, payload: &[u8]) -> (Vec<u8>, bool) {
        let before = inflate(&self.history, usize::MAX).0.len();
        let (mut data, sound) = inflate(&[&self.history, payload].concat(), before + 2 * self.limits.max_payload);
        (data.split_off(before), sound)
    }
}

/// Inflates until so much has come out. A stream that has ended is followed by another.
fn inflate(mut input: &[u8], limit: usize) -> (Vec<u8>, bool) {
    let mut output = Vec::with_capacity(1024);
    let mut stream = Decompress::new(false);
    loop {
        let (before, size) = (stream.total_in(), output.len());
        let status = stream.decompress_vec(input, &mut output, FlushDecompress::None);
        input = &input[(stream.total_in() - before) as usize..];
        match status {
            Err(_) => return (output, false),
            _ if output.len() > limit => return (output, true),
            Ok(Status::StreamEnd) if input.is_empty() => return (output, true),
            Ok(Status::StreamEnd) => stream = Decompress::new(false),
            Ok(_) if output.len() == output.capacity() => output.reserve(1024),
            Ok(_) if input.is_empty() || stream.total_in() == before && size == output.len() => return (output, true),
            Ok(_) => {}
        }
    }
}

/// The codes of RFC 6455, section 7.4, that may be sent; those registered since; and those of applications.
fn may_close_with(high: u8, low: u8) -> bool {
    let code = u16::from_be_bytes([high, low]);
    let reserved = [1004, 1005, 1006, 1015];
    (1000..1016).contains(&code) && !reserved.contains(&code) || (3000..5000).contains(&code)
}
