//! What it is: any bytes as what comes by WebSocket, in pieces of any size, with compression and without.
//! What it is not: what the server answers (`tests/engineio_wire`).
//! Who calls it: libFuzzer and the replay test; `frames`, with bytes of its own.
//!
//! The first byte of an input says what may come, the second how it is cut. Of the first byte two bits are for the
//! compression: 1, each message on its own; 2, each with those before it in mind; else none. With the next bit, more
//! may come.

use engineio::{
    Config, TransportFault,
    reader::{Compressed, Reader, Unit},
};

use crate::reading::{Limits, Reading};

/// Memory beside twice what came: the first step of a message's memory and of a ping's.
const SPARE_BYTES: usize = 1024;

/// Inputs up to this size are also read byte by byte.
const SMALL: usize = 1024;

/// Reads the input as it is.
pub fn reader(data: &[u8]) {
    let Some((limits, cuts, bytes)) = begin(data) else { return };
    check(bytes, limits, cuts);
}

/// Takes the first two bytes of an input.
pub(crate) fn begin(data: &[u8]) -> Option<(Limits, u8, &[u8])> {
    let ([options, cuts], bytes) = data.split_first_chunk()?;
    let compressed = match options & 3 {
        1 => Compressed::Alone,
        2 => Compressed::Continued,
        _ => Compressed::Never,
    };
    // The larger one is more than a length of two bytes says.
    let (max_payload, max_fragments) = if options & 4 == 0 { (300, 3) } else { (70_000, 20) };
    Some((Limits { compressed, max_payload, max_fragments }, *cuts, bytes))
}

/// Reads the bytes whole and in pieces, and compares with the naive reading.
pub(crate) fn check(bytes: &[u8], limits: Limits, cuts: u8) {
    let reading = Reading::of(bytes, limits);
    check_pieces(bytes, limits, &reading, || bytes.len());
    let mut state = u32::from(cuts);
    check_pieces(bytes, limits, &reading, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Few are long: the top bits choose how many of the next ones count.
        1 + (state >> 8 & ((1 << (state >> 29)) - 1)) as usize * (bytes.len() / SMALL + 1)
    });
    if bytes.len() <= SMALL {
        check_pieces(bytes, limits, &reading, || 1);
    }
}

fn check_pieces(bytes: &[u8], limits: Limits, reading: &Reading, mut size: impl FnMut() -> usize) {
    let Limits { compressed, max_payload, max_fragments } = limits;
    let config = Config { max_payload, max_fragments: max_fragments as u32, ..Config::default() };
    let mut reader = Reader::new(&config, compressed);
    let (mut bytes, mut units, mut came) = (bytes.to_vec(), 0, 0);
    let mut rest = bytes.as_mut_slice();
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at_mut(size().min(rest.len()));
        rest = after;
        came += piece.len();
        if let Err(fault) = read(&mut reader, &mut piece, reading, &mut units) {
            assert!(reading.faults.contains(&fault), "{fault:?} is none of {:?}", reading.faults);
            assert_eq!(units, reading.units.len(), "a fault takes no unit with it");
            return;
        }
        let most = if compressed == Compressed::Never { came.min(max_payload) } else { max_payload };
        assert!(reader.capacity() <= 2 * most + SPARE_BYTES, "{} bytes", reader.capacity());
    }
    assert_eq!((reading.faults.as_slice(), units), (&[][..], reading.units.len()), "something was overlooked");
    assert_eq!(reader.is_unfinished(), reading.unfinished);
    let most = if reading.unfinished { 2 * reading.kept + SPARE_BYTES } else { 0 };
    assert!(reader.capacity() <= most, "{} bytes for {}", reader.capacity(), reading.kept);
}

/// Reads all units of one piece, each of which has to be the next one of the naive reading.
fn read(
    reader: &mut Reader,
    piece: &mut &mut [u8],
    reading: &Reading,
    units: &mut usize,
) -> Result<(), TransportFault> {
    while let Some(unit) = reader.read(piece)? {
        assert_eq!(Some(&unit), reading.units.get(*units));
        if matches!(unit, Unit::Message(_)) {
            assert_eq!((reader.is_unfinished(), reader.capacity()), (false, 0), "nothing is kept of a whole message");
        }
        *units += 1;
    }
    assert!(piece.is_empty(), "all bytes are taken");
    Ok(())
}
