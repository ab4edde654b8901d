//! What it is: WebSocket frames that a client may have written, right or wrong, as a script of bytes chooses.
//! What it is not: a reader of them.
//! Who calls it: libFuzzer and the replay test: so the reader meets deep states that random bytes seldom reach.
//!
//! The first two bytes are as in `reader`.
//!
//! | byte of a frame's script | what it is |
//! |---|---|
//! | first | the frame's first byte: FIN, reserved bits, opcode |
//! | second, bits 0 and 1 | the payload: 0 and 1 as it is; 2 compressed; 3 one half of what is compressed |
//! | bits 2 and 3 | the length: 0 as short as can be; 1 in two bytes; 2 in eight; 3 one more than comes |
//! | bits 4 and 5 | both set: no mask |
//! | bits 6 and 7 | how often the payload is repeated: once, 4, 64 or 1024 times |
//! | third | how many bytes of payload follow |
//!
//! What was compressed and has not been sent goes before what is compressed next.

use std::cell::RefCell;

use engineio::reader::Compressed;
use flate2::{Compress, Compression, FlushCompress};

use crate::{
    reader::{begin, check},
    reading::TAIL,
};

/// Most bytes of one payload, and bytes after which no frame follows: more than any reader here lets pass.
const MAX_BYTES: usize = 70_100;

/// Masks all frames.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

thread_local! {
    /// Reset for each input; a new one would be most of the time.
    static CONTEXT: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Reads the frames that the input describes.
pub fn frames(data: &[u8]) {
    let Some((limits, cuts, script)) = begin(data) else { return };
    check(&write(script, limits.compressed), limits, cuts);
}

/// The frames of a script, up to where it breaks off or has written enough.
fn write(mut script: &[u8], compressed: Compressed) -> Vec<u8> {
    CONTEXT.with_borrow_mut(|context| {
        let (mut bytes, mut waiting, mut begun) = (Vec::new(), Vec::new(), false);
        while bytes.len() < MAX_BYTES
            && let Some(([first, how, size], rest)) = script.split_first_chunk()
        {
            let (literal, after) = rest.split_at(rest.len().min(usize::from(*size)));
            script = after;
            let times = [1, 4, 64, 1024][usize::from(how >> 6)];
            let payload = literal.repeat(times.min(MAX_BYTES / literal.len().max(1)));
            if how & 3 < 2 {
                frame(&mut bytes, *first, *how, &payload);
                continue;
            }
            if !payload.is_empty() {
                if !begun || compressed != Compressed::Continued {
                    context.reset();
                    begun = true;
                }
                waiting.extend(compress(context, &payload));
            }
            let count = if how & 3 == 2 { waiting.len() } else { waiting.len().div_ceil(2) };
            frame(&mut bytes, *first, *how, &waiting.drain(..count).collect::<Vec<_>>());
        }
        bytes
    })
}

fn frame(bytes: &mut Vec<u8>, first: u8, how: u8, payload: &[u8]) {
    let masked = how & 0x30 != 0x30;
    let mask_bit = if masked { 0x80 } else { 0 };
    let length = payload.len() as u64 + u64::from(how & 0x0c == 0x0c);
    bytes.push(first);
    match (how >> 2 & 3, length) {
        (0 | 3, 0..=125) => bytes.push(mask_bit | length as u8),
        (0 | 1 | 3, 0..=0xffff) => {
            bytes.push(mask_bit | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if !masked {
        return bytes.extend(payload);
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
}

/// As RFC 7692, section 7.2.1, says.
fn compress(context: &mut Compress, mut input: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len() + 1024);
    loop {
        let before = context.total_in();
        context.compress_vec(input, &mut output, FlushCompress::Sync).expect("from memory to memory");
        input = &input[(context.total_in() - before) as usize..];
        if input.is_empty() && output.len() < output.capacity() {
            break;
        }
        output.reserve(1024);
    }
    output.truncate(output.len() - if output.ends_with(&TAIL) { TAIL.len() } else { 0 });
    output
}
