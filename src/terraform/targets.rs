//! Which resources wait for the adoption, and how the base plan is limited to the rest.

use std::collections::BTreeSet;

use super::args::{SELECTION_BYTES, Selection};
use super::graph::{Graph, configured};
use super::plan::Plan;
use super::version::Product;

/// A root split in two: what is built first, and what waits until the restored resources are adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Configured addresses (without instance keys) that the base plan covers.
    pub base: BTreeSet<String>,
    /// Configured addresses that wait: the adopted ones and everything that depends on them.
    pub deferred: BTreeSet<String>,
}

/// Why a root cannot be split.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("{0} is to be adopted, but the Terraform root declares no such resource")]
    NotDeclared(String),
    #[error("{0} is in the plan, but not in what `terraform graph` prints")]
    NotInGraph(String),
    #[error(
        "limiting the plan takes {bytes} bytes of arguments for {resources} resources; the most is {SELECTION_BYTES}"
    )]
    TooLong { bytes: usize, resources: usize },
}

/// Splits the root of a full plan round the adopted addresses.
///
/// # Errors
/// An adopted address that the root does not declare, or a graph that does not fit the plan.
pub fn split(plan: &Plan, graph: &Graph, adopted: &BTreeSet<String>) -> Result<Split, SplitError> {
    let adopted: BTreeSet<String> = adopted.iter().map(|it| configured(it)).collect();
    let managed: BTreeSet<String> =
        plan.resources.iter().filter(|it| it.managed).map(|it| configured(&it.address)).collect();
    if let Some(missing) = adopted.iter().find(|it| !graph.has(it)) {
        return Err(SplitError::NotDeclared(missing.clone()));
    }
    // A graph in a form that is not understood would have no nodes: never take that for "nothing depends on it".
    let created = plan.resources.iter().filter(|it| it.managed && it.creates());
    if let Some(unknown) = created.map(|it| configured(&it.address)).find(|it| !graph.has(it)) {
        return Err(SplitError::NotInGraph(unknown));
    }
    let mut deferred = graph.dependents(adopted.iter().map(String::as_str));
    deferred.retain(|it| managed.contains(it));
    deferred.extend(adopted);
    Ok(Split { base: managed.difference(&deferred).cloned().collect(), deferred })
}

impl Split {
    /// Whether a resource instance waits for the adoption.
    pub fn defers(&self, address: &str) -> bool {
        self.deferred.contains(&configured(address))
    }

    /// How the base plan is limited; `None` where nothing is left for it, which Terraform has no argument for.
    ///
    /// # Errors
    /// More arguments than a process can be given.
    pub fn selection(&self, product: Product) -> Result<Option<Selection>, SplitError> {
        if self.deferred.is_empty() {
            return Ok(Some(Selection::All));
        }
        if self.base.is_empty() {
            return Ok(None);
        }
        let selection = match product {
            Product::Terraform => Selection::Target(self.base.iter().cloned().collect()),
            Product::OpenTofu => Selection::Exclude(self.deferred.iter().cloned().collect()),
        };
        let bytes = selection.bytes();
        if bytes > SELECTION_BYTES {
            let resources = self.base.len();
            return Err(SplitError::TooLong { bytes, resources });
        }
        Ok(Some(selection))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terraform::Address;
    use crate::terraform::plan::{Action, ResourceChange};

    fn change(address: &str) -> ResourceChange {
        ResourceChange {
            address: address.into(),
            managed: true,
            kind: Address::parse(address).map(|it| it.kind).unwrap_or_default(),
            actions: vec![Action::Create],
            ..ResourceChange::default()
        }
    }

    fn plan(addresses: &[&str]) -> Plan {
        Plan { resources: addresses.iter().map(|it| change(it)).collect(), ..Plan::default() }
    }

    fn set(addresses: &[&str]) -> BTreeSet<String> {
        addresses.iter().map(|it| (*it).to_owned()).collect()
    }

    fn fixture() -> (Plan, Graph) {
        let plan = plan(&[
            "terraform_data.net",
            "terraform_data.via_local",
            "terraform_data.indep[0]",
            "terraform_data.indep[1]",
            "module.db.terraform_data.subnet",
            "module.db.terraform_data.cluster",
            "module.db.terraform_data.inst[0]",
            r#"module.use["x"].terraform_data.uses"#,
            r#"module.use["x"].terraform_data.nope"#,
            "module.dep.terraform_data.uses",
            "module.dep.terraform_data.nope",
        ]);
        (plan, Graph::from_dot(include_str!("testdata/graph.dot")))
    }

    #[test]
    fn what_reaches_the_cluster_by_a_local_a_module_or_depends_on_waits() {
        let (plan, graph) = fixture();
        let split = split(&plan, &graph, &set(&["module.db.terraform_data.cluster"])).unwrap();
        let waits = [
            "module.db.terraform_data.cluster",
            "module.db.terraform_data.inst",
            "module.dep.terraform_data.nope",
            "module.dep.terraform_data.uses",
            "module.use.terraform_data.uses",
            "terraform_data.via_local",
        ];
        assert_eq!(split.deferred, set(&waits));
        let base = [
            "module.db.terraform_data.subnet",
            "module.use.terraform_data.nope",
            "terraform_data.indep",
            "terraform_data.net",
        ];
        assert_eq!(split.selection(Product::Terraform), Ok(Some(Selection::Target(base.map(str::to_owned).to_vec()))));
        let excluded = Selection::Exclude(waits.map(str::to_owned).to_vec());
        assert_eq!(split.selection(Product::OpenTofu), Ok(Some(excluded)));
    }

    #[test]
    fn without_adoption_the_plan_is_not_limited() {
        let (plan, graph) = fixture();
        let split = split(&plan, &graph, &BTreeSet::new()).unwrap();
        assert_eq!(split.selection(Product::Terraform), Ok(Some(Selection::All)));
    }

    #[test]
    fn a_root_of_nothing_but_adopted_resources_has_no_base_plan() {
        let graph = Graph::from_dot("\"aws_rds_cluster.logs\" [label=\"x\"];");
        let split = split(&plan(&["aws_rds_cluster.logs"]), &graph, &set(&["aws_rds_cluster.logs"])).unwrap();
        assert_eq!(split.selection(Product::Terraform), Ok(None));
    }

    #[test]
    fn a_wrong_address_or_an_unreadable_graph_is_refused() {
        let (plan, graph) = fixture();
        let wrong = split(&plan, &graph, &set(&["aws_rds_cluster.typo"]));
        assert_eq!(wrong, Err(SplitError::NotDeclared("aws_rds_cluster.typo".into())));
        let unreadable = split(&plan, &Graph::from_dot("strict digraph { a -> b }"), &BTreeSet::new());
        assert!(matches!(unreadable, Err(SplitError::NotInGraph(_))));
    }

    #[test]
    fn more_arguments_than_a_process_takes_are_an_error() {
        let base = (0..30_000).map(|n| format!("module.logging.aws_cloudwatch_log_group.group_{n}")).collect();
        let error = Split { base, deferred: set(&["aws_rds_cluster.logs"]) }.selection(Product::Terraform).unwrap_err();
        assert!(matches!(error, SplitError::TooLong { resources: 30_000, .. }), "{error}");
    }

    proptest! {
        /// Whatever the graph: no target needs anything that waits, so that `-target` pulls in nothing adopted.
        #[test]
        fn no_target_needs_what_waits(edges in prop::collection::vec((1_usize..30, 0_usize..29), 0..80), adopted in 0_usize..30) {
            let names: Vec<String> = (0..30).map(|n| format!("aws_vpc.n{n}")).collect();
            let needs: Vec<(usize, usize)> = edges.into_iter().map(|(from, to)| (from, to % from)).collect();
            let dot: String = names.iter().map(|name| format!("\"{name}\" [label=\"x\"];\n"))
                .chain(needs.iter().map(|(from, to)| format!("\"{}\" -> \"{}\";\n", names[*from], names[*to])))
                .collect();
            let plan = plan(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let split = split(&plan, &Graph::from_dot(&dot), &set(&[names[adopted].as_str()])).unwrap();
            for (from, to) in needs {
                prop_assert!(!(split.base.contains(&names[from]) && split.deferred.contains(&names[to])));
            }
            prop_assert_eq!(split.base.len() + split.deferred.len(), names.len());
        }
    }
}
