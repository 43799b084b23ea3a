//! The same service where it lives on an ordinary day: what the recovery region is to a failover, the primary region is to a
//! rebuild after a breach.

use super::{Catalog, Cluster, Manifest, Rebuild, Table};

impl Manifest {
    /// The manifest of a rebuild: the primary region stands where the recovery region stood, and what is restored keeps its
    /// own name. Buckets stay where they are, and are no part of it; what the manifest says about the traffic and the checks of
    /// the recovered service is about the recovery region, and is left out.
    #[must_use]
    pub fn in_primary(&self) -> Self {
        let cluster = |it: &Cluster| Cluster { target: it.source.clone(), ..it.clone() };
        let table = |it: &Table| Table { target: it.source.clone(), ..it.clone() };
        let catalog = |it: &Catalog| Catalog { target: it.source.clone(), locations: Default::default(), ..it.clone() };
        let own = self.buckets.iter().flat_map(|it| [it.source.clone(), it.target.clone()]);
        let data = own.chain(self.rebuild.buckets.iter().cloned()).collect();
        Self {
            recovery: self.primary.clone(),
            rebuild: Rebuild { data, ..self.rebuild.clone() },
            clusters: self.clusters.iter().map(cluster).collect(),
            tables: self.tables.iter().map(table).collect(),
            buckets: Vec::new(),
            catalogs: self.catalogs.iter().map(catalog).collect(),
            checks: Vec::new(),
            cutovers: Vec::new(),
            ..self.clone()
        }
    }
}
