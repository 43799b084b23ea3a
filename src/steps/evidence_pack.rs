//! Lines, compressed into parts of a bounded size. Pure.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Lines on their way into parts.
pub(super) struct Packer {
    part: GzEncoder<Vec<u8>>,
    part_bytes: usize,
    /// Whether lines are in the part that is not full yet.
    begun: bool,
    /// Whether a part was full.
    some: bool,
    /// All lines so far.
    pub count: u64,
}

impl Packer {
    /// A part is full with this many compressed bytes, and a little more.
    pub fn new(part_bytes: usize) -> Self {
        Self { part: encoder(), part_bytes, begun: false, some: false, count: 0 }
    }

    /// Adds a line. Gives a part where it is full.
    pub fn push(&mut self, line: &str) -> io::Result<Option<Vec<u8>>> {
        self.part.write_all(line.as_bytes())?;
        self.part.write_all(b"\n")?;
        self.count += 1;
        self.begun = true;
        if self.part.get_ref().len() < self.part_bytes {
            return Ok(None);
        }
        (self.begun, self.some) = (false, true);
        std::mem::replace(&mut self.part, encoder()).finish().map(Some)
    }

    /// What is left; an empty part where there was nothing at all.
    pub fn last(&mut self) -> io::Result<Option<Vec<u8>>> {
        let part = std::mem::replace(&mut self.part, encoder()).finish()?;
        Ok((self.begun || !self.some).then_some(part))
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::default())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::terraform::stage::hex;

    fn unpacked(part: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(part).read_to_string(&mut text).expect("a part that stands alone");
        text
    }

    #[test]
    fn parts_are_bounded_stand_alone_and_hold_each_line_once_in_order() {
        const LIMIT: usize = 64 << 10;
        // What cannot be compressed to less than half.
        let lines: Vec<String> = (0..10_000).map(|number: u32| hex(&Sha256::digest(number.to_le_bytes()))).collect();
        let (mut packer, mut parts) = (Packer::new(LIMIT), Vec::new());
        for line in &lines {
            parts.extend(packer.push(line).expect("it is packed"));
        }
        parts.extend(packer.last().expect("it is packed"));
        assert!(parts.len() > 3 && parts.iter().all(|part| part.len() < 3 * LIMIT), "{}", parts.len());
        assert_eq!(packer.count, 10_000);
        let text: String = parts.iter().map(|part| unpacked(part)).collect();
        assert!(text.lines().eq(lines.iter().map(String::as_str)));
    }

    #[test]
    fn nothing_is_one_empty_part_and_a_full_part_is_followed_by_none() {
        let mut packer = Packer::new(1);
        let nothing = packer.last().expect("it is packed").expect("a part");
        assert_eq!(unpacked(&nothing), "");
        let mut packer = Packer::new(1);
        assert_eq!(packer.push("a").expect("it is packed").map(|part| unpacked(&part)), Some("a\n".into()));
        assert_eq!(packer.last().expect("it is packed"), None);
    }
}
