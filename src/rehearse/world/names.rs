//! Names that a run gives to what it makes: they have its own name in them, which is another in each. Pure.

use crate::evidence::snapshot_name;
use crate::manifest::Manifest;

/// The names of one run, each with what stands for it where two runs are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunNames(Vec<(String, String)>);

impl RunNames {
    /// Those of a run; none where there was no run.
    pub fn of(run: &str, manifest: &Manifest) -> Self {
        if run.is_empty() {
            return Self::default();
        }
        // A long one is cut and ends in a digest, so that the run's name cannot be looked for in it.
        let clusters = manifest.clusters.iter().flat_map(|it| [&it.source, &it.target]);
        let snapshots = clusters.map(|cluster| (snapshot_name(run, cluster), format!("snapshot-of-{cluster}-by-RUN")));
        Self(snapshots.chain([(run.to_owned(), "RUN".to_owned())]).collect())
    }

    /// A text as it would be of any run.
    pub fn plain(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, plain)| text.replace(name, plain))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_two_runs_have_made_is_told_alike() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = crate::manifest::load(&environments, "prod").expect("the example");
        let cluster = &manifest.clusters[0].source;
        let told = ["20261122T0312-prod-7f3a", "20261123T0313-prod-ab12"].map(|run| {
            let names = RunNames::of(run, &manifest);
            names.plain(&format!("{} evidence/{run}/sealed {cluster}", snapshot_name(run, cluster)))
        });
        assert_eq!(told[0], told[1]);
        assert!(told[0].contains(&format!("evidence/RUN/sealed {cluster}")), "{}", told[0]);
        assert_eq!(RunNames::of("", &manifest).plain("as it is"), "as it is");
    }
}
