//! Which operation a request is.

use hyper::Method;

use super::request::Asked;

/// The operations that the server knows, by their names in the S3 API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    /// Any configuration of a bucket that is read.
    GetBucketConfiguration,
    ListObjectsV2,
    ListObjectVersions,
    HeadObject,
    GetObject,
    GetObjectTagging,
    PutObject,
    CopyObject,
    DeleteObject,
    DeleteObjects,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    Unknown,
}

use Operation::{
    AbortMultipartUpload, CompleteMultipartUpload, CopyObject, CreateBucket, CreateMultipartUpload, DeleteObject,
    DeleteObjects, GetBucketConfiguration, GetObject, GetObjectTagging, HeadBucket, HeadObject, ListBuckets,
    ListObjectVersions, ListObjectsV2, PutObject, Unknown, UploadPart, UploadPartCopy,
};

impl Operation {
    pub const COUNT: usize = Unknown as usize + 1;
    pub const ALL: [Self; Self::COUNT] = [
        ListBuckets,
        CreateBucket,
        HeadBucket,
        GetBucketConfiguration,
        ListObjectsV2,
        ListObjectVersions,
        HeadObject,
        GetObject,
        GetObjectTagging,
        PutObject,
        CopyObject,
        DeleteObject,
        DeleteObjects,
        CreateMultipartUpload,
        UploadPart,
        UploadPartCopy,
        CompleteMultipartUpload,
        AbortMultipartUpload,
        Unknown,
    ];

    pub fn of(asked: &Asked) -> Self {
        let method = &asked.parts.method;
        match (asked.bucket.is_empty(), asked.key.is_empty()) {
            (true, _) if method == Method::GET => ListBuckets,
            (true, _) => Unknown,
            (false, true) => of_bucket(method, asked),
            (false, false) => of_object(method, asked),
        }
    }

    /// What counts to S3's writes a second.
    pub fn writes(self) -> bool {
        self as usize >= PutObject as usize && self != Unknown
    }

    pub fn lists(self) -> bool {
        matches!(self, ListObjectsV2 | ListObjectVersions)
    }

    /// What takes the longer, the more bytes it copies.
    pub fn copies(self) -> bool {
        matches!(self, CopyObject | UploadPartCopy)
    }
}

fn of_bucket(method: &Method, asked: &Asked) -> Operation {
    match *method {
        Method::GET if asked.has("versions") => ListObjectVersions,
        Method::GET if asked.has("list-type") => ListObjectsV2,
        Method::GET => GetBucketConfiguration,
        Method::HEAD => HeadBucket,
        Method::PUT => CreateBucket,
        Method::POST if asked.has("delete") => DeleteObjects,
        _ => Unknown,
    }
}

fn of_object(method: &Method, asked: &Asked) -> Operation {
    let copies = asked.parts.headers.contains_key("x-amz-copy-source");
    let uploads = asked.has("uploadId");
    match *method {
        Method::HEAD => HeadObject,
        Method::GET if asked.has("tagging") => GetObjectTagging,
        Method::GET => GetObject,
        Method::PUT if uploads && copies => UploadPartCopy,
        Method::PUT if uploads => UploadPart,
        Method::PUT if copies => CopyObject,
        Method::PUT => PutObject,
        Method::POST if uploads => CompleteMultipartUpload,
        Method::POST if asked.has("uploads") => CreateMultipartUpload,
        Method::DELETE if uploads => AbortMultipartUpload,
        Method::DELETE => DeleteObject,
        _ => Unknown,
    }
}
