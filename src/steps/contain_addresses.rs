//! Denies addresses by network ACLs, in both directions, and takes those entries away again.
//!
//! Which entries are ours is in the journal before they are there. A number that somebody else has taken meanwhile gives way to
//! another, and an entry that is not as it was written is left alone.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contained::{BEFORE, GLASS, are_there, blocked, facts, gone, note, noted};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::AwsError;
use crate::aws::ec2::{self, NetworkAcl};
use crate::containment::{AclEntry, AclPlace, AddressBlock, USUAL_ENTRIES, most_entries, plan_entries, stands};

/// How often an ACL is looked at anew because its numbers were taken meanwhile.
const TRIES: usize = 5;

/// The steps `contain.network_acl.ID` and `contain.vpc.ID`.
pub struct ContainAddresses {
    pub block: AddressBlock,
}

/// The steps `release.network_acl.ID` and `release.vpc.ID`.
pub struct ReleaseAddresses {
    pub place: AclPlace,
    pub entries: Vec<AclEntry>,
}

/// An ACL with the entries of ours that it has to have.
struct Planned {
    acl: NetworkAcl,
    entries: Vec<AclEntry>,
}

impl Planned {
    fn missing(&self) -> impl Iterator<Item = &AclEntry> {
        self.entries.iter().filter(|entry| !stands(&self.acl.rules, entry))
    }
}

impl ContainAddresses {
    async fn look(&self, cx: &Cx) -> Result<Vec<NetworkAcl>, StepError> {
        let session = &cx.world.aws;
        let found: Vec<NetworkAcl> = match &self.block.place {
            AclPlace::NetworkAcl(id) => ec2::network_acl(session, id).await?.into_iter().collect(),
            AclPlace::Vpc(id) => ec2::network_acls_of(session, id).await?,
        };
        if !found.is_empty() {
            let own = |acl: &NetworkAcl| !self.block.elsewhere.contains(&acl.id);
            return Ok(found.into_iter().filter(own).collect());
        }
        let region = session.region();
        let what = match &self.block.place {
            AclPlace::NetworkAcl(id) => format!("there is no network ACL {id} in {region}"),
            AclPlace::Vpc(id) => format!("there is no VPC {id} in {region}"),
        };
        Err(StepError::conflict(what).hint(format!("look: aws ec2 describe-network-acls --region {region}")))
    }

    /// The entries that each ACL has to have, and why one has no room for them.
    fn plan(&self, acls: Vec<NetworkAcl>, noted: &[AclEntry]) -> (Vec<Planned>, Option<StepError>) {
        let mut full = None;
        let planned =
            acls.into_iter().filter_map(|acl| match plan_entries(&acl.id, &acl.rules, &self.block.cidrs, noted) {
                Ok(entries) => Some(Planned { acl, entries }),
                Err(error) => {
                    let hint =
                        "a deny counts below every allow only: renumber the entries of this ACL, or use an IP set";
                    full.get_or_insert(StepError::conflict(error.to_string()).hint(hint));
                    None
                }
            });
        (planned.collect(), full)
    }

    async fn planned(&self, cx: &Cx) -> Result<Vec<Planned>, StepError> {
        let noted = noted::<Vec<AclEntry>>(cx).unwrap_or_default();
        let (planned, full) = self.plan(self.look(cx).await?, &noted);
        full.map_or(Ok(planned), Err)
    }

    /// Writes what is missing; `true` where a number was taken meanwhile.
    async fn write(&self, cx: &Cx, planned: &[Planned], failed: &mut Option<StepError>) -> bool {
        let mut taken = false;
        for entry in planned.iter().flat_map(Planned::missing) {
            match ec2::create_entry(&cx.world.aws, entry).await {
                Ok(true) => {}
                Ok(false) => taken = true,
                Err(error) => drop(failed.get_or_insert(refused(error, entry))),
            }
        }
        taken
    }

    fn output(&self, cx: &Cx) -> Output {
        let ours = noted::<Vec<AclEntry>>(cx).unwrap_or_default();
        json!({"denied": self.block.cidrs, "entries": ours, "changed": cx.noted(BEFORE).is_some()})
    }
}

fn refused(error: AwsError, entry: &AclEntry) -> StepError {
    let full = error.is("NetworkAclEntryLimitExceeded");
    let mut refused = StepError::from(error);
    refused.cause = format!("{} ({})", refused.cause, entry.network_acl);
    if !full {
        return refused;
    }
    refused.hint(format!(
        "a network ACL takes {USUAL_ENTRIES} entries a direction unless AWS has allowed more, 40 at most: ask for more, deny a wider \
         block, or use an IP set"
    ))
}

/// As it is asked for (EC2 API: "CreateNetworkAclEntry").
fn document(entry: &AclEntry) -> Value {
    let block = if entry.cidr.is_ipv4() { "CidrBlock" } else { "Ipv6CidrBlock" };
    json!({
        "NetworkAclId": entry.network_acl, "Egress": entry.egress, "RuleNumber": entry.number, "RuleAction": "deny",
        "Protocol": "-1", block: entry.cidr,
    })
}

fn named(entry: &AclEntry) -> String {
    let direction = if entry.egress { "outbound" } else { "inbound" };
    format!("{direction} entry {} of {}", entry.number, entry.network_acl)
}

#[async_trait]
impl Step for ContainAddresses {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        are_there(cx, &self.block.break_glass, GLASS).await.map_err(blocked)?;
        let planned = self.planned(cx).await.map_err(blocked)?;
        let missing = planned.iter().flat_map(Planned::missing);
        let writes: Vec<Value> =
            missing.map(|entry| json!({"create": named(entry), "document": document(entry)})).collect();
        let crowded = planned.iter().map(|it| (&it.acl.id, most_entries(&it.acl.rules, &it.entries)));
        let crowded = crowded.filter(|(_, most)| *most > USUAL_ENTRIES).map(|(id, most)| {
            format!(
                "{id} would have {most} entries in one direction: AWS takes {USUAL_ENTRIES} unless it has allowed more"
            )
        });
        let warnings = if writes.is_empty() { Vec::new() } else { crowded.collect() };
        let standing = if writes.is_empty() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, warnings), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let planned = self.planned(cx).await?;
        let done = planned.iter().all(|it| it.missing().next().is_none());
        Ok(if done { Seen::Done(self.output(cx)) } else { Seen::Absent })
    }

    /// One ACL that is full or refuses does not spare the next.
    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        are_there(cx, &self.block.break_glass, GLASS).await?;
        for _ in 0..TRIES {
            let ours = noted::<Vec<AclEntry>>(cx).unwrap_or_default();
            let (planned, mut failed) = self.plan(self.look(cx).await?, &ours);
            let entries: Vec<&AclEntry> = planned.iter().flat_map(|it| &it.entries).collect();
            if !entries.is_empty() {
                note(cx, &entries).await?;
            }
            let taken = self.write(cx, &planned, &mut failed).await;
            if let Some(error) = failed {
                return Err(error);
            }
            if !taken {
                return Ok(self.output(cx));
            }
        }
        Err(StepError::failed(format!("the numbers of {} are taken again and again", self.block.place))
            .hint("somebody else is changing it: retry the step once they are done"))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let planned = self.planned(cx).await?;
        let missing: Vec<String> = planned.iter().flat_map(Planned::missing).map(named).collect();
        match missing.as_slice() {
            [] => Ok(()),
            _ => Err(StepError::check_failed(format!("not denied: there is no {}", missing.join(", ")))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN".into())
    }
}

/// What of our entries is there.
#[derive(Default)]
struct Left {
    standing: Vec<AclEntry>,
    /// What is not touched, and why.
    kept: Vec<String>,
}

impl ReleaseAddresses {
    async fn left(&self, cx: &Cx) -> Result<Left, StepError> {
        let mut left = Left::default();
        let mut ids: Vec<&str> = self.entries.iter().map(|entry| entry.network_acl.as_str()).collect();
        ids.dedup();
        for id in ids {
            let Some(acl) = ec2::network_acl(&cx.world.aws, id).await? else {
                left.kept.push(gone(&format!("network ACL {id}")));
                continue;
            };
            for entry in self.entries.iter().filter(|entry| entry.network_acl == id) {
                let number = acl.rules.iter().any(|rule| rule.egress == entry.egress && rule.number == entry.number);
                if stands(&acl.rules, entry) {
                    left.standing.push(entry.clone());
                } else if number {
                    left.kept.push(format!("{} is another one by now, and is left as it is", named(entry)));
                }
            }
        }
        Ok(left)
    }

    fn output(kept: &[String]) -> Output {
        json!({"left_alone": kept, "changed": true})
    }
}

#[async_trait]
impl Step for ReleaseAddresses {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let left = self.left(cx).await.map_err(blocked)?;
        let writes: Vec<Value> = left.standing.iter().map(|entry| json!({"delete": named(entry)})).collect();
        let standing = if writes.is_empty() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, left.kept), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let left = self.left(cx).await?;
        Ok(if left.standing.is_empty() { Seen::Done(Self::output(&left.kept)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let left = self.left(cx).await?;
        for entry in &left.standing {
            ec2::delete_entry(&cx.world.aws, entry).await?;
        }
        Ok(Self::output(&left.kept))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match self.left(cx).await?.standing.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(StepError::check_failed(format!("{} is still there", named(first)))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV denies them again".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The emulator takes as many entries as one likes.
    #[test]
    fn a_full_acl_is_said_with_what_can_be_done() {
        let full = AwsError {
            operation: "ec2:CreateNetworkAclEntry",
            code: Some("NetworkAclEntryLimitExceeded".into()),
            message: "NetworkAclEntryLimitExceeded: the limit is reached".into(),
            transient: false,
        };
        let cidr = crate::containment::Cidr::parse("198.51.100.7").unwrap();
        let entry = AclEntry { network_acl: "acl-1".into(), egress: true, number: 99, cidr };
        let error = refused(full, &entry);
        assert!(error.cause.contains("the limit is reached") && error.cause.contains("acl-1"), "{error:?}");
        assert!(error.hint.is_some_and(|hint| hint.contains("40 at most")));
    }
}
