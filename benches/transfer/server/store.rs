//! Buckets, keys and their versions. Contents are told by what fills them: an object of 4 GiB takes no memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use super::answer::Refusal;
use super::uploads::Upload;

#[derive(Default)]
pub struct Store {
    buckets: BTreeMap<String, Bucket>,
    pub uploads: HashMap<String, Upload>,
    next_id: u64,
}

#[derive(Default)]
pub struct Bucket {
    pub keeps_versions: bool,
    /// The versions of every key, oldest first; never none.
    pub keys: BTreeMap<String, Vec<Version>>,
}

pub struct Version {
    /// 0 is `null`.
    pub id: u64,
    /// In seconds since 1970.
    pub at: i64,
    /// `None` is a delete marker.
    pub object: Option<Object>,
}

#[derive(Clone)]
pub struct Object {
    pub size: u64,
    /// What the content is made of.
    pub fill: u64,
    /// The sizes of the parts that it was uploaded in.
    pub parts: Option<Arc<[u64]>>,
}

impl Object {
    pub fn new(size: u64, fill: u64) -> Self {
        Self { size, fill, parts: None }
    }

    /// Stands for the MD5 of the content: the same for the same content, however it was uploaded.
    pub fn digest(&self) -> u128 {
        let low = mixed(self.fill ^ mixed(self.size));
        u128::from(mixed(low ^ 0x5851_f42d_4c95_7f2d)) << 64 | u128::from(low)
    }

    /// Without its quotes.
    pub fn etag(&self) -> String {
        match &self.parts {
            None => format!("{:032x}", self.digest()),
            Some(parts) => format!("{:032x}-{}", self.digest(), parts.len()),
        }
    }

    /// Stands for the CRC-64 of the whole content.
    pub fn checksum(&self) -> String {
        aws_smithy_types::base64::encode(mixed(self.fill.rotate_left(32) ^ self.size).to_be_bytes())
    }
}

/// SplitMix64: every bit of the input changes about half of the output's.
pub fn mixed(bits: u64) -> u64 {
    let mut bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl Version {
    pub fn id_text(&self) -> String {
        id_text(self.id)
    }
}

pub fn id_text(id: u64) -> String {
    if id == 0 { "null".to_owned() } else { format!("v{id:031x}") }
}

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

impl Store {
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.buckets.keys().map(String::as_str)
    }

    pub fn bucket(&self, name: &str) -> Result<&Bucket, Refusal> {
        self.buckets.get(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    pub fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Refusal> {
        self.buckets.get_mut(name).ok_or(Refusal::NO_SUCH_BUCKET)
    }

    /// The bucket, made where it is not there.
    pub fn made(&mut self, name: &str) -> &mut Bucket {
        self.buckets.entry(name.to_owned()).or_default()
    }

    /// A number that nothing else has.
    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Writes a version, or a delete marker, now. Gives back its id.
    pub fn write(&mut self, bucket: &str, key: &str, object: Option<Object>) -> Result<u64, Refusal> {
        let id = if self.bucket(bucket)?.keeps_versions { self.new_id() } else { 0 };
        self.bucket_mut(bucket)?.add(key, Version { id, at: now(), object });
        Ok(id)
    }
}

impl Bucket {
    /// Puts a version on top; the one without an id takes the place of the one before it.
    pub fn add(&mut self, key: &str, version: Version) {
        match self.keys.get_mut(key) {
            Some(versions) => {
                if version.id == 0 {
                    versions.retain(|it| it.id != 0);
                }
                versions.push(version);
            }
            None => {
                self.keys.insert(key.to_owned(), vec![version]);
            }
        }
    }

    /// The newest version, unless it is a delete marker.
    pub fn current(&self, key: &str) -> Option<(&Version, &Object)> {
        let version = self.keys.get(key)?.last()?;
        Some((version, version.object.as_ref()?))
    }

    /// The current version, or the one that is named.
    pub fn find(&self, key: &str, id: Option<&str>) -> Result<(&Version, &Object), Refusal> {
        let Some(id) = id else { return self.current(key).ok_or(Refusal::NO_SUCH_KEY) };
        let versions = self.keys.get(key).ok_or(Refusal::NO_SUCH_VERSION)?;
        let version = versions.iter().find(|it| it.id_text() == id).ok_or(Refusal::NO_SUCH_VERSION)?;
        Ok((version, version.object.as_ref().ok_or(Refusal::METHOD_NOT_ALLOWED)?))
    }

    /// What was current at a time, in seconds since 1970.
    pub fn at(&self, time: i64) -> impl Iterator<Item = (&str, &Object)> {
        self.keys.iter().filter_map(move |(key, versions)| {
            let then = versions.iter().rev().find(|it| it.at <= time)?;
            Some((key.as_str(), then.object.as_ref()?))
        })
    }
}
