//! Reading `application/x-www-form-urlencoded` text (URL Standard), as far as a proxy needs it. Pure.

/// The decoded value of the first field with this name. The text may be cut off.
pub fn field(text: &[u8], name: &str) -> Option<String> {
    let pair = text.split(|byte| *byte == b'&').find_map(|pair| {
        let (key, value) = split(pair);
        (decode(key) == name).then_some(value)
    })?;
    Some(decode(pair))
}

/// The names of all fields, with or without a value.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

pub fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escaped = (byte == b'%').then(|| hex(text.get(at + 1)?, text.get(at + 2)?)).flatten();
        bytes.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &[]),
    }
}

fn hex(high: &u8, low: &u8) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let text = b"Action=Describe&Name=a%2Fb+c%C3%A9&Empty=&Flag";
        assert_eq!(field(text, "Name").as_deref(), Some("a/b c\u{e9}"));
        assert_eq!(field(text, "Empty").as_deref(), Some(""));
        assert_eq!(field(text, "Flag").as_deref(), Some(""));
        assert_eq!(field(text, "Missing"), None);
    }

    #[test]
    fn cut_off_and_broken_escapes_are_kept_as_they_stand() {
        assert_eq!(decode(b"100%"), "100%");
        assert_eq!(decode(b"a%zzb%4"), "a%zzb%4");
    }

    #[test]
    fn names_need_no_value() {
        assert_eq!(names("versions&prefix=a&&max-keys=").collect::<Vec<_>>(), ["versions", "prefix", "max-keys"]);
    }
}
