//! Adds addresses to an IP set of AWS WAF, and takes what it has added out again. What is in the set besides stays.
//!
//! An update replaces the whole set and names the version that it was made from, so that no other's update is lost: where
//! there was one meanwhile, it is made anew.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contained::{BEFORE, GLASS, are_there, blocked, facts, gone, note, noted};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::Session;
use crate::aws::wafv2::{self, IpSet};
use crate::containment::{Cidr, IpSetBefore, IpSetBlock, IpSetRef};

/// How often an update is made anew because the set has changed meanwhile, and how long after.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// The step `contain.ip_set.PLACE.NAME`.
pub struct ContainIpSet {
    pub block: IpSetBlock,
}

/// The step `release.ip_set.PLACE.NAME`.
pub struct ReleaseIpSet {
    pub set: IpSetRef,
    pub before: IpSetBefore,
}

/// Clients of the set's region: what CloudFront uses is kept in one for all.
fn session(cx: &Cx, set: &IpSetRef) -> Session {
    cx.world.aws.in_region(&set.region)
}

fn holds(set: &IpSet, cidr: Cidr) -> bool {
    set.addresses.iter().any(|text| Cidr::parse(text) == Ok(cidr))
}

fn document(set: &IpSetRef, addresses: &[String]) -> Value {
    json!({"Name": set.name, "Scope": set.scope, "Id": set.id, "Addresses": addresses})
}

impl ContainIpSet {
    async fn look(&self, cx: &Cx) -> Result<IpSet, StepError> {
        let set = &self.block.set;
        let Some(found) = wafv2::ip_set(&session(cx, set), set).await? else {
            let look = format!("look: aws wafv2 list-ip-sets --scope {} --region {}", set.scope, set.region);
            return Err(
                StepError::conflict(format!("there is no IP set {} with the id {}", set.name, set.id)).hint(look)
            );
        };
        if !self.block.cidrs.iter().any(|cidr| cidr.is_ipv4() == found.ipv4) {
            let version = if found.ipv4 { "IPv4" } else { "IPv6" };
            return Err(StepError::conflict(format!(
                "IP set {} is of {version}, and none of the addresses is",
                set.name
            ))
            .hint("leave it out, or name the set of the other version"));
        }
        Ok(found)
    }

    /// What the set lacks.
    fn missing(&self, set: &IpSet) -> Vec<Cidr> {
        let of_version = self.block.cidrs.iter().filter(|cidr| cidr.is_ipv4() == set.ipv4);
        of_version.filter(|cidr| !holds(set, **cidr)).copied().collect()
    }

    fn output(&self, cx: &Cx) -> Output {
        let added = noted::<IpSetBefore>(cx).unwrap_or_default().added;
        json!({"ip_set": self.block.set.name, "added": added, "changed": cx.noted(BEFORE).is_some()})
    }
}

/// The set's addresses with these besides.
fn with(set: &IpSet, added: &[Cidr]) -> Vec<String> {
    set.addresses.iter().cloned().chain(added.iter().map(Cidr::to_string)).collect()
}

/// The set's addresses without these.
fn without(set: &IpSet, added: &[Cidr]) -> Vec<String> {
    let ours = |text: &str| Cidr::parse(text).is_ok_and(|cidr| added.contains(&cidr));
    set.addresses.iter().filter(|text| !ours(text)).cloned().collect()
}

fn changed_again(set: &IpSetRef) -> StepError {
    StepError::failed(format!("IP set {} is changed again and again", set.name))
        .hint("somebody else is at work on it: retry the step once they are done")
}

#[async_trait]
impl Step for ContainIpSet {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        are_there(cx, &self.block.break_glass, GLASS).await.map_err(blocked)?;
        let set = self.look(cx).await.map_err(blocked)?;
        let other = self.block.cidrs.iter().filter(|cidr| cidr.is_ipv4() != set.ipv4);
        let warnings = other.map(|cidr| format!("{cidr} is of the other version than IP set {}", self.block.set.name));
        let warnings = warnings.collect();
        let missing = self.missing(&set);
        if missing.is_empty() {
            return Ok(Checked { facts: facts(Vec::new(), warnings), standing: Standing::InPlace });
        }
        let document = document(&self.block.set, &with(&set, &missing));
        let writes = vec![json!({"put": format!("IP set {}", self.block.set), "document": document})];
        Ok(Checked { facts: facts(writes, warnings), standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let set = self.look(cx).await?;
        Ok(if self.missing(&set).is_empty() { Seen::Done(self.output(cx)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        are_there(cx, &self.block.break_glass, GLASS).await?;
        for _ in 0..TRIES {
            let set = self.look(cx).await?;
            let missing = self.missing(&set);
            if missing.is_empty() {
                return Ok(self.output(cx));
            }
            let mut before = noted::<IpSetBefore>(cx).unwrap_or_default();
            before
                .added
                .extend(missing.iter().filter(|cidr| !before.added.contains(cidr)).copied().collect::<Vec<_>>());
            note(cx, &before).await?;
            let addresses = with(&set, &missing);
            if wafv2::update_ip_set(&session(cx, &self.block.set), &self.block.set, &set, addresses).await? {
                return Ok(self.output(cx));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(changed_again(&self.block.set))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let missing: Vec<String> = self.missing(&self.look(cx).await?).iter().map(Cidr::to_string).collect();
        match missing.as_slice() {
            [] => Ok(()),
            _ => Err(StepError::check_failed(format!("IP set {} lacks {}", self.block.set.name, missing.join(", ")))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN".into())
    }
}

impl ReleaseIpSet {
    /// The set where it still holds anything of ours.
    async fn look(&self, cx: &Cx) -> Result<(Option<IpSet>, bool), StepError> {
        let set = wafv2::ip_set(&session(cx, &self.set), &self.set).await?;
        let ours = set.as_ref().is_some_and(|set| self.before.added.iter().any(|cidr| holds(set, *cidr)));
        Ok((set, ours))
    }

    fn output(&self, set: Option<&IpSet>) -> Output {
        let absent = set.is_none().then(|| gone(&format!("IP set {}", self.set.name)));
        json!({"ip_set": self.set.name, "left_alone": absent.into_iter().collect::<Vec<_>>(), "changed": true})
    }
}

#[async_trait]
impl Step for ReleaseIpSet {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let (set, ours) = self.look(cx).await.map_err(blocked)?;
        let absent = set.is_none().then(|| gone(&format!("IP set {}", self.set.name)));
        let warnings = absent.into_iter().collect();
        let Some(set) = set.filter(|_| ours) else {
            return Ok(Checked { facts: facts(Vec::new(), warnings), standing: Standing::InPlace });
        };
        let document = document(&self.set, &without(&set, &self.before.added));
        let writes = vec![json!({"put": format!("IP set {}", self.set), "document": document})];
        Ok(Checked { facts: facts(writes, warnings), standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let (set, ours) = self.look(cx).await?;
        Ok(if ours { Seen::Absent } else { Seen::Done(self.output(set.as_ref())) })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        for _ in 0..TRIES {
            let (set, ours) = self.look(cx).await?;
            let Some(set) = set.as_ref().filter(|_| ours) else { return Ok(self.output(set.as_ref())) };
            let addresses = without(set, &self.before.added);
            if wafv2::update_ip_set(&session(cx, &self.set), &self.set, set, addresses).await? {
                return Ok(self.output(Some(set)));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(changed_again(&self.set))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match self.look(cx).await?.1 {
            false => Ok(()),
            true => Err(StepError::check_failed(format!("IP set {} still holds what was added", self.set.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV adds them again".into())
    }
}
