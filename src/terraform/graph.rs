//! What depends on what, read from `terraform graph` (Terraform: "Command: graph").
//!
//! Terraform's own graph is used rather than the references in a plan's JSON, because that JSON leaves out local values
//! and the bodies of dynamic blocks: a resource that reaches a cluster through a `locals` entry would not be seen.
//! The edges that the graph leaves out are those that follow from others.

use std::collections::{BTreeMap, BTreeSet};

use super::Address;

/// Dependencies between configured resources, by address without instance keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    nodes: BTreeSet<String>,
    /// From each node to those that need it.
    needed_by: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Reads DOT as Terraform and OpenTofu write it: one node or edge a line, names in quotes.
    pub fn from_dot(dot: &str) -> Self {
        let mut graph = Self::default();
        for line in dot.lines().map(str::trim).filter(|line| line.starts_with('"')) {
            let Some((from, rest)) = quoted(line) else { continue };
            let from = name(&from);
            match rest.trim_start().strip_prefix("->").and_then(|rest| quoted(rest.trim_start())) {
                Some((to, _)) => {
                    let to = name(&to);
                    graph.needed_by.entry(to.clone()).or_default().insert(from.clone());
                    graph.nodes.extend([from, to]);
                }
                None => {
                    graph.nodes.insert(from);
                }
            }
        }
        graph
    }

    pub fn has(&self, address: &str) -> bool {
        self.nodes.contains(address)
    }

    /// Everything that needs one of `addresses`, directly or through others, without those themselves unless one needs
    /// another.
    pub fn dependents<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open: Vec<&str> = addresses.into_iter().collect();
        while let Some(address) = open.pop() {
            for dependent in self.needed_by.get(address).into_iter().flatten() {
                if found.insert(dependent.clone()) {
                    open.push(dependent);
                }
            }
        }
        found
    }
}

/// An address without instance keys, as the configuration and the graph know it.
pub fn configured(address: &str) -> String {
    Address::parse(address).map_or_else(|| address.to_owned(), |it| it.without_indices())
}

/// The string at the start of `text` and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            '"' => return Some((name, &text[at + 2..])),
            c => name.push(c),
        }
    }
    None
}

/// A node's name without what OpenTofu and `-type=plan` put round it.
fn name(node: &str) -> String {
    node.trim_start_matches("[root] ").trim_end_matches(" (expand)").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_are_followed_across_modules() {
        let graph = Graph::from_dot(include_str!("testdata/graph.dot"));
        let found = graph.dependents(["module.db.terraform_data.cluster"]);
        let expected = [
            "module.db.terraform_data.inst",
            "module.dep.terraform_data.nope",
            "module.dep.terraform_data.uses",
            "module.use.terraform_data.uses",
            "terraform_data.via_local",
        ];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert!(graph.has("terraform_data.net") && !graph.has("terraform_data.nothing"));
    }

    #[test]
    fn the_full_graph_says_the_same_of_resources() {
        let graph = Graph::from_dot(include_str!("testdata/graph_full.dot"));
        let found = graph.dependents(["module.db.terraform_data.cluster"]);
        for address in ["module.db.terraform_data.inst", "terraform_data.via_local", "module.use.terraform_data.uses"] {
            assert!(found.contains(address), "{address} is missing from {found:?}");
        }
        for address in ["terraform_data.net", "module.use.terraform_data.nope", "terraform_data.indep"] {
            assert!(!found.contains(address), "{address} does not depend on the cluster");
        }
    }
}
