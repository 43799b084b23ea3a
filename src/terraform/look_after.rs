//! A look at what a rebuild would make: planned on the state as the teardown before it leaves it, because on the state as it
//! stands there is nothing to make. Like every look it changes nothing in the cloud.

use std::collections::BTreeSet;

use serde_json::Value;

use super::look::{Detail, FOLDER, Ground, Look};
use super::state::State;
use super::workdir::{Observer, Workdir};
use super::{TerraformError, args, stage};

impl Workdir {
    /// Plans all of the root as if what is at the addresses `gone` had been destroyed. What it says of the state is of the
    /// state as it stands.
    ///
    /// # Errors
    /// As [`Workdir::look`].
    pub async fn look_after_teardown(
        &self,
        gone: &BTreeSet<String>,
        adopted: &BTreeSet<String>,
        detail: Detail,
        observer: &dyn Observer,
    ) -> Result<Look, TerraformError> {
        let _tree = self.tree.lock().await;
        let (mut ready, mark) = self.initialized(observer).await?;
        self.enter(&mut ready, mark, observer).await?;
        let document = self.read(&ready, "state-pull", args::state_pull(), |output| {
            let mut document = Vec::new();
            output.read_to_end(&mut document).map(|_| document)
        });
        let document = document.await?.map_err(|source| TerraformError::Run { verb: "state pull", source })?;
        let now = State::read(document.as_slice())?;
        let left = without(&document, gone)?;
        let after = State::read(left.as_slice())?;
        let look = match self.beside(&ready, Some(&left), observer).await {
            Ok(ready) => self.looked(Ground { ready, state: after }, adopted, detail, observer).await,
            Err(error) => Err(error),
        };
        // Whoever is next makes it ready with the backend that it is for, and plans on the state that there is then.
        *self.ready.lock().await = None;
        *self.kept.lock().await = None;
        stage::remove_folder(&self.path(FOLDER))?;
        let (look, _) = look?;
        Ok(Look { state: now, ..look })
    }
}

/// A state's document without the instances at these addresses.
fn without(document: &[u8], gone: &BTreeSet<String>) -> Result<Vec<u8>, TerraformError> {
    let mut document: Value = serde_json::from_slice(document).map_err(super::state::StateError::from)?;
    for resource in document["resources"].as_array_mut().into_iter().flatten() {
        if resource["mode"] != "managed" {
            continue;
        }
        let module = resource["module"].as_str().map(|module| format!("{module}.")).unwrap_or_default();
        let text = |name: &str| resource[name].as_str().unwrap_or_default();
        let address = format!("{module}{}.{}", text("type"), text("name"));
        if let Some(instances) = resource["instances"].as_array_mut() {
            instances.retain(|instance| {
                let key = instance.get("index_key").map(|key| format!("[{key}]")).unwrap_or_default();
                !gone.contains(&format!("{address}{key}"))
            });
        }
    }
    if let Some(resources) = document["resources"].as_array_mut() {
        resources.retain(|it| it["instances"].as_array().is_none_or(|instances| !instances.is_empty()));
    }
    Ok(serde_json::to_vec(&document).map_err(super::state::StateError::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_gone_is_left_out_of_a_state() {
        let document = br#"{"version": 4, "serial": 7, "lineage": "l", "outputs": {}, "resources": [
            {"mode": "data", "type": "aws_region", "name": "now", "instances": [{"attributes": {"id": "x"}}]},
            {"mode": "managed", "type": "aws_sqs_queue", "name": "q", "module": "module.a[\"x\"]",
             "instances": [{"index_key": 0, "attributes": {"id": "one"}}, {"index_key": "b", "attributes": {"id": "two"}}]},
            {"mode": "managed", "type": "aws_vpc", "name": "v", "instances": [{"attributes": {"id": "three"}}]}]}"#;
        let gone = BTreeSet::from([r#"module.a["x"].aws_sqs_queue.q["b"]"#.to_owned(), "aws_vpc.v".to_owned()]);
        let left = State::read(without(document, &gone).unwrap().as_slice()).unwrap();
        let held: Vec<&str> = left.resources.keys().map(String::as_str).collect();
        assert_eq!((held, left.serial), (vec![r#"module.a["x"].aws_sqs_queue.q[0]"#], 7));
    }
}
