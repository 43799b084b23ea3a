//! Where the state that a plan starts from is: the ARNs of what it holds, and the regions that data sources were asked
//! for. Everything else of it is skipped as it streams in (Terraform: "JSON Output Format", state representation).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `prior_state` of a plan.
#[derive(Default, Deserialize)]
pub(super) struct State {
    #[serde(default)]
    values: Values,
}

#[derive(Default, Deserialize)]
struct Values {
    #[serde(default)]
    root_module: Module,
}

#[derive(Default, Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    child_modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Resource {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    values: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    arn: Option<Value>,
    /// The region, of an `aws_region`.
    id: Option<Value>,
    region: Option<Value>,
}

/// Addresses to regions, and addresses to ARNs.
type Places = (BTreeMap<String, String>, BTreeMap<String, String>);

impl State {
    /// Regions of data sources and ARNs of managed resources, by address.
    pub fn into_places(self) -> Places {
        let mut places = Places::default();
        let mut modules = vec![self.values.root_module];
        while let Some(module) = modules.pop() {
            modules.extend(module.child_modules);
            for resource in module.resources {
                let text = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
                let Attributes { arn, id, region } = resource.values;
                if resource.mode == "data" && resource.kind == "aws_region" {
                    places.0.extend(text(region).or(text(id)).map(|region| (resource.address, region)));
                } else if resource.mode == "managed" && resource.kind.starts_with("aws_") {
                    places.1.extend(text(arn).map(|arn| (resource.address, arn)));
                }
            }
        }
        places
    }
}
