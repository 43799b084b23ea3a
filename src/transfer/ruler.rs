//! Where in a bucket later keys may lie, guessed from how the keys of a page are numbered.
//!
//! A guess decides only where a listing is cut for reading its pieces at once: a wrong one costs requests, never a key.

/// Characters that keys are counted with, from the narrowest to the widest, each in the order of the bytes.
const ALPHABETS: [&[u8]; 5] = [
    b"0123456789",
    b"0123456789abcdef",
    b"0123456789ABCDEF",
    b"0123456789abcdefghijklmnopqrstuvwxyz",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
];
/// Characters that are counted on each side of the place where the keys begin to differ. 62¹² fits in a `u128`.
const PLACES: usize = 6;

/// A scale on which keys lie: a common beginning, then a number in the digits of an alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruler {
    stem: String,
    alphabet: &'static [u8],
    places: usize,
    /// How far the keys that it was made of lie apart, from the first to the last.
    pub span: u128,
}

impl Ruler {
    /// A ruler for keys in their order; `None` where they do not look like counted ones.
    pub fn of(keys: &[&str]) -> Option<Self> {
        let (first, last) = (keys.first()?.as_bytes(), keys.last()?.as_bytes());
        let common = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let right = |alphabet: &[u8]| {
            let counted = |key: &&str| {
                let rest = key.as_bytes().get(common..).unwrap_or_default();
                rest.iter().take(PLACES).take_while(|byte| alphabet.contains(byte)).count()
            };
            keys.iter().map(counted).min().unwrap_or_default()
        };
        // The narrowest alphabet that counts as much as any.
        let most = ALPHABETS.iter().map(|alphabet| right(alphabet)).max()?;
        if most == 0 {
            return None;
        }
        let alphabet: &'static [u8] = ALPHABETS.iter().copied().find(|alphabet| right(alphabet) == most)?;
        let left = first[..common].iter().rev().take(PLACES).take_while(|byte| alphabet.contains(byte)).count();
        // What is counted is ASCII, so that the stem ends between two characters.
        let stem = keys.first()?.get(..common - left)?.to_owned();
        let mut ruler = Self { stem, alphabet, places: left + most, span: 0 };
        ruler.span = ruler.position(keys.last()?)?.checked_sub(ruler.position(keys.first()?)?)?;
        (ruler.span > 0).then_some(ruler)
    }

    /// Where a key lies; `None` where the ruler does not reach. What is not counted is taken for the lowest digit.
    pub fn position(&self, key: &str) -> Option<u128> {
        let rest = key.strip_prefix(&self.stem)?.as_bytes();
        let digit = |place: usize| {
            let at = rest.get(place).and_then(|byte| self.alphabet.iter().position(|it| it == byte));
            at.unwrap_or_default() as u128
        };
        Some((0..self.places).fold(0, |sum, place| sum * self.alphabet.len() as u128 + digit(place)))
    }

    /// A key at a position; `None` past the end of the ruler.
    pub fn key_at(&self, position: u128) -> Option<String> {
        let base = self.alphabet.len() as u128;
        let mut digits = Vec::with_capacity(self.places);
        let mut rest = position;
        for _ in 0..self.places {
            digits.push(char::from(*self.alphabet.get(usize::try_from(rest % base).ok()?)?));
            rest /= base;
        }
        (rest == 0).then(|| self.stem.chars().chain(digits.into_iter().rev()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(keys: &[&str], spans: u128) -> Option<String> {
        let ruler = Ruler::of(keys)?;
        ruler.key_at(ruler.position(keys.last()?)? + ruler.span * spans)
    }

    #[test]
    fn counted_keys_are_counted_on_with_their_own_digits() {
        let keys = ["data/part-000001000.bin", "data/part-000001500.bin", "data/part-000001999.bin"];
        assert_eq!(after(&keys, 1).as_deref(), Some("data/part-000002998"));
        assert_eq!(after(&keys, 9).as_deref(), Some("data/part-000010990"), "the carry goes left of the difference");
        assert_eq!(after(&["é/0a9f3c", "é/0b0044", "é/0fffff"], 1).as_deref(), Some("é/1560c2"), "hexadecimal");
        assert_eq!(after(&["2026/11/25/23h", "2026/11/25/24h"], 1).as_deref(), Some("2026/11/25/25h"));
    }

    #[test]
    fn what_is_not_counted_gives_no_ruler_and_a_ruler_ends() {
        assert_eq!(Ruler::of(&[]), None);
        assert_eq!(Ruler::of(&["a", "a"]), None);
        assert_eq!(Ruler::of(&["ä", "ö", "ü"]), None);
        assert_eq!(Ruler::of(&["a", "a/b"]), None);
        assert_eq!(after(&["x/1", "x/9"], 1), None);
    }
}
