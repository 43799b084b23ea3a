//! Whether two versions of a key are the same object: content, metadata, content headers and tags.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;

use crate::aws::AwsError;
use crate::aws::archive::is_archive;
use crate::aws::s3::{Object, Version};
use crate::transfer::compare::{Comparer, Verdict};
use crate::transfer::copy::Copier;
use crate::transfer::multipart::tag_set;

/// How two versions differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlike {
    Different(String),
    NotCompared(String),
}

/// A version as the copier names it. What comes out of an archive is written where it can be read: the class of an older
/// version may be the work of a lifecycle rule.
pub(super) fn object(version: &Version) -> Object {
    Object {
        key: version.key.clone(),
        version_id: Some(version.version_id.clone()),
        size_bytes: version.size_bytes,
        etag: version.etag.clone(),
        storage_class: version.storage_class.clone().filter(|class| !is_archive(class)),
        archived: version.archived,
        modified_at: Some(version.modified_at),
    }
}

/// Says how two versions of one key differ; nothing where they are the same object.
///
/// # Errors
/// AWS refused.
pub async fn same_object(
    copier: &Copier,
    comparer: &Comparer,
    then: &Version,
    now: &Version,
) -> Result<Option<Unlike>, AwsError> {
    if now.is_marker {
        return Ok(Some(Unlike::Different("it is deleted".to_owned())));
    }
    let (then, now) = (object(then), object(now));
    match comparer.compare(&then, &now).await? {
        Verdict::Equal => {}
        Verdict::Different(why) => return Ok(Some(Unlike::Different(why))),
        Verdict::NotCompared(why) => return Ok(Some(Unlike::NotCompared(why))),
    }
    let (there, here) = tokio::try_join!(copier.head_source(&then, None), copier.head_source(&now, None))?;
    let (Some(there), Some(here)) = (there, here) else {
        return Ok(Some(Unlike::Different("it vanished while it was compared".to_owned())));
    };
    if carried(&there) != carried(&here) {
        return Ok(Some(Unlike::Different("the metadata or content headers differ".to_owned())));
    }
    // Where neither has tags, nobody needs to be asked for them.
    if there.tag_count().unwrap_or_default() == 0 && here.tag_count().unwrap_or_default() == 0 {
        return Ok(None);
    }
    let (there, here) = tokio::try_join!(tag_set(copier, &then), tag_set(copier, &now))?;
    Ok((there != here).then(|| Unlike::Different("the tags differ".to_owned())))
}

/// What CopyObject takes over beside content and tags.
fn carried(head: &HeadObjectOutput) -> (BTreeMap<&String, &String>, [Option<&str>; 6]) {
    let metadata = head.metadata().into_iter().flatten().collect();
    let headers = [
        head.content_type(),
        head.content_encoding(),
        head.content_language(),
        head.content_disposition(),
        head.cache_control(),
        head.expires_string(),
    ];
    (metadata, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_of_an_archive_is_written_where_it_can_be_read() {
        let class = |class: &str| {
            let version = Version {
                key: "a".into(),
                version_id: "1".into(),
                is_marker: false,
                is_latest: false,
                modified_at: jiff::Timestamp::UNIX_EPOCH,
                size_bytes: 1,
                etag: "e".into(),
                storage_class: Some(class.into()),
                archived: false,
            };
            object(&version).storage_class
        };
        assert_eq!([class("GLACIER"), class("DEEP_ARCHIVE")], [None, None]);
        assert_eq!(class("STANDARD_IA").as_deref(), Some("STANDARD_IA"));
        assert_eq!(class("GLACIER_IR").as_deref(), Some("GLACIER_IR"), "it is read at once");
    }
}
