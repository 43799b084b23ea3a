//! Where the definitions of a catalog come from, and whether all of it can be recreated where it shall be.

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::StepError;
use crate::aws::{Session, glue, s3};
use crate::catalog::{self, IcebergTable, Rules, leads_elsewhere};
use crate::manifest::{Bucket, Catalog, CatalogSource, ExportVersion};

/// The largest export that is read: some hundred thousand partitions.
const EXPORT_LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// The largest metadata file of an Iceberg table that is read: some ten thousand snapshots.
const METADATA_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
const METADATA_AT_ONCE: usize = 4;
/// Names that an error or warning lists; the rest is counted.
const NAMES_SHOWN: usize = 5;

/// A catalog as it shall be in the region of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Locations are rewritten already.
    pub catalog: catalog::Catalog,
    pub rules: Rules,
    pub warnings: Vec<String>,
    /// Where the definitions come from, and when they were written, where that is known.
    pub source: String,
    pub written_at: Option<Timestamp>,
}

/// Reads the definitions and rewrites their locations.
///
/// # Errors
/// The source is missing or unreadable, a table cannot be recreated from its definition, a location has no place in
/// the recovery region, or AWS refused.
pub async fn load_catalog(session: &Session, catalog: &Catalog, buckets: &[Bucket]) -> Result<Desired, StepError> {
    let (mut found, mut warnings, source, written_at) = match &catalog.from {
        CatalogSource::Export(uri) => read_export(session, uri).await?,
        CatalogSource::Version(version) => read_version(session, version).await?,
        CatalogSource::Replica(database) => {
            let missing = || StepError::failed(format!("database {database} is not in {}", session.region()));
            let found = glue::catalog(session, database).await?.ok_or_else(missing)?;
            let warnings = found.warnings();
            (found, warnings, format!("database {database}"), None)
        }
    };
    let rules = match &catalog.from {
        CatalogSource::Version(version) if !version.relocated => Rules::as_it_was(),
        _ => Rules::new(&catalog.locations, buckets.iter().map(|bucket| bucket.target.as_str())),
    };
    let (unmovable, iceberg) = catalog::iceberg(&found, &rules);
    let mut refusals = found.refusals();
    refusals.extend(unmovable);
    refusals.extend(misled(session, &iceberg, &rules).await?);
    if !refusals.is_empty() {
        let text = format!("{source} cannot be recreated: {}", shown(&refusals));
        return Err(StepError::failed(text).hint("take these tables out of the export and recreate them separately"));
    }
    warnings.extend(catalog::moved_warnings(&found, &rules));
    warnings.extend(iceberg.iter().map(|it| {
        format!(
            "table {} is an Iceberg table: its metadata file was looked at, its manifests and data files were not",
            it.table
        )
    }));
    let outside = rules.apply(&mut found);
    if !outside.is_empty() {
        let text = format!("{} locations have no place in {}: {}", outside.len(), session.region(), shown(&outside));
        return Err(StepError::failed(text).hint("add a prefix for them to the catalog's locations"));
    }
    let more = warnings.len().saturating_sub(NAMES_SHOWN * 4);
    if more > 0 {
        warnings.truncate(NAMES_SHOWN * 4);
        warnings.push(format!("{more} more of this kind"));
    }
    Ok(Desired { catalog: found, rules, warnings, source, written_at })
}

type Found = (catalog::Catalog, Vec<String>, String, Option<Timestamp>);

async fn read_export(session: &Session, uri: &str) -> Result<Found, StepError> {
    let (bucket, key) = address(uri)?;
    match s3::find_bucket(session, bucket).await? {
        s3::BucketPlace::Here => {}
        s3::BucketPlace::Missing => return Err(StepError::failed(format!("bucket {bucket} of {uri} does not exist"))),
        s3::BucketPlace::Elsewhere(region) => {
            let text = format!("the export {uri} is only in {region}, not in {}", session.region());
            return Err(StepError::failed(text).hint("export to a bucket of the recovery region"));
        }
    }
    let missing = || StepError::failed(format!("the export {uri} does not exist"));
    let content = s3::read(session, bucket, key, EXPORT_LIMIT_BYTES).await?.ok_or_else(missing)?;
    let (catalog, warnings) = parsed(uri, &content)?;
    Ok((catalog, warnings, uri.to_owned(), content.modified_at))
}

/// The version that was chosen as the run began, and no other: a bucket without versions may hold another export by now.
async fn read_version(session: &Session, version: &ExportVersion) -> Result<Found, StepError> {
    let ExportVersion { uri, region, version_id, written_at, .. } = version;
    let (bucket, key) = address(uri)?;
    let gone = || {
        StepError::failed(format!("version {version_id} of the export {uri}, of {written_at}, is gone"))
            .hint("a rule of its bucket or somebody has removed it: abandon this run, and recover to a time that another version tells of")
    };
    let session = session.in_region(region);
    let content =
        s3::read_version(&session, bucket, key, Some(version_id), EXPORT_LIMIT_BYTES).await?.ok_or_else(gone)?;
    if content.modified_at != Some(*written_at) {
        return Err(gone());
    }
    let (catalog, warnings) = parsed(uri, &content)?;
    Ok((catalog, warnings, format!("{uri}?versionId={version_id}"), Some(*written_at)))
}

fn address(uri: &str) -> Result<(&str, &str), StepError> {
    s3::parse_uri(uri).ok_or_else(|| StepError::failed(format!("{uri} is not s3://BUCKET/KEY")))
}

fn parsed(uri: &str, content: &s3::Content) -> Result<(catalog::Catalog, Vec<String>), StepError> {
    catalog::parse(&content.bytes).map_err(|error| StepError::failed(format!("{uri}: {error}")))
}

/// Iceberg tables whose metadata files are not there, cannot be read, or lead elsewhere.
async fn misled(session: &Session, tables: &[IcebergTable], rules: &Rules) -> Result<Vec<String>, StepError> {
    // Named as tasks of their own: a closure over references would not be general enough for the stream.
    let looks: Vec<_> = tables.iter().map(|table| look(session, table, rules)).collect();
    let found: Vec<Option<String>> = stream::iter(looks).buffered(METADATA_AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn look(session: &Session, of: &IcebergTable, rules: &Rules) -> Result<Option<String>, StepError> {
    let IcebergTable { table, metadata } = of;
    let said = |what: String| Ok(Some(format!("table {table} is an Iceberg table, and {what}")));
    // All schemes mean S3.
    let place = metadata.split_once("://").and_then(|(_, place)| place.split_once('/'));
    let Some((bucket, key)) = place else { return said(format!("{metadata} is no address in S3")) };
    let session = match s3::find_bucket(session, bucket).await? {
        s3::BucketPlace::Here => session.clone(),
        s3::BucketPlace::Missing => return said(format!("bucket {bucket} of its metadata file does not exist")),
        s3::BucketPlace::Elsewhere(region) => {
            return said(format!("its metadata file {metadata} is in {region}, not in {}", session.region()));
        }
    };
    let Some(content) = s3::read(&session, bucket, key, METADATA_LIMIT_BYTES).await? else {
        return said(format!("its metadata file {metadata} does not exist any more"));
    };
    let bytes = match unpacked(content.bytes) {
        Ok(bytes) => bytes,
        Err(why) => return said(format!("its metadata file {metadata} cannot be read: {why}")),
    };
    Ok(leads_elsewhere(of, &bytes, rules))
}

/// Metadata files may be compressed (Iceberg: "Configuration", `write.metadata.compression-codec`).
fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let mut limited = MultiGzDecoder::new(bytes.as_slice()).take(METADATA_LIMIT_BYTES + 1);
    limited.read_to_end(&mut unpacked).map_err(|error| error.to_string())?;
    match unpacked.len() as u64 > METADATA_LIMIT_BYTES {
        true => Err(format!("it is larger than {METADATA_LIMIT_BYTES} bytes")),
        false => Ok(unpacked),
    }
}

pub(super) fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let first = names.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more == 0 { first } else { format!("{first}; {more} more") }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn metadata_is_read_compressed_or_not() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(b"{}").expect("written");
        assert_eq!(unpacked(packed.finish().expect("packed")), Ok(b"{}".to_vec()));
        assert_eq!(unpacked(b"{}".to_vec()), Ok(b"{}".to_vec()));
        assert!(unpacked(vec![0x1f, 0x8b, 0]).is_err());
    }
}
