//! The world before the outage, made up from a manifest: what stands in the primary region, and the recovery points
//! that reached the recovery region.
//!
//! Names come from the manifest, shapes of clusters and tables from the Terraform root where they can be read there.
//! It is built in an emulator, directly and never through the proxy, and it is the same at every rehearsal.

mod after;
mod amount;
mod before;
mod bucket;
mod catalog;
mod cluster;
mod declared;
mod definitions;
mod items;
mod names;
mod objects;
mod others;
mod shape;
mod state;
mod table;
mod zone;

pub use after::{After, after, difference};
pub use before::{Before, Known};
pub use bucket::SourceBucket;
pub use catalog::SourceCatalog;
pub use cluster::SourceCluster;
pub use names::RunNames;
pub use state::Home;
pub use table::{SourceTable, items_of};
pub use zone::HostedZone;

use amount::amount;
use futures::future::try_join_all;

use super::RehearseError;
use crate::aws::Session;
use crate::manifest::Manifest;

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub buckets_at: Vec<Home>,
    pub clusters: Vec<SourceCluster>,
    pub tables: Vec<SourceTable>,
    pub buckets: Vec<SourceBucket>,
    pub catalogs: Vec<SourceCatalog>,
    pub zones: Vec<HostedZone>,
}

/// How much stands in it where the manifest's expectations leave that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plenty {
    pub objects: u64,
}

impl Plenty {
    /// Enough for a look at how a failover goes.
    pub const USUAL: Self = Self { objects: 2_000 };
    /// Enough to meet every kind of object, for many rehearsals in a row.
    pub const FEW: Self = Self { objects: 300 };
}

/// Clients of both regions of an emulator.
pub(crate) struct Regions {
    primary: Session,
    recovery: Session,
}

impl Regions {
    fn of(&self, region: &str) -> &Session {
        if region == self.primary.region() { &self.primary } else { &self.recovery }
    }
}

/// The buckets that a breach's stack does not make itself: for state in both regions, for exports and for evidence. Those of the
/// primary region that hold its data are the stack's own.
///
/// # Errors
/// The emulator refused.
pub(crate) async fn buckets_of_a_breach(manifest: &Manifest, endpoint: &str) -> Result<(), RehearseError> {
    let regions = &Regions {
        primary: Session::emulated(&manifest.primary.name, endpoint),
        recovery: Session::emulated(&manifest.recovery.name, endpoint),
    };
    let mut homes = state::homes(manifest);
    homes.retain(|home| !manifest.rebuild.buckets.contains(&home.bucket));
    let evidence = manifest.evidence.iter().map(|rule| rule.place(&manifest.primary.name));
    homes.extend(evidence.map(|place| Home { bucket: place.bucket, region: place.region }));
    Ok(state::build(&homes, regions).await?)
}

/// The exports of the catalogs, as if they had been made before anybody broke in.
///
/// # Errors
/// The emulator refused, or the manifest expects more than fits.
pub(crate) async fn exports(manifest: &Manifest, session: &Session) -> Result<(), RehearseError> {
    for catalog in &manifest.catalogs {
        catalog::build_export(manifest, catalog, session).await?;
    }
    Ok(())
}

/// Builds the world in an empty emulator.
///
/// # Errors
/// The emulator refused something, or the manifest asks for a world that it cannot hold.
pub async fn build(manifest: &Manifest, endpoint: &str, plenty: Plenty) -> Result<World, RehearseError> {
    let regions = &Regions {
        primary: Session::emulated(&manifest.primary.name, endpoint),
        recovery: Session::emulated(&manifest.recovery.name, endpoint),
    };
    let buckets_at = state::homes(manifest);
    state::build(&buckets_at, regions).await?;
    let clusters = async {
        let clusters = manifest.clusters.iter().map(|cluster| cluster::build(manifest, cluster, regions));
        let clusters = try_join_all(clusters).await?;
        let zones = zone::build(manifest, regions, &clusters).await?;
        Ok::<_, RehearseError>((clusters, zones))
    };
    let tables = try_join_all(manifest.tables.iter().map(|table| table::build(manifest, table, regions)));
    let buckets = try_join_all(manifest.buckets.iter().map(|bucket| bucket::build(bucket, regions, plenty.objects)));
    let catalogs = try_join_all(manifest.catalogs.iter().map(|catalog| catalog::build(manifest, catalog, regions)));
    let ((clusters, zones), tables, buckets, catalogs) = tokio::try_join!(clusters, tables, buckets, catalogs)?;
    Ok(World { buckets_at, clusters, tables, buckets, catalogs, zones })
}
