//! Numbers as decimal text: Terraform's have 512 bits, ours would lose digits.

/// A number's sign, digits and power of ten, without what does not matter: `1.50`, `15e-1` and `1.5` are the same.
/// `None` where the text is not a number.
pub(super) fn canonical(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some((false, "0".to_owned(), 0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = power.checked_add(i64::try_from(zeros).ok()?)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some((negative, significant.to_owned(), power))
}

/// The number as JSON, where JSON's types here hold it exactly.
pub(super) fn to_json(text: &str) -> Option<serde_json::Number> {
    let compact: String = text.split_whitespace().collect();
    if let Ok(number) = compact.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = compact.parse::<i64>() {
        return Some(number.into());
    }
    let float = compact.parse::<f64>().ok()?;
    let exact = canonical(&float.to_string()) == canonical(&compact);
    exact.then(|| serde_json::Number::from_f64(float)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_what_they_mean() {
        for (left, right) in [("1.50", "15e-1"), ("- 5", "-5"), ("0.0", "-0"), ("1e3", "1000"), ("007", "7")] {
            assert_eq!(canonical(left), canonical(right), "{left} {right}");
        }
        assert_ne!(canonical("1"), canonical("10"));
        assert_eq!(canonical("x"), None);
    }

    #[test]
    fn a_number_that_json_would_round_is_not_json() {
        assert_eq!(to_json("18446744073709551615").map(|n| n.to_string()).as_deref(), Some("18446744073709551615"));
        assert_eq!(to_json("-9223372036854775808").map(|n| n.to_string()).as_deref(), Some("-9223372036854775808"));
        assert_eq!(to_json("0.5").map(|n| n.to_string()).as_deref(), Some("0.5"));
        assert_eq!(to_json("18446744073709551617"), None);
        assert_eq!(to_json("0.1234567890123456789"), None);
    }
}
