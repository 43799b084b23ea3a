//! A Glue database with its tables and partitions as data: read from an export, moved to other locations, and compared
//! with what stands. Pure.

mod difference;
mod export;
mod formats;
mod locations;
mod model;

pub use difference::{Difference, difference};
pub use export::{ExportError, parse};
pub use formats::{IcebergTable, iceberg, leads_elsewhere, moved_warnings};
pub use locations::Rules;
pub use model::{
    Catalog, Column, Database, Order, Parameters, Partition, SchemaId, SchemaReference, SerdeInfo, SkewedInfo,
    StorageDescriptor, Table,
};
