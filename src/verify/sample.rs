//! A sample of a restored table's items beside those of its source as it is now. Pure: nothing is read here, and of an item
//! only a digest is compared, so that no value gets anywhere.
//!
//! The source has moved on since the time that was restored, which is why somebody recovers: that items differ is no fault,
//! and how many do is for a person to judge.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Attributes by name.
pub type Item = HashMap<String, AttributeValue>;

/// What became of the sampled items in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    pub items: u64,
    /// As they are in the source now.
    pub equal: u64,
    /// Another content now.
    pub differ: u64,
    /// Not in the source any more.
    pub gone: u64,
    /// The source would not tell, because its capacity is used up.
    pub not_read: u64,
}

impl Sample {
    /// What it comes to, for a person; nothing of an empty table.
    pub fn in_words(&self, source: &str) -> Option<String> {
        let Self { items, equal, differ, gone, not_read } = *self;
        let told = items - not_read;
        let of = |count: u64| if count == 1 { "1 sampled item".to_owned() } else { format!("{count} sampled items") };
        let rest = if not_read > 0 { format!("; {not_read} more could not be read there") } else { String::new() };
        Some(match (items, told) {
            (0, _) => return None,
            (_, 0) => format!("none of {} could be read in {source}: nothing was compared", of(items)),
            _ if equal == told => format!(
                "{} compared, all as they are in {source} now: nothing has happened to them since that time{rest}",
                of(told)
            ),
            _ if equal == 0 => format!(
                "{} compared, none as it is in {source} now ({differ} differ, {gone} are gone there): see whether another \
                 time is meant{rest}",
                of(told)
            ),
            _ => format!(
                "{} compared: {equal} as they are in {source} now, {differ} differ, {gone} are gone there{rest}",
                of(told)
            ),
        })
    }
}

/// The key of an item, by the names of its attributes.
pub fn key_of(item: &Item, names: &[String]) -> Item {
    names.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
}

/// Of these items the `most` whose keys have the smallest digests: always the same ones.
pub fn choose(items: Vec<Item>, names: &[String], most: usize) -> Vec<Item> {
    let keyed = items.into_iter().map(|item| (digest(&key_of(&item, names)), item));
    // By digest, which also drops what was told twice.
    keyed.collect::<BTreeMap<_, _>>().into_values().take(most).collect()
}

/// Compares what was restored with what the source told; `unread` are keys that it did not tell.
pub fn compare(restored: &[Item], live: &[Item], unread: &[Item], names: &[String]) -> Sample {
    let by_key: HashMap<_, _> = live.iter().map(|item| (digest(&key_of(item, names)), digest(item))).collect();
    let unread: Vec<_> = unread.iter().map(|key| digest(&key_of(key, names))).collect();
    let mut sample = Sample::default();
    for item in restored {
        sample.items += 1;
        let key = digest(&key_of(item, names));
        match by_key.get(&key) {
            Some(found) if *found == digest(item) => sample.equal += 1,
            Some(_) => sample.differ += 1,
            None if unread.contains(&key) => sample.not_read += 1,
            None => sample.gone += 1,
        }
    }
    sample
}

/// A digest of an item that is the same whatever the order of attributes and of sets' members, and however a number is
/// spelled: DynamoDB keeps neither (DynamoDB Developer Guide: "Data types", "Supported data types and naming rules").
pub fn digest(item: &Item) -> [u8; 32] {
    let mut bytes = Vec::new();
    map(item, &mut bytes);
    Sha256::digest(&bytes).into()
}

fn map(item: &Item, out: &mut Vec<u8>) {
    let sorted: BTreeMap<&String, &AttributeValue> = item.iter().collect();
    count(b'M', sorted.len(), out);
    for (name, attribute) in sorted {
        text(b'A', name.as_bytes(), out);
        value(attribute, out);
    }
}

fn value(attribute: &AttributeValue, out: &mut Vec<u8>) {
    match attribute {
        AttributeValue::S(it) => text(b'S', it.as_bytes(), out),
        AttributeValue::N(it) => text(b'N', number(it).as_bytes(), out),
        AttributeValue::B(it) => text(b'B', it.as_ref(), out),
        AttributeValue::Bool(it) => out.push(if *it { b'1' } else { b'0' }),
        AttributeValue::Null(_) => out.push(b'Z'),
        AttributeValue::M(it) => map(it, out),
        AttributeValue::L(list) => {
            count(b'L', list.len(), out);
            list.iter().for_each(|it| value(it, out));
        }
        AttributeValue::Ss(set) => members(b's', set.iter().map(|it| it.clone().into_bytes()), out),
        AttributeValue::Ns(set) => members(b'n', set.iter().map(|it| number(it).into_bytes()), out),
        AttributeValue::Bs(set) => members(b'b', set.iter().map(|it| it.as_ref().to_vec()), out),
        // A type of tomorrow's DynamoDB: by how the SDK shows it.
        other => text(b'?', format!("{other:?}").as_bytes(), out),
    }
}

fn members(kind: u8, set: impl Iterator<Item = Vec<u8>>, out: &mut Vec<u8>) {
    let mut members: Vec<Vec<u8>> = set.collect();
    members.sort();
    count(kind, members.len(), out);
    members.iter().for_each(|it| text(b'E', it, out));
}

/// Lengths come first, so that no two items run together.
fn text(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    count(kind, bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn count(kind: u8, count: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(count as u64).to_be_bytes());
}

/// A number as digits without zeros at either end, and a power of ten. What is no number stays as it is.
fn number(text: &str) -> String {
    spelled(text).unwrap_or_else(|| format!("?{text}"))
}

fn spelled(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    let short = digits.trim_end_matches('0');
    if short.is_empty() {
        return Some("0".to_owned());
    }
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let power = power.checked_add(i64::try_from(digits.len() - short.len()).ok()?)?;
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{short}e{power}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An attribute by its meaning: numbers as digits and a power of ten, sets as what is in them.
    #[derive(Clone, Debug, PartialEq)]
    enum Meant {
        Text(String),
        Number(i32, u8),
        Flag(bool),
        Nothing,
        Texts(std::collections::BTreeSet<String>),
        Numbers(std::collections::BTreeSet<i32>),
        List(Vec<Meant>),
        Map(BTreeMap<String, Meant>),
    }

    impl Meant {
        /// One way to spell it; `other` is another one of the same.
        fn spelled(&self, other: bool) -> AttributeValue {
            let turned = |mut members: Vec<String>| {
                if other {
                    members.reverse();
                }
                members
            };
            match self {
                Self::Text(it) => AttributeValue::S(it.clone()),
                Self::Number(digits, zeros) => AttributeValue::N(match other {
                    true => format!("{digits}{}.0", "0".repeat(usize::from(*zeros))),
                    false => format!("{digits}E+{zeros}"),
                }),
                Self::Flag(it) => AttributeValue::Bool(*it),
                Self::Nothing => AttributeValue::Null(true),
                Self::Texts(set) => AttributeValue::Ss(turned(set.iter().cloned().collect())),
                Self::Numbers(set) => AttributeValue::Ns(turned(
                    set.iter().map(|it| if other { format!("{it}.00") } else { it.to_string() }).collect(),
                )),
                Self::List(list) => AttributeValue::L(list.iter().map(|it| it.spelled(other)).collect()),
                Self::Map(map) => {
                    AttributeValue::M(map.iter().map(|(name, it)| (name.clone(), it.spelled(other))).collect())
                }
            }
        }
    }

    fn meant() -> impl Strategy<Value = Meant> {
        let leaf = prop_oneof![
            "[ab]{0,2}".prop_map(Meant::Text),
            // Zeros at the end would be the same number with another power.
            (-3..3i32, 0..3u8).prop_map(|(digits, zeros)| if digits == 0 {
                Meant::Number(0, 0)
            } else {
                Meant::Number(digits, zeros)
            }),
            any::<bool>().prop_map(Meant::Flag),
            Just(Meant::Nothing),
            prop::collection::btree_set("[ab]{1,2}", 1..3).prop_map(Meant::Texts),
            prop::collection::btree_set(-3..3i32, 1..3).prop_map(Meant::Numbers),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Meant::List),
                prop::collection::btree_map("[ab]{1,2}", inner, 0..3).prop_map(Meant::Map),
            ]
        })
    }

    fn item(meant: &Meant, other: bool) -> Item {
        HashMap::from([("a".to_owned(), meant.spelled(other))])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn items_have_one_digest_exactly_where_they_mean_the_same(one in meant(), two in meant()) {
            prop_assert_eq!(digest(&item(&one, false)), digest(&item(&one, true)));
            prop_assert_eq!(digest(&item(&one, false)) == digest(&item(&two, true)), one == two, "{:?} {:?}", one, two);
        }
    }

    #[test]
    fn a_number_is_one_however_it_is_spelled() {
        for (one, other) in [("1", "1.0"), ("100", "1E2"), ("-0.05", "-5e-2"), ("0", "-0.00"), ("+7", "007")] {
            assert_eq!(number(one), number(other));
        }
        for (one, other) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("a", "b"), ("", "0")] {
            assert_ne!(number(one), number(other), "{one} {other}");
        }
    }

    #[test]
    fn a_sample_tells_what_became_of_its_items() {
        let names = ["id".to_owned()];
        let of = |id: &str, content: &str| {
            let text = |it: &str| AttributeValue::S(it.to_owned());
            HashMap::from([("id".to_owned(), text(id)), ("content".to_owned(), text(content))])
        };
        let restored = ["a", "b", "c", "d"].map(|id| of(id, "then"));
        let live = [of("a", "then"), of("b", "now"), of("new", "now")];
        let found = compare(&restored, &live, &[key_of(&restored[3], &names)], &names);
        assert_eq!(found, Sample { items: 4, equal: 1, differ: 1, gone: 1, not_read: 1 });
        let said = "3 sampled items compared: 1 as they are in t now, 1 differ, 1 are gone there; 1 more could not be read there";
        assert_eq!(found.in_words("t").as_deref(), Some(said));
        let all = Sample { items: 2, equal: 2, ..Sample::default() };
        assert!(all.in_words("t").is_some_and(|it| it.contains("all as they are in t now")));
        let none = Sample { items: 2, gone: 2, ..Sample::default() };
        assert!(none.in_words("t").is_some_and(|it| it.contains("see whether another time is meant")));
        assert_eq!(Sample::default().in_words("t"), None);

        let chosen = choose(restored.to_vec(), &names, 2);
        let mut turned = restored.to_vec();
        turned.reverse();
        turned.extend(restored);
        assert_eq!((chosen.len(), choose(turned, &names, 2)), (2, chosen), "whatever the order, and once each");
    }
}
