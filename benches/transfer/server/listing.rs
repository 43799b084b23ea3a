//! Listings of buckets, and of a bucket's objects (S3 API: "ListObjectsV2").

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Bound;

use jiff::Timestamp;

use super::answer::{Answer, Refusal, bare, empty, xml};
use super::request::Asked;
use super::serve::Server;
use super::store::{Bucket, Object, Version};
use super::text::{decoded, encoded, escaped};

/// The most entries of a page.
const LARGEST_PAGE: usize = 1000;
/// About what an entry takes, in bytes.
const ENTRY: usize = 280;

pub fn buckets(server: &Server) -> Answer {
    let mut body = String::from("<ListAllMyBucketsResult><Owner><ID>bench</ID></Owner><Buckets>");
    for name in server.store().names() {
        let created = Timestamp::UNIX_EPOCH;
        write!(body, "<Bucket><Name>{name}</Name><CreationDate>{created}</CreationDate></Bucket>").expect("memory");
    }
    body.push_str("</Buckets></ListAllMyBucketsResult>");
    xml(body)
}

pub fn head_bucket(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    server.store().bucket(&asked.bucket)?;
    Ok(empty(bare().header("x-amz-bucket-region", "us-east-1")))
}

/// What is set of a bucket: versions, a place, and little else.
pub fn configuration(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let store = server.store();
    let bucket = store.bucket(&asked.bucket)?;
    let missing = |code| Err(Refusal { status: 404, code });
    let kinds =
        ["versioning", "location", "acl", "uploads", "tagging", "lifecycle", "policy", "encryption", "object-lock"];
    match kinds.into_iter().find(|kind| asked.has(kind)) {
        Some("versioning") if bucket.keeps_versions => {
            Ok(xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"))
        }
        Some("versioning") => Ok(xml("<VersioningConfiguration></VersioningConfiguration>")),
        Some("location") => Ok(xml("<LocationConstraint></LocationConstraint>")),
        Some("acl") => {
            Ok(xml("<AccessControlPolicy><Owner><ID>bench</ID></Owner><AccessControlList/></AccessControlPolicy>"))
        }
        Some("uploads") => Ok(xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>")),
        Some("tagging") => missing("NoSuchTagSet"),
        Some("lifecycle") => missing("NoSuchLifecycleConfiguration"),
        Some("policy") => missing("NoSuchBucketPolicy"),
        Some("encryption") => missing("ServerSideEncryptionConfigurationNotFoundError"),
        Some("object-lock") => missing("ObjectLockConfigurationNotFoundError"),
        _ => Err(Refusal::NOT_IMPLEMENTED),
    }
}

/// What every kind of listing is asked for.
pub struct Page<'a> {
    pub prefix: Cow<'a, str>,
    pub most: usize,
    encodes: bool,
}

impl<'a> Page<'a> {
    pub fn of(asked: &Asked<'a>) -> Self {
        Self {
            prefix: asked.param("prefix").unwrap_or_default(),
            most: asked.number("max-keys").unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE),
            encodes: asked.param("encoding-type").as_deref() == Some("url"),
        }
    }

    /// A key as the listing shows it.
    pub fn shown<'k>(&self, key: &'k str) -> Cow<'k, str> {
        if self.encodes { Cow::Owned(encoded(key)) } else { escaped(key) }
    }

    pub fn begin(&self, element: &str, bucket: &str) -> String {
        let mut body = String::with_capacity(ENTRY * (self.most + 2));
        let (prefix, most) = (self.shown(&self.prefix), self.most);
        write!(body, "<{element} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>")
            .expect("memory");
        write!(body, "<Prefix>{prefix}</Prefix><MaxKeys>{most}</MaxKeys>").expect("memory");
        if self.encodes {
            body.push_str("<EncodingType>url</EncodingType>");
        }
        body
    }

    /// The keys under the prefix behind a key, or from it on.
    pub fn keys<'b>(
        &'b self,
        bucket: &'b Bucket,
        from: Bound<&'b str>,
    ) -> impl Iterator<Item = (&'b String, &'b Vec<Version>)> {
        let from = match from {
            Bound::Included(key) | Bound::Excluded(key) if key >= &*self.prefix => from,
            _ => Bound::Included(&*self.prefix),
        };
        bucket.keys.range::<str, _>((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(&*self.prefix))
    }
}

pub fn objects(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let page = Page::of(asked);
    let delimiter = asked.param("delimiter").filter(|it| !it.is_empty());
    let after = match asked.param("continuation-token") {
        Some(token) => decoded(&token, false).into_owned(),
        None => asked.param("start-after").unwrap_or_default().into_owned(),
    };
    let mut body = page.begin("ListBucketResult", &asked.bucket);
    let (mut count, mut last, mut cut) = (0, String::new(), false);
    let store = server.store();
    let bucket = store.bucket(&asked.bucket)?;
    let common = |key: &str| {
        let delimiter = delimiter.as_deref()?;
        let at = key[page.prefix.len()..].find(delimiter)? + page.prefix.len() + delimiter.len();
        Some(key[..at].to_owned())
    };
    for (key, versions) in page.keys(bucket, Bound::Excluded(&after)) {
        let Some(Version { object: Some(object), at, .. }) = versions.last() else { continue };
        let group = common(key);
        // A common prefix is told once, in this page or the one before.
        if group.as_ref().is_some_and(|group| *group == last || *group == after) {
            continue;
        }
        if count == page.most {
            cut = page.most > 0;
            break;
        }
        count += 1;
        match group {
            Some(group) => {
                let shown = page.shown(&group);
                write!(body, "<CommonPrefixes><Prefix>{shown}</Prefix></CommonPrefixes>").expect("memory");
                last = group;
            }
            None => {
                body.push_str("<Contents>");
                describe(&mut body, &page.shown(key), *at, object);
                body.push_str("</Contents>");
                last.clone_from(key);
            }
        }
    }
    drop(store);
    write!(body, "<KeyCount>{count}</KeyCount><IsTruncated>{cut}</IsTruncated>").expect("memory");
    if cut {
        let token = encoded(&last);
        write!(body, "<NextContinuationToken>{token}</NextContinuationToken>").expect("memory");
    }
    body.push_str("</ListBucketResult>");
    Ok(xml(body))
}

/// What a listing tells of an object.
pub fn describe(body: &mut String, key: &str, at: i64, object: &Object) {
    let (modified, size) = (Timestamp::from_second(at).unwrap_or_default(), object.size);
    write!(body, "<Key>{key}</Key><LastModified>{modified}</LastModified>").expect("memory");
    write!(body, "<ETag>&quot;{}&quot;</ETag><Size>{size}</Size>", object.etag()).expect("memory");
    body.push_str("<StorageClass>STANDARD</StorageClass>");
}
