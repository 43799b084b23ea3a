//! Amazon Data Firehose: where a stream delivers to, and one record into it.

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{DeliveryStreamType, Record};

use super::{AwsError, Session, explain};

/// Where a stream's records come to rest (Firehose API: "ExtendedS3DestinationDescription").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub bucket: String,
    /// As it was written, with its expressions.
    pub prefix: String,
    /// `UNCOMPRESSED`, `GZIP`, …
    pub compression: String,
    /// Whether records are put into it; it may read a Kinesis stream instead, and takes none then.
    pub takes_records: bool,
    /// Whether records are converted into Parquet or ORC.
    pub converts: bool,
    /// The time zone of the times in prefixes, where it is not UTC.
    pub zone: Option<String>,
    /// `ACTIVE`, `CREATING`, …
    pub status: String,
}

/// Where a stream delivers to; `None` where it has no bucket for a destination (Firehose API: "DescribeDeliveryStream").
///
/// # Errors
/// AWS refused, or there is no such stream (`ResourceNotFoundException`).
pub async fn delivery(session: &Session, stream: &str) -> Result<Option<Delivery>, AwsError> {
    let answer = session.firehose().describe_delivery_stream().delivery_stream_name(stream).send().await;
    let answer = answer.map_err(explain("firehose:DescribeDeliveryStream"))?;
    let Some(described) = answer.delivery_stream_description() else { return Ok(None) };
    let mut destinations = described.destinations().iter();
    let Some(s3) = destinations.find_map(|it| it.extended_s3_destination_description()) else { return Ok(None) };
    let bucket = s3.bucket_arn().rsplit(':').next().unwrap_or_default();
    Ok(Some(Delivery {
        bucket: bucket.to_owned(),
        prefix: s3.prefix().unwrap_or_default().to_owned(),
        compression: s3.compression_format().as_str().to_owned(),
        takes_records: *described.delivery_stream_type() == DeliveryStreamType::DirectPut,
        converts: s3.data_format_conversion_configuration().and_then(|it| it.enabled()).unwrap_or_default(),
        zone: s3.custom_time_zone().filter(|zone| *zone != "UTC").map(str::to_owned),
        status: described.delivery_stream_status().as_str().to_owned(),
    }))
}

/// Puts one record into a stream (Firehose API: "PutRecord").
///
/// # Errors
/// AWS refused.
pub async fn put(session: &Session, stream: &str, record: &str) -> Result<(), AwsError> {
    let operation = "firehose:PutRecord";
    let record = Record::builder().data(Blob::new(record)).build();
    let record =
        record.map_err(|error| AwsError { operation, code: None, message: error.to_string(), transient: false })?;
    let put = session.firehose().put_record().delivery_stream_name(stream).record(record);
    put.send().await.map_err(explain(operation))?;
    Ok(())
}
