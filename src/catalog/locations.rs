//! Where the data of a catalog is: from the buckets of the primary region to those of the recovery region.
//!
//! A prefix matches at a `/` or at the end, never inside a name; the longest one wins. A location that no prefix
//! matches is only left alone where it is in a bucket of the recovery region already: anything else would make the
//! recovered service read from the failed region.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Catalog, Parameters, StorageDescriptor};

/// The schemes that all mean S3 (Hadoop: "S3 filesystem clients").
const SCHEMES: [&str; 3] = ["s3://", "s3a://", "s3n://"];

/// How locations are rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Old to new, without scheme and trailing slash.
    prefixes: BTreeMap<String, String>,
    recovery_buckets: BTreeSet<String>,
    /// Whether every location is right as it is.
    anywhere: bool,
}

impl Rules {
    /// `prefixes` are S3 locations, old to new; `buckets` are those of the recovery region, besides the new prefixes'.
    pub fn new<'a>(prefixes: &BTreeMap<String, String>, buckets: impl IntoIterator<Item = &'a str>) -> Self {
        let bare = |location: &str| path(location).unwrap_or(("", location)).1.trim_end_matches('/').to_owned();
        let prefixes: BTreeMap<String, String> = prefixes.iter().map(|(old, new)| (bare(old), bare(new))).collect();
        let mut recovery_buckets: BTreeSet<String> = buckets.into_iter().map(str::to_owned).collect();
        recovery_buckets.extend(prefixes.values().map(|new| bucket(new).to_owned()));
        Self { prefixes, recovery_buckets, anywhere: false }
    }

    /// Every location stays as it is, wherever that is.
    pub fn as_it_was() -> Self {
        Self { prefixes: BTreeMap::new(), recovery_buckets: BTreeSet::new(), anywhere: true }
    }

    /// Whether a location stays as it is.
    pub fn keeps(&self, location: &str) -> bool {
        self.rewrite(location).is_some_and(|new| new == location)
    }

    /// Where a location is in the recovery region; `None` where nobody knows.
    pub fn rewrite(&self, location: &str) -> Option<String> {
        if location.is_empty() || self.anywhere {
            return Some(location.to_owned());
        }
        let (scheme, rest) = path(location)?;
        let matching = self.prefixes.iter().filter_map(|(old, new)| {
            let below = rest.strip_prefix(old.as_str())?;
            (below.is_empty() || below.starts_with('/')).then_some((old, new, below))
        });
        if let Some((_, new, below)) = matching.max_by_key(|(old, _, _)| old.len()) {
            return Some(format!("{scheme}{new}{below}"));
        }
        self.is_recovery(location).then(|| location.to_owned())
    }

    /// Whether a location is in a bucket of the recovery region.
    pub fn is_recovery(&self, location: &str) -> bool {
        self.anywhere || path(location).is_some_and(|(_, rest)| self.recovery_buckets.contains(bucket(rest)))
    }

    /// Rewrites every location of a catalog; gives back those that nobody knows a place for.
    pub fn apply(&self, catalog: &mut Catalog) -> Vec<String> {
        let mut outside = Outside { rules: self, said: Vec::new() };
        let database = format!("database {}", catalog.database.name);
        outside.location(&database, &mut catalog.database.location_uri);
        outside.parameters(&database, &mut catalog.database.parameters);
        for (name, table) in &mut catalog.tables {
            let label = format!("table {name}");
            outside.parameters(&label, &mut table.parameters);
            outside.descriptor(&label, &mut table.storage_descriptor);
        }
        for (name, partitions) in &mut catalog.partitions {
            for (values, partition) in partitions {
                let label = format!("partition {} of table {name}", values.join("/"));
                outside.parameters(&label, &mut partition.parameters);
                outside.descriptor(&label, &mut partition.storage_descriptor);
            }
        }
        outside.said
    }
}

struct Outside<'a> {
    rules: &'a Rules,
    said: Vec<String>,
}

impl Outside<'_> {
    fn text(&mut self, label: &str, location: &mut String) {
        match self.rules.rewrite(location) {
            Some(new) => *location = new,
            None => self.said.push(format!("{label}: {location}")),
        }
    }

    fn location(&mut self, label: &str, location: &mut Option<String>) {
        if let Some(location) = location {
            self.text(label, location);
        }
    }

    /// Only values that are S3 locations as a whole, such as `storage.location.template`, are places.
    fn parameters(&mut self, label: &str, parameters: &mut Parameters) {
        for value in parameters.values_mut().filter(|value| path(value).is_some()) {
            self.text(label, value);
        }
    }

    fn descriptor(&mut self, label: &str, descriptor: &mut Option<StorageDescriptor>) {
        let Some(descriptor) = descriptor else { return };
        self.location(label, &mut descriptor.location);
        for location in &mut descriptor.additional_locations {
            self.text(label, location);
        }
        self.parameters(label, &mut descriptor.parameters);
        if let Some(serde) = &mut descriptor.serde_info {
            self.parameters(label, &mut serde.parameters);
        }
        if let Some(skewed) = &mut descriptor.skewed_info {
            self.parameters(label, &mut skewed.skewed_column_value_location_maps);
        }
    }
}

/// Scheme and the rest of an S3 location.
fn path(location: &str) -> Option<(&str, &str)> {
    let scheme = SCHEMES.into_iter().find(|scheme| location.starts_with(scheme))?;
    Some(location.split_at(scheme.len()))
}

fn bucket(rest: &str) -> &str {
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(pairs: &[(&str, &str)], buckets: &[&str]) -> Rules {
        let pairs = pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
        Rules::new(&pairs, buckets.iter().copied())
    }

    #[test]
    fn the_longest_prefix_wins_and_never_inside_a_name() {
        let rules = rules(&[("s3://old", "s3://new"), ("s3://old/logs/", "s3://logs/in/")], &["ours"]);
        let to = |location: &str| rules.rewrite(location);
        assert_eq!(to("s3://old/logs/2026/").as_deref(), Some("s3://logs/in/2026/"));
        assert_eq!(to("s3://old/logs").as_deref(), Some("s3://logs/in"));
        assert_eq!(to("s3://old/logs2/x").as_deref(), Some("s3://new/logs2/x"));
        assert_eq!(to("s3a://old/").as_deref(), Some("s3a://new/"));
        assert_eq!(to("s3://older/x"), None);
        assert_eq!(to("s3://ours/x").as_deref(), Some("s3://ours/x"));
        assert_eq!(to("s3://new/x").as_deref(), Some("s3://new/x"));
        assert_eq!(to("hdfs://old/logs"), None);
        assert_eq!(to("").as_deref(), Some(""));
    }

    fn location() -> impl Strategy<Value = String> {
        prop::collection::vec("[ab]{1,2}", 1..5).prop_map(|parts| format!("s3://{}", parts.join("/")))
    }

    proptest! {
        /// The same, said segment by segment.
        #[test]
        fn rewriting_replaces_whole_leading_segments(
            prefixes in prop::collection::btree_map(location(), location(), 0..5),
            at in location(),
            slash in any::<bool>(),
        ) {
            let at = if slash { format!("{at}/") } else { at };
            let found = Rules::new(&prefixes, []).rewrite(&at);
            let segments: Vec<&str> = at.split('/').collect();
            let longest = (3..=segments.len()).rev().find_map(|end| {
                let new = prefixes.get(&segments[..end].join("/"))?;
                Some([vec![new.as_str()], segments[end..].to_vec()].concat().join("/"))
            });
            let ours = prefixes.values().any(|new| new.split('/').nth(2) == Some(segments[2]));
            prop_assert_eq!(found, longest.or_else(|| ours.then(|| at.clone())));
        }

        #[test]
        fn what_was_rewritten_is_in_the_recovery_region(
            prefixes in prop::collection::btree_map(location(), location(), 1..5),
            at in location(),
        ) {
            let rules = Rules::new(&prefixes, []);
            if let Some(new) = rules.rewrite(&at) {
                prop_assert!(rules.is_recovery(&new));
            }
        }
    }
}
