//! Durations as people write them: `4h`, `15m`, `30s`, `1h30m`, `0s`.

use jiff::SignedDuration;

/// Nothing here is measured in years.
const LONGEST_SECONDS: u64 = 366 * 24 * 3600;

/// Reads hours, minutes and seconds, each at most once and in this order; `None` for anything else.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    let mut units = [('h', 3600), ('m', 60), ('s', 1)].into_iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = rest[digits..].chars().next()?;
        let (_, size) = units.by_ref().find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number.checked_mul(size)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    let fits = !text.is_empty() && seconds <= LONGEST_SECONDS;
    fits.then(|| i64::try_from(seconds).ok().map(SignedDuration::from_secs)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("4h", 14400), ("15m", 900), ("30s", 30), ("1h30m", 5400), ("0s", 0), ("1h1s", 3601)] {
            assert_eq!(parse(text), Some(SignedDuration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("90m"), parse("1h30m"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "4", "h", "4 h", "4d", "1m1h", "1h1h", "-1h", "1.5h", "99999999999999999999s", "9999999h", "4H"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
