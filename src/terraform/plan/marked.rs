//! The first reading of a plan that is to be masked: which values are secret. All else is dropped as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::secrets::Secrets;
use crate::terraform::marks::Tree;

/// What the first reading is for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    resource_changes: Vec<FoundChange>,
    resource_drift: Vec<FoundChange>,
    output_changes: BTreeMap<String, FoundSecrets>,
    variables: BTreeMap<String, FoundVariable>,
    configuration: FoundConfiguration,
}

#[derive(Deserialize)]
struct FoundChange {
    change: FoundSecrets,
}

/// The secrets of one change; the rest of it is dropped as it is read.
#[derive(Deserialize)]
#[serde(from = "BothSides")]
struct FoundSecrets(Secrets);

#[derive(Deserialize)]
struct BothSides {
    #[serde(default)]
    before: Value,
    #[serde(default)]
    after: Value,
    #[serde(default)]
    before_sensitive: Tree,
    #[serde(default)]
    after_sensitive: Tree,
}

impl From<BothSides> for FoundSecrets {
    fn from(sides: BothSides) -> Self {
        let mut secrets = Secrets::default();
        secrets.add(&sides.before, &sides.before_sensitive);
        secrets.add(&sides.after, &sides.after_sensitive);
        Self(secrets)
    }
}

#[derive(Deserialize)]
struct FoundVariable {
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FoundConfiguration {
    root_module: FoundModule,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FoundModule {
    variables: BTreeMap<String, FoundDeclared>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FoundDeclared {
    sensitive: bool,
}

impl Found {
    /// Variables that the root declares so.
    pub fn sensitive(&self) -> Vec<String> {
        let declared = self.configuration.root_module.variables.iter();
        declared.filter(|(_, it)| it.sensitive).map(|(name, _)| name.clone()).collect()
    }

    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for name in self.sensitive() {
            if let Some(variable) = self.variables.get(&name) {
                secrets.add(&variable.value, &Tree::All);
            }
        }
        let changes = self.resource_changes.iter().chain(&self.resource_drift).map(|it| &it.change);
        for FoundSecrets(more) in changes.chain(self.output_changes.values()) {
            secrets.append(&mut more.clone());
        }
        secrets
    }
}
