//! The objects of a bucket: made up, always the same ones, with what makes copying hard. Pure.
//!
//! Names with spaces, plus signs, percent signs, quotes and letters beyond ASCII; empty objects and "folders"; sizes
//! from nothing to 256 KiB and one that was uploaded in parts; metadata, content types and tags on some.

use bytes::Bytes;

/// Size of the object that is uploaded in parts.
pub const LARGE_BYTES: usize = 20 * 1024 * 1024;
/// Size of its parts but the last ("Amazon S3 multipart upload limits": 5 MiB at least).
pub const PART_BYTES: usize = 8 * 1024 * 1024;

const ODD_KEYS: [&str; 12] = [
    "app/with space/part 00001.json",
    "app/a+b=c&d.json",
    "app/100%/%2F.json",
    "app/caf\u{e9}/\u{65e5}\u{672c}\u{8a9e}.log",
    "app/emoji-\u{1f6df}.txt",
    "app/quote'and\"quote.json",
    "app/<tag>&amp;.xml",
    "app/empty-folder/",
    "app/!exclamation(1)*~.txt",
    "access/semi;colon,comma.log",
    "access/question?mark#hash.log",
    "access/trailing space ",
];

/// An object before it is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeUp {
    pub key: String,
    pub size_bytes: usize,
    pub content_type: &'static str,
    /// `x-amz-meta-…`
    pub metadata: Option<(&'static str, String)>,
    /// As in the header `x-amz-tagging`.
    pub tags: Option<&'static str>,
}

/// The object with a number. Number 0 is the large one.
pub fn object(number: u64) -> MadeUp {
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let day = number / 2 % 12 + 1;
    let folder = if number.is_multiple_of(2) { "app" } else { "access" };
    let usual = format!("{folder}/year=2026/month=11/day={day:02}/part-{number:05}.json");
    let key = match index {
        0 => "app/large/archive.tar".to_owned(),
        1..=12 => ODD_KEYS[index - 1].to_owned(),
        _ => usual,
    };
    MadeUp {
        size_bytes: if key.ends_with('/') { 0 } else { size_bytes(number) },
        key,
        content_type: ["application/x-ndjson", "text/plain; charset=utf-8", "application/octet-stream"][index % 3],
        metadata: number.is_multiple_of(3).then(|| ("origin", format!("shard-{}", number % 16))),
        tags: number.is_multiple_of(50).then_some("class=cold&team=observability"),
    }
}

fn size_bytes(number: u64) -> usize {
    let drawn = usize::try_from(mix(number) % 8000).unwrap_or(0);
    match number {
        0 => LARGE_BYTES,
        _ if number % 100 == 50 => 0,
        _ if number % 100 == 51 => 256 * 1024,
        _ if number % 20 == 5 => 56 * 1024 + drawn,
        _ => 200 + drawn,
    }
}

/// The content of an object: no two objects share a block.
pub fn content(number: u64, size_bytes: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(size_bytes + 8);
    let mut state = mix(number.wrapping_add(0x5eed));
    while bytes.len() < size_bytes {
        state = mix(state);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size_bytes);
    bytes.into()
}

/// One step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_thousand_objects_have_names_of_their_own_and_mixed_sizes() {
        let objects: Vec<MadeUp> = (0..2000).map(object).collect();
        let keys: BTreeSet<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys.len(), 2000);
        assert!(objects.iter().filter(|object| object.size_bytes == 0).count() >= 20);
        assert!(objects.iter().filter(|object| object.size_bytes == 256 * 1024).count() >= 20);
        let bytes: usize = objects.iter().map(|object| object.size_bytes).sum();
        assert!((20..60).contains(&(bytes / 1024 / 1024)), "{bytes}");
        for needed in [' ', '+', '%', '\u{e9}', '?'] {
            assert!(keys.iter().any(|key| key.contains(needed)), "{needed:?}");
        }
    }

    #[test]
    fn content_is_always_the_same_and_never_shared() {
        assert_eq!(content(7, 1000), content(7, 1000));
        assert_ne!(content(7, 1000), content(8, 1000));
        assert_eq!((content(7, 0).len(), content(7, 13).len()), (0, 13));
    }
}
