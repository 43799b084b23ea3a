//! The catalog as it was at a time: which version of its export is the one of then, and whether it can become a database
//! beside the one that is recovered.
//!
//! Glue keeps versions of a table's definition, but none of partitions, and nothing of tables that were deleted (AWS Glue
//! API: "GetTableVersions"). What an export held is all that is known of a time as a whole.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalog_source::Desired;
use super::{Blocked, StepError};
use crate::aws::s3::{self, BucketPlace, Marker, Version};
use crate::aws::{AwsError, Session, glue};
use crate::catalog::{self, difference};
use crate::manifest::{Catalog, CatalogSource, Manifest};

/// A million versions of one key.
const MOST_PAGES: usize = 1_000;
/// Names that a fact lists; the rest is counted.
const SHOWN: usize = 10;

/// The version of then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportThen {
    /// The region of its bucket.
    pub region: String,
    pub version_id: String,
    pub written_at: Timestamp,
    /// When the export was deleted, where it was between then and the time that was asked for.
    pub deleted_at: Option<Timestamp>,
}

/// Looks for the newest version of an export at or before `to`, in the manifest's two regions.
///
/// # Errors
/// There is no such version, it lies in an archive, or AWS refused.
pub async fn export_at(
    session: &Session,
    manifest: &Manifest,
    uri: &str,
    to: Timestamp,
) -> Result<ExportThen, Blocked> {
    let blocked = |cause: String, hint: &str| Blocked { cause, hint: Some(hint.to_owned()) };
    let (bucket, key) =
        s3::parse_uri(uri).ok_or_else(|| blocked(format!("{uri} is not s3://BUCKET/KEY"), "mend `from`"))?;
    let session = match s3::find_bucket(session, bucket).await? {
        BucketPlace::Here => session.clone(),
        BucketPlace::Elsewhere(region) if region == manifest.primary.name => session.in_region(&region),
        BucketPlace::Elsewhere(region) => {
            let cause = format!("the export {uri} is in {region}, which is no region of {}", manifest.environment);
            return Err(blocked(cause, "export to a bucket of the recovery region"));
        }
        BucketPlace::Missing => {
            return Err(blocked(
                format!("bucket {bucket} of {uri} does not exist"),
                "export to a bucket that keeps versions",
            ));
        }
    };
    let versions = versions(&session, bucket, key).await?;
    match choose(&versions, to) {
        Then::At { version, .. } if version.archived => {
            let cause =
                format!("version {} of {uri}, of {}, lies in an archive", version.version_id, version.modified_at);
            Err(blocked(cause, "restore it (aws s3api restore-object), then begin again"))
        }
        Then::At { version, deleted_at } => Ok(ExportThen {
            region: session.region().to_owned(),
            version_id: version.version_id.clone(),
            written_at: version.modified_at,
            deleted_at,
        }),
        Then::Later(first) => {
            let cause = format!("the oldest version that is left of {uri} is of {first}, later than {to}");
            let hint = format!(
                "--to {first} takes that one; a bucket keeps older ones where versioning is on and no rule expires them"
            );
            Err(Blocked { cause, hint: Some(hint) })
        }
        Then::None => Err(blocked(
            format!("the export {uri} does not exist"),
            "see the manifest's documentation for how to make one",
        )),
    }
}

/// All versions of one key, the newest first.
async fn versions(session: &Session, bucket: &str, key: &str) -> Result<Vec<Version>, AwsError> {
    let client = session.s3();
    let (mut found, mut from): (Vec<Version>, Option<Marker>) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = s3::list_versions(&client, bucket, key, from).await?;
        // Keys that only begin like it come behind it.
        let beyond = page.versions.iter().any(|version| version.key != key);
        found.extend(page.versions.into_iter().filter(|version| version.key == key));
        match page.next {
            Some(next) if !beyond => from = Some(next),
            _ => return Ok(found),
        }
    }
    Err(AwsError {
        operation: "s3:ListBucketVersions",
        code: None,
        message: format!("the versions of s3://{bucket}/{key} do not end after {MOST_PAGES} pages"),
        transient: false,
    })
}

#[derive(Debug, PartialEq)]
enum Then<'a> {
    At {
        version: &'a Version,
        deleted_at: Option<Timestamp>,
    },
    /// Only later ones are left, the first of them of this time.
    Later(Timestamp),
    None,
}

/// The newest version at or before a time; S3's times have whole seconds. A delete marker does not make an export untrue.
fn choose(newest_first: &[Version], to: Timestamp) -> Then<'_> {
    let mut deleted_at = None;
    for version in newest_first.iter().filter(|version| version.modified_at <= to) {
        match version.is_marker {
            true => deleted_at = Some(version.modified_at),
            false => return Then::At { version, deleted_at },
        }
    }
    newest_first.iter().rev().find(|version| !version.is_marker).map_or(Then::None, |it| Then::Later(it.modified_at))
}

/// The name must be free: what stands is never written into.
pub(super) async fn free(session: &Session, catalog: &Catalog) -> Result<(), StepError> {
    if glue::database(session, &catalog.target).await?.is_none() {
        return Ok(());
    }
    let cause = format!("database {} stands in {} already", catalog.target, session.region());
    Err(StepError::conflict(cause).hint("choose another name for the restored database, with --as"))
}

/// What a recovery tells before it begins: how far from the time its source is, and what has become of the catalog since. What
/// of it is not known is in warnings.
pub(super) async fn facts(session: &Session, catalog: &Catalog, desired: &Desired) -> (Value, Vec<String>) {
    let CatalogSource::Version(version) = &catalog.from else { return (Value::Null, Vec::new()) };
    let mut warnings = Vec::new();
    let (source, exported) = (&catalog.source, &desired.catalog.database.name);
    if !exported.eq_ignore_ascii_case(source) {
        warnings.push(format!("the export of then is of database {exported}, and {source} is recovered by it"));
    }
    if desired.catalog.tables.values().any(catalog::Table::is_iceberg) {
        warnings.push(format!(
            "Iceberg tables of {} share files with those of {source}: write to one of the two only, and let neither expire snapshots",
            catalog.target
        ));
    }
    let mut facts = json!({ "age_seconds": (version.to.as_second() - version.written_at.as_second()).max(0) });
    match glue::catalog(session, source).await {
        Ok(now) => facts["since"] = since(&desired.catalog, now.as_ref()),
        Err(error) => warnings.push(format!("what has become of {source} since is not known: {error}")),
    }
    (facts, warnings)
}

/// What has become of a catalog, as counts and first names.
fn since(then: &catalog::Catalog, now: Option<&catalog::Catalog>) -> Value {
    let found = difference(then, now);
    let names = |names: Vec<String>| json!({ "count": names.len(), "first": &names[..names.len().min(SHOWN)] });
    json!({
        "database_gone": found.database_missing,
        "gone_tables": names(found.missing_tables.iter().map(|table| table.name.clone()).collect()),
        "gone_partitions": found.missing_partition_count(),
        "changed": names(found.conflicts.clone()),
        "new_tables": names(found.extra_tables.clone()),
        "new_partitions": found.extra_partitions.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str, second: i64, is_marker: bool) -> Version {
        Version {
            key: "logs.json".into(),
            version_id: id.into(),
            is_marker,
            is_latest: false,
            modified_at: at(second),
            size_bytes: 1,
            etag: "e".into(),
            storage_class: None,
            archived: false,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::new(second, 0).expect("a time")
    }

    #[test]
    fn the_newest_version_at_or_before_the_time_is_the_one_of_then() {
        let versions =
            [version("4", 40, false), version("3", 30, true), version("2", 20, false), version("1", 10, false)];
        let chosen = |second| match choose(&versions, at(second)) {
            Then::At { version, deleted_at } => (version.version_id.clone(), deleted_at),
            other => panic!("{other:?}"),
        };
        assert_eq!(chosen(99), ("4".into(), None));
        assert_eq!(chosen(40), ("4".into(), None), "what was written in that second counts as before it");
        assert_eq!(chosen(39), ("2".into(), Some(at(30))), "an export that was deleted is still true of its time");
        assert_eq!(chosen(29), ("2".into(), None));
        assert_eq!(chosen(19), ("1".into(), None));
        assert_eq!(choose(&versions, at(9)), Then::Later(at(10)));
        assert_eq!(choose(&versions[1..2], at(50)), Then::None);
        assert_eq!(choose(&[], at(50)), Then::None);
    }
}
