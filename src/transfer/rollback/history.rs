//! What one key needs to be as it was at a time, from its versions, newest first. Pure; of any number of versions two are
//! remembered.
//!
//! Of an upload in parts S3 tells when it was begun, not when it was completed and became the object (S3 User Guide: "Working
//! with object metadata"). That it came late shows in the order of the versions alone: one that is listed as older, and is
//! later by its time.

use jiff::Timestamp;

use crate::aws::s3::Version;

/// What is to be done with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    Keep,
    /// It was there then, and another version or a delete marker is current now.
    Restore {
        then: Version,
        /// What is current now.
        now: Version,
    },
    /// It was not there then, and is now.
    Hide { now: Version },
    /// What was there then is not known: the oldest version that is left is later, and may have overwritten others while the
    /// bucket kept no versions.
    Unknown { now: Version },
}

/// What is to be done with a key, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub key: String,
    pub change: Change,
    /// An upload in parts was begun before the time and completed nobody knows when: the version that is taken for the one of
    /// that time may have come after it.
    pub uncertain: bool,
    /// The size of what is current now; nothing where that is a delete marker.
    pub current_bytes: Option<u64>,
}

/// The id of what was written while a bucket kept no versions.
const UNVERSIONED: &str = "null";

/// The versions of one key, told newest first.
#[derive(Clone, Debug)]
pub struct History {
    to: Timestamp,
    now: Version,
    then: Option<Version>,
    uncertain: bool,
    /// Whether the oldest one so far was written while the bucket kept no versions.
    ends_unversioned: bool,
}

impl History {
    /// A key whose newest version this is; it shall be as it was at `to`.
    pub fn new(newest: Version, to: Timestamp) -> Self {
        let mut history = Self { to, now: newest.clone(), then: None, uncertain: false, ends_unversioned: false };
        history.older(newest);
        history
    }

    pub fn key(&self) -> &str {
        &self.now.key
    }

    /// The version that comes next, older than all before it.
    pub fn older(&mut self, version: Version) {
        self.ends_unversioned = version.version_id == UNVERSIONED;
        if version.modified_at > self.to {
            // If one was taken already, it came after this one, and so after `to`.
            (self.then, self.uncertain) = (None, false);
            return;
        }
        match &self.then {
            None => self.then = Some(version),
            // The one that was taken is the newer of the two, and its time is the earlier: it was completed after this one
            // was there.
            Some(then) if version.modified_at > then.modified_at => self.uncertain = true,
            Some(_) => {}
        }
    }

    /// What is to be done, once all versions were told.
    pub fn decide(self) -> Decision {
        let Self { now, then, uncertain, ends_unversioned, .. } = self;
        let key = now.key.clone();
        let current_bytes = (!now.is_marker).then_some(now.size_bytes);
        let change = match then {
            Some(then) if then.version_id == now.version_id => Change::Keep,
            Some(then) if !then.is_marker => Change::Restore { then, now },
            _ if now.is_marker => Change::Keep,
            None if ends_unversioned => Change::Unknown { now },
            _ => Change::Hide { now },
        };
        Decision { key, change, uncertain, current_bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A bucket with versions, as S3's user guide describes it: the newest entry of a key is current.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Bucket {
        /// By key, oldest first.
        entries: BTreeMap<String, Vec<Entry>>,
        ids: u32,
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Entry {
        id: u32,
        /// When it became the object.
        made_at: i64,
        /// What a listing tells of that.
        told_at: i64,
        /// Nothing where it is a delete marker.
        content: Option<u8>,
    }

    impl Bucket {
        fn write(&mut self, key: &str, made_at: i64, told_at: i64, content: Option<u8>) {
            self.ids += 1;
            let entry = Entry { id: self.ids, made_at, told_at, content };
            self.entries.entry(key.to_owned()).or_default().push(entry);
        }

        /// What anybody would read at a time.
        fn seen_at(&self, time: i64) -> BTreeMap<String, u8> {
            let seen = |entries: &Vec<Entry>| entries.iter().rev().find(|it| it.made_at <= time)?.content;
            self.entries.iter().filter_map(|(key, entries)| Some((key.clone(), seen(entries)?))).collect()
        }

        fn versions(&self, key: &str) -> Vec<Version> {
            let entries = &self.entries[key];
            let newest = entries.len() - 1;
            let version = |(nr, entry): (usize, &Entry)| Version {
                key: key.to_owned(),
                version_id: entry.id.to_string(),
                is_marker: entry.content.is_none(),
                is_latest: nr == newest,
                modified_at: at(entry.told_at),
                size_bytes: 1,
                etag: entry.content.map(|it| it.to_string()).unwrap_or_default(),
                storage_class: None,
                archived: false,
            };
            entries.iter().enumerate().map(version).rev().collect()
        }

        fn decide(&self, to: i64) -> Vec<Decision> {
            let decide = |key: &String| {
                let mut versions = self.versions(key).into_iter();
                let mut history = History::new(versions.next().expect("a version"), at(to));
                versions.for_each(|version| history.older(version));
                history.decide()
            };
            self.entries.keys().map(decide).collect()
        }

        /// Does what was decided, one second later for each. Returns how many writes that took.
        fn roll_back(&mut self, to: i64, now: i64) -> usize {
            let decisions = self.decide(to);
            let mut writes = 0;
            for Decision { key, change, .. } in decisions {
                let content = match change {
                    Change::Keep | Change::Unknown { .. } => continue,
                    Change::Hide { .. } => None,
                    Change::Restore { then, now, .. } if then.etag == now.etag => continue,
                    Change::Restore { then, .. } => then.etag.parse().ok(),
                };
                writes += 1;
                self.write(&key, now, now, content);
            }
            writes
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::new(1_800_000_000 + second, 0).expect("a time")
    }

    const LAST: i64 = 40;
    const NOW: i64 = 100;

    /// What happens to a bucket, in the order of time; several things may happen in one second.
    fn histories() -> impl Strategy<Value = Bucket> {
        let event = ("[abc]", 0..4i64, prop::option::weighted(0.7, 0..3u8));
        prop::collection::vec(event, 0..30).prop_map(|events| {
            let (mut bucket, mut time) = (Bucket::default(), 0);
            for (key, later, content) in events {
                time = (time + later).min(LAST);
                bucket.write(&key, time, time, content);
            }
            bucket
        })
    }

    /// The same with uploads in parts, which tell an earlier time than the one at which they were completed.
    fn histories_with_parts() -> impl Strategy<Value = Bucket> {
        (histories(), prop::collection::vec(0..10i64, 30)).prop_map(|(mut bucket, begun_before)| {
            let entries = bucket.entries.values_mut().flatten();
            for (entry, before) in entries.zip(begun_before) {
                if entry.content == Some(2) {
                    entry.told_at = (entry.made_at - before).max(0);
                }
            }
            bucket
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// The bucket is seen as it was, nothing is gone from its history, a second time does nothing, and the way back is
        /// the same command.
        #[test]
        fn a_bucket_that_is_rolled_back_is_seen_as_it_was_and_has_lost_nothing(bucket in histories(), to in 0..LAST + 2) {
            let mut rolled = bucket.clone();
            rolled.roll_back(to, NOW);
            prop_assert_eq!(rolled.seen_at(NOW), bucket.seen_at(to));
            for (key, entries) in &bucket.entries {
                prop_assert!(rolled.entries[key].starts_with(entries), "{} has lost a version", key);
            }
            prop_assert_eq!(rolled.roll_back(to, NOW + 1), 0, "a second time");
            rolled.roll_back(NOW - 1, NOW + 2);
            prop_assert_eq!(rolled.seen_at(NOW + 2), bucket.seen_at(LAST));
        }

        /// Where no time can tell what was there, that is said; where nothing is said, it is right.
        #[test]
        fn an_upload_in_parts_that_came_late_is_never_taken_for_what_was_there_without_a_word(
            bucket in histories_with_parts(), to in 0..LAST + 2,
        ) {
            let was = bucket.seen_at(to);
            for decision in bucket.decide(to) {
                let chosen = match &decision.change {
                    Change::Keep => bucket.seen_at(LAST).get(&decision.key).copied(),
                    Change::Hide { .. } | Change::Unknown { .. } => None,
                    Change::Restore { then, .. } => then.etag.parse().ok(),
                };
                let entries = &bucket.entries[&decision.key];
                // One that was under way at that time, with nothing written to its key meanwhile, no listing gives away.
                let hidden = entries.iter().any(|it| it.told_at <= to && it.made_at > to);
                prop_assert!(
                    decision.uncertain || hidden || chosen == was.get(&decision.key).copied(),
                    "{:?} at {}: {:?}", entries, to, decision
                );
            }
        }
    }

    #[test]
    fn what_was_written_while_no_versions_were_kept_may_have_overwritten_what_was_there() {
        let version = |id: &str, second| Version {
            key: "a".into(),
            version_id: id.into(),
            is_marker: false,
            is_latest: false,
            modified_at: at(second),
            size_bytes: 1,
            etag: "1".into(),
            storage_class: None,
            archived: false,
        };
        let change = |versions: Vec<Version>, to| {
            let mut versions = versions.into_iter();
            let mut history = History::new(versions.next().expect("a version"), at(to));
            versions.for_each(|version| history.older(version));
            history.decide().change
        };
        assert!(matches!(change(vec![version("2", 9), version("null", 7)], 5), Change::Unknown { .. }));
        assert!(matches!(change(vec![version("2", 9), version("null", 7)], 8), Change::Restore { .. }));
        assert!(matches!(change(vec![version("2", 9), version("1", 7)], 5), Change::Hide { .. }));
    }

    #[test]
    fn of_two_versions_of_one_second_the_later_one_was_there() {
        let mut bucket = Bucket::default();
        bucket.write("a", 3, 3, Some(1));
        bucket.write("a", 3, 3, None);
        bucket.write("a", 9, 9, Some(2));
        assert!(matches!(bucket.decide(3).remove(0).change, Change::Hide { .. }));
    }
}
