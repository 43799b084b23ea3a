//! The regions of provider configurations that compute them: nobody but the provider knows those, so it is asked, by a
//! plan of nothing but `aws_region` data sources that is never applied. What asks stands in the staged copy only as
//! long as that plan takes.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::Selection;
use super::plan::{Plan, ProviderRegion};
use super::workdir::{Observer, Wanted, Workdir};
use super::{TerraformError, stage};

/// Name of the file that asks.
const QUESTIONS: &str = "lifeboat_regions.tf";

impl Workdir {
    /// Fills in the regions that a plan's provider configurations compute; those of modules cannot be asked for. Whoever
    /// calls it holds `tree`.
    ///
    /// # Errors
    /// Terraform's own.
    pub(super) async fn ask_regions(&self, plan: &mut Plan, observer: &dyn Observer) -> Result<(), TerraformError> {
        let open: Vec<&mut ProviderRegion> = plan.providers.iter_mut().filter(|it| it.can_be_asked()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let ready = self.ready(observer).await?;
        let mut known = self.regions.lock().await;
        let asked = match known.take().filter(|(of, _)| *of == ready.staged) {
            Some((_, asked)) => asked,
            None => {
                let keys: Vec<Option<String>> = open.iter().map(|it| it.alias.clone()).collect();
                observer.status("asking the provider for its regions");
                self.regions_of(&ready.root, &keys, observer).await?
            }
        };
        for provider in open {
            provider.region = asked.get(&address(provider.alias.as_deref())).cloned();
        }
        *known = Some((ready.staged, asked));
        Ok(())
    }

    async fn regions_of(
        &self,
        root: &Path,
        aliases: &[Option<String>],
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, String>, TerraformError> {
        let path = root.join(QUESTIONS);
        stage::write(&path, questions(aliases).as_bytes())?;
        let selection = Selection::Target(aliases.iter().map(|alias| address(alias.as_deref())).collect());
        let wanted = Wanted {
            name: "regions",
            selection: &selection,
            refresh: false,
            lock: false,
            copied: false,
            destroy: false,
        };
        let planned = self.plan(wanted, observer).await;
        stage::remove(&path)?;
        self.discard("regions")?;
        Ok(planned?.plan.regions)
    }
}

impl ProviderRegion {
    fn can_be_asked(&self) -> bool {
        self.declared && self.region.is_none() && (self.default || self.alias.is_some())
    }
}

/// Takes away what a killed process has left in the copy.
///
/// # Errors
/// It is there and cannot be removed.
pub(super) fn forget_questions(root: &Path) -> Result<(), TerraformError> {
    Ok(stage::remove(&root.join(QUESTIONS))?)
}

fn name(alias: Option<&str>) -> String {
    alias.map_or_else(|| "lifeboat".to_owned(), |alias| format!("lifeboat_{alias}"))
}

fn address(alias: Option<&str>) -> String {
    format!("data.aws_region.{}", name(alias))
}

/// An alias is an identifier, so that nothing in it has to be quoted (Terraform: "Provider Configuration").
fn questions(aliases: &[Option<String>]) -> String {
    let block = |alias: &Option<String>| {
        let provider = alias.as_ref().map_or_else(String::new, |alias| format!("\n  provider = aws.{alias}\n"));
        format!("data \"aws_region\" \"{}\" {{{provider}}}\n", name(alias.as_deref()))
    };
    aliases.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_is_asked_under_a_name_of_its_own() {
        let asked = questions(&[None, Some("replica".into())]);
        let wanted = "data \"aws_region\" \"lifeboat\" {}\ndata \"aws_region\" \"lifeboat_replica\" {\n  provider = \
                      aws.replica\n}\n";
        assert_eq!(asked, wanted);
    }
}
