//! A request taken apart.

use std::borrow::Cow;

use hyper::http::request::Parts;

use super::answer::Refusal;
use super::text::decoded;

/// A request without its body.
pub struct Asked<'a> {
    pub parts: &'a Parts,
    /// Empty where there is none.
    pub bucket: Cow<'a, str>,
    /// Empty where there is none.
    pub key: Cow<'a, str>,
}

/// What a copy is made of.
pub struct Source {
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
}

impl<'a> Asked<'a> {
    pub fn of(parts: &'a Parts) -> Self {
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self { parts, bucket: decoded(bucket, false), key: decoded(key, false) }
    }

    /// A word of the query.
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        let query = self.parts.uri.query()?;
        query.split('&').find_map(|pair| {
            let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
            (found == name).then(|| decoded(value, true))
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.param(name).is_some()
    }

    /// A number of the query, where it is one.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.param(name)?.parse().ok()
    }

    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// Header `x-amz-copy-source`: `bucket/key?versionId=…`, with or without a slash before it.
    pub fn source(&self) -> Result<Source, Refusal> {
        let text = self.header("x-amz-copy-source").ok_or(Refusal::INVALID)?;
        let (path, version_id) = match text.split_once("?versionId=") {
            Some((path, id)) => (path, Some(id.to_owned())),
            None => (text, None),
        };
        let path = decoded(path, false);
        let (bucket, key) = path.trim_start_matches('/').split_once('/').ok_or(Refusal::INVALID)?;
        Ok(Source { bucket: bucket.to_owned(), key: key.to_owned(), version_id })
    }

    /// Header `x-amz-copy-source-range`: first and last byte.
    pub fn source_range(&self) -> Option<(u64, u64)> {
        let (first, last) = self.header("x-amz-copy-source-range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    /// Header `Range` of an object of that size: first and last byte, where there is such a part.
    pub fn range(&self, size: u64) -> Option<(u64, u64)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().unwrap_or(u64::MAX));
        (first < size && first <= last).then(|| (first, last.min(size - 1)))
    }
}
