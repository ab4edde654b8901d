//! What it is: the compression of WebSocket messages (RFC 7692, section 7.2), bounded on the way in.
//! What it is not: its negotiation (`extension`), nor frames (`reader`, `websocket`).
//! Who calls it: `reader` for what comes, `websocket` for what goes.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::reason::TransportFault;

/// What ends each compressed message, and is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The window that any client's compression fits in, in bits.
const MAX_BITS: u8 = 15;

/// The least that is made room for, in bytes.
const STEP: usize = 512;

/// Contexts that a thread keeps for messages that are compressed on their own, of each kind.
const SPARES: usize = 4;

thread_local! {
    static INFLATES: RefCell<Vec<Inflate>> = const { RefCell::new(Vec::new()) };
    static DEFLATES: RefCell<Vec<(Kind, Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Reads compressed messages. It owns no memory before the first byte of one.
#[derive(Debug, Default)]
pub(crate) struct Inflate(Option<Box<Decompress>>);

impl Inflate {
    /// Leaves it to the next message of this thread.
    pub(crate) fn give_back(mut self) {
        let Some(inflate) = &mut self.0 else { return };
        inflate.reset(false);
        INFLATES.with_borrow_mut(|spares| {
            if spares.len() < SPARES {
                spares.push(self);
            }
        });
    }

    /// Reads on in a message, and appends what that gives to `output`.
    ///
    /// # Errors
    /// It is no compressed data, or `output` would be longer than `limit`.
    pub(crate) fn run(&mut self, mut input: &[u8], output: &mut Vec<u8>, limit: usize) -> Result<(), TransportFault> {
        if input.is_empty() {
            return Ok(());
        }
        let inflate = self.0.get_or_insert_with(|| {
            let spare = INFLATES.with_borrow_mut(Vec::pop).and_then(|spare| spare.0);
            spare.unwrap_or_else(|| Box::new(Decompress::new_with_window_bits(false, MAX_BITS)))
        });
        loop {
            if output.len() == output.capacity() {
                // Doubled at most: what a few bytes can become is not what they are.
                output.reserve_exact(output.len().clamp(STEP, limit.saturating_sub(output.len()).max(STEP)));
            }
            let before = inflate.total_in();
            let status = inflate.decompress_vec(input, output, FlushDecompress::None);
            let status = status.map_err(|_| TransportFault::Compression)?;
            input = &input[(inflate.total_in() - before) as usize..];
            if output.len() > limit {
                return Err(TransportFault::TooLarge);
            }
            match status {
                // Section 7.2.3.4: a final block may come; what follows it starts anew.
                Status::StreamEnd => inflate.reset(false),
                // Not all room was used, so nothing is held back.
                _ if input.is_empty() && output.len() < output.capacity() => return Ok(()),
                _ => {}
            }
            if input.is_empty() && status == Status::StreamEnd {
                return Ok(());
            }
        }
    }

    /// Reads the end of a message.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>, limit: usize) -> Result<(), TransportFault> {
        self.run(&TAIL, output, limit)
    }
}

/// What contexts of one kind have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Size of the window, 9 to 15 bits.
    pub(crate) bits: u8,
    /// From 0, none, to 9, best.
    pub(crate) level: u32,
}

/// Writes compressed messages.
#[derive(Debug)]
pub(crate) struct Deflate {
    kind: Kind,
    context: Context,
}

#[derive(Debug)]
enum Context {
    /// Each message is compressed on its own.
    None,
    /// Each with what went before in mind.
    Kept(Box<Compress>),
}

impl Deflate {
    pub(crate) fn new(kind: Kind, keep_context: bool) -> Self {
        let context = if keep_context { Context::Kept(Box::new(kind.context())) } else { Context::None };
        Self { kind, context }
    }

    /// The payload of the compressed message; `None` when it is better sent as it is.
    pub(crate) fn run(&mut self, input: &[u8]) -> Option<Vec<u8>> {
        // Section 7.2.3.6: compressed it is one byte, which a kept context does not write a second time.
        if input.is_empty() {
            return None;
        }
        match &mut self.context {
            // What is in the client's window has to be in ours: once compressed it is sent like that.
            Context::Kept(context) => Some(compress(context, input)),
            Context::None => {
                let spare = DEFLATES.with_borrow_mut(|spares| {
                    let at = spares.iter().position(|(kind, _)| *kind == self.kind)?;
                    Some(spares.swap_remove(at).1)
                });
                let mut context = spare.unwrap_or_else(|| self.kind.context());
                let output = compress(&mut context, input);
                context.reset();
                DEFLATES.with_borrow_mut(|spares| {
                    if spares.len() < SPARES {
                        spares.push((self.kind, context));
                    }
                });
                Some(output).filter(|output| output.len() < input.len())
            }
        }
    }
}

impl Kind {
    fn context(self) -> Compress {
        Compress::new_with_window_bits(Compression::new(self.level), false, self.bits)
    }
}

fn compress(context: &mut Compress, mut input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len() / 2 + STEP);
    loop {
        let before = context.total_in();
        context
            .compress_vec(input, &mut output, FlushCompress::Sync)
            .expect("compressing from memory to memory does not fail");
        input = &input[(context.total_in() - before) as usize..];
        // Not all room was used, so all was written.
        if input.is_empty() && output.len() < output.capacity() {
            break;
        }
        output.reserve(STEP.max(output.len() / 2));
    }
    if output.ends_with(&TAIL) {
        output.truncate(output.len() - TAIL.len());
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { bits: 15, level: 6 };
    const LIMIT: usize = 1_000_000;

    fn inflated(inflate: &mut Inflate, input: &[u8]) -> Result<Vec<u8>, TransportFault> {
        let mut output = Vec::new();
        inflate.run(input, &mut output, LIMIT)?;
        inflate.finish(&mut output, LIMIT)?;
        Ok(output)
    }

    /// RFC 7692, section 7.2.3.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let rows: [&[u8]; 4] = [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ];
        for row in rows {
            assert_eq!(inflated(&mut Inflate::default(), row).as_deref(), Ok(b"Hello".as_slice()), "{row:x?}");
        }
        let mut kept = Inflate::default();
        assert_eq!(
            inflated(&mut kept, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).as_deref(),
            Ok(b"Hello".as_slice())
        );
        assert_eq!(inflated(&mut kept, &[0xf2, 0x00, 0x11, 0x00, 0x00]).as_deref(), Ok(b"Hello".as_slice()));
    }

    #[test]
    fn what_is_compressed_is_read_again() {
        let noise: Vec<u8> = (0..70_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for keep_context in [false, true] {
            for bits in 9..=15 {
                let mut deflate = Deflate::new(Kind { bits, ..KIND }, keep_context);
                let mut inflate = Inflate::default();
                for input in [b"".as_slice(), b"a", b"", b"", &[7; 100_000], &noise, b"", &[7; 100_000]] {
                    if let Some(output) = deflate.run(input) {
                        assert!(inflated(&mut inflate, &output).as_deref() == Ok(input));
                    }
                }
            }
        }
    }

    /// T30: what a bomb becomes is bounded, and so is the memory for it.
    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let mut compressed = Deflate::new(KIND, true).run(&vec![0; 50_000_000]).expect("kept contexts always compress");
        compressed.truncate(40_000);
        let mut output = Vec::new();
        let stopped = Inflate::default().run(&compressed, &mut output, LIMIT);
        assert_eq!(stopped, Err(TransportFault::TooLarge));
        assert!(output.capacity() <= 2 * LIMIT, "{}", output.capacity());
    }

    #[test]
    fn memory_to_read_with_is_taken_with_the_first_byte() {
        let (mut inflate, mut output) = (Inflate::default(), Vec::new());
        assert_eq!(inflate.run(&[], &mut output, LIMIT), Ok(()));
        assert!(inflate.0.is_none() && output.capacity() == 0);
        assert_eq!(inflate.run(&[0xf2], &mut output, LIMIT), Ok(()));
        assert!(inflate.0.is_some());
    }

    #[test]
    fn what_is_no_compressed_data_is_refused() {
        assert_eq!(inflated(&mut Inflate::default(), &[0xff; 10]), Err(TransportFault::Compression));
    }
}
