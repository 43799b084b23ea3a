//! How a large object is cut into parts. Pure.
//!
//! A multipart object's ETag is made of its parts' MD5s, so a copy has the source's ETag only where it is cut at the
//! same places (S3 User Guide: "Checking object integrity").

/// S3's limit on the parts of an upload.
pub(super) const MOST_PARTS: u64 = 10_000;

/// A range of bytes that is copied as one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// 1, 2, 3, …
    pub number: i32,
    pub first_byte: u64,
    /// Inclusive, as in the header `x-amz-copy-source-range`.
    pub last_byte: u64,
}

impl Part {
    pub(super) fn range(&self) -> String {
        format!("bytes={}-{}", self.first_byte, self.last_byte)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.last_byte - self.first_byte + 1
    }
}

/// How many parts an ETag `…-N` tells of; `None` for an ETag of one piece.
pub(super) fn parts_of_etag(etag: &str) -> Option<u64> {
    etag.rsplit_once('-')?.1.parse().ok().filter(|count| (1..=MOST_PARTS).contains(count))
}

/// Parts of the given sizes, one after the other.
pub(super) fn cut_at(sizes: &[u64]) -> Vec<Part> {
    let mut first_byte = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for (number, size) in (1..).zip(sizes.iter().filter(|size| **size > 0)) {
        parts.push(Part { number, first_byte, last_byte: first_byte + size - 1 });
        first_byte += size;
    }
    parts
}

/// Parts of one size, the last one perhaps smaller.
pub(super) fn cut_evenly(size_bytes: u64, part_bytes: u64) -> Vec<Part> {
    let part_bytes = part_bytes.max(1);
    let mut sizes = vec![part_bytes; usize::try_from(size_bytes / part_bytes).unwrap_or_default()];
    sizes.push(size_bytes % part_bytes);
    cut_at(&sizes)
}

/// The wanted part size, or the smallest one that keeps the number of parts within S3's limit.
pub(super) fn allowed_part_bytes(size_bytes: u64, wanted: u64) -> u64 {
    wanted.max(size_bytes.div_ceil(MOST_PARTS))
}

/// Whether equal parts as large as the first one would be as many, and end as, the source's parts do.
pub(super) fn is_even(size_bytes: u64, count: u64, first_bytes: u64, last_bytes: u64) -> bool {
    first_bytes > 0 && size_bytes.div_ceil(first_bytes) == count && size_bytes - first_bytes * (count - 1) == last_bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_byte_once() {
        for (size, part) in [(20, 8), (16, 8), (1, 8), (8, 8), (17, 5)] {
            let parts = cut_evenly(size, part);
            assert_eq!(parts.iter().map(Part::bytes).sum::<u64>(), size);
            assert_eq!(parts[0].first_byte, 0);
            assert_eq!(parts[parts.len() - 1].last_byte, size - 1);
            assert!(parts.windows(2).all(|two| two[0].last_byte + 1 == two[1].first_byte));
        }
    }

    #[test]
    fn the_etag_tells_the_number_of_parts() {
        assert_eq!(parts_of_etag("9b2cf535f27731c974343645a3985328-3"), Some(3));
        assert_eq!(parts_of_etag("9b2cf535f27731c974343645a3985328"), None);
        assert_eq!(parts_of_etag("x-0"), None);
    }

    #[test]
    fn uneven_parts_are_recognised() {
        assert!(is_even(20, 3, 8, 4));
        assert!(is_even(16, 2, 8, 8));
        assert!(!is_even(20, 3, 5, 5));
        assert!(!is_even(20, 3, 8, 5));
        assert_eq!(cut_at(&[5, 8, 7]).iter().map(Part::bytes).collect::<Vec<_>>(), [5, 8, 7]);
    }

    #[test]
    fn a_huge_object_gets_larger_parts_rather_than_too_many() {
        let size = 5 << 40;
        let part = allowed_part_bytes(size, 64 << 20);
        assert!(cut_evenly(size, part).len() as u64 <= MOST_PARTS);
    }
}
