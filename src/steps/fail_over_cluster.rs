//! Fails an Aurora global database over to its secondary cluster in the recovery region. Nothing is restored: the cluster
//! stands, and becomes the one that writes (Amazon Aurora User Guide: "Performing managed failovers for Aurora global
//! databases").
//!
//! One failover whatever happens: none is asked for while one is under way, or where the target writes already, and a request
//! whose answer was lost is looked for before there is another. What the secondary lacks is lost, so that the operator must
//! have allowed it, which stands in the journal with what the check has found.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::cluster_rows::can_be_asked;
use super::global_lag::{in_words, measured};
use super::global_member::{Member, Role};
use super::{Blocked, Checked, Compensation, Cx, Output, Ready, Seen, Standing, Step, StepError, wait_until};
use crate::aws::AwsError;
use crate::aws::rds;
use crate::manifest::Cluster;

/// The fact that a failover would be asked for: what it may lose, in words.
pub const DATA_LOSS: &str = "data_loss";
/// The fact that it may be lost: ARN of the caller who said so.
pub const DATA_LOSS_ALLOWED: &str = "data_loss_allowed";
/// How long a promotion is waited for. It typically takes a few minutes.
pub const PROMOTED: Duration = Duration::from_secs(60 * 60);

/// What is noted before the request.
const ASKED: &str = "failover";
/// How long a request that was sent may take to show.
const SHOWS: Duration = Duration::from_secs(120);

/// Answers of a service that has not looked at a request (RDS API: "Common Errors").
const THROTTLED: [&str; 3] = ["RequestLimitExceeded", "Throttling", "ThrottlingException"];

/// The step for one global database of the manifest.
pub struct FailOverCluster {
    pub cluster: Cluster,
    /// How long the promotion may take.
    pub within: Duration,
}

#[async_trait]
impl Step for FailOverCluster {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let (target, source) = (&self.cluster.target, &self.cluster.source);
        let (region, primary) = self.regions(cx);
        let Some(member) = Member::look(cx, &self.cluster, self.id()).await? else { return Err(self.missing(region)) };
        let role = self.role(cx, &member)?;
        can_be_asked(&self.cluster, Some(&member.cluster.engine))?;
        let mut warnings = member.doubts(&self.cluster, region);
        let mut facts = json!({
            "recovery_point": format!("secondary {target} of global database {}", self.id()),
            "recovery_point_moves": true,
            "engine": member.cluster.engine,
            "write_forwarding": member.write_forwarding(&self.cluster, region),
        });
        let standing = match role {
            Role::Writer => Standing::InPlace,
            Role::Moving(words) => {
                warnings.push(format!("global database {} is {words} already: this is waited for", self.id()));
                Standing::Unknown
            }
            Role::Secondary { .. } => {
                member.can_be_promoted(target, region)?;
                let lag = measured(cx, &self.cluster, &member.cluster).await;
                let loss = in_words(target, primary, &lag);
                if let Ok(lag) = &lag {
                    facts["recovery_point_at"] = json!(lag.holds_until);
                }
                facts[DATA_LOSS] = json!(loss);
                warnings.push(loss);
                warnings.push(format!(
                    "a failover of global database {} needs --allow-data-loss; keep writers away from {source} in {primary}, because Aurora \
                     stops them only as far as it can; once {primary} is back, Aurora itself makes {source} a secondary, and tries \
                     to keep what was not replicated in a snapshot rds:unplanned-global-failover-{source}-…: copy that",
                    self.id()
                ));
                Standing::Absent
            }
        };
        facts["warnings"] = json!(warnings);
        Ok(Checked { facts, standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let member = self.look(cx).await?;
        Ok(match self.role(cx, &member) {
            Err(Blocked { cause, hint }) => Seen::Conflict { cause, hint },
            Ok(Role::Moving(words)) => Seen::InProgress(format!("global database {} is {words}", self.id())),
            Ok(Role::Secondary { .. }) => Seen::Absent,
            Ok(Role::Writer) => match member.faults(&self.cluster.target)?.first() {
                Some(fault) => Seen::InProgress(fault.clone()),
                None => Seen::Done(self.output(cx, &member, None)),
            },
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        // A request of an earlier attempt may be on its way still.
        if let Some(asked) = self.asked(cx) {
            self.shows(cx, still_to_show(&asked, Timestamp::now())).await?;
        }
        let member = self.look(cx).await?;
        let mut until = None;
        if let Role::Secondary { writer } = self.role(cx, &member).map_err(conflict)? {
            until = self.ask(cx, &member, &writer).await?;
        }
        let member = self.promoted(cx).await?;
        Ok(self.output(cx, &member, until))
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        self.writes(cx).await.map(drop)
    }

    fn compensation(&self) -> Compensation {
        let (id, source) = (self.id(), &self.cluster.source);
        Compensation::Manual(format!(
            "what was not replicated does not come back by itself; once Aurora has made {source} a secondary of {id} again, \
             aws rds switchover-global-cluster takes the writer back without a loss"
        ))
    }
}

impl FailOverCluster {
    fn id(&self) -> &str {
        self.cluster.global().unwrap_or_default()
    }

    fn regions<'a>(&self, cx: &'a Cx) -> (&'a str, &'a str) {
        (&cx.world.manifest.recovery.name, &cx.world.manifest.primary.name)
    }

    fn role(&self, cx: &Cx, member: &Member) -> Result<Role, Blocked> {
        let (region, primary) = self.regions(cx);
        member.role(&self.cluster, region, primary)
    }

    fn missing(&self, region: &str) -> Blocked {
        Blocked {
            cause: format!("there is no global database {}, as {region} says", self.id()),
            hint: Some("correct `from`, or restore the cluster from a snapshot".to_owned()),
        }
    }

    async fn look(&self, cx: &Cx) -> Result<Member, StepError> {
        let found = Member::look(cx, &self.cluster, self.id()).await?;
        found.ok_or_else(|| conflict(self.missing(self.regions(cx).0)))
    }

    /// What was noted of a request that may have arrived.
    fn asked(&self, cx: &Cx) -> Option<Value> {
        cx.noted(ASKED).filter(|noted| !noted.is_null())
    }

    /// Notes that nothing of a request is under way any more, so that the next attempt need not look for it.
    async fn is_over(&self, cx: &Cx) -> Result<(), StepError> {
        cx.note_if_journalled(ASKED, Value::Null).await
    }

    /// The member, which must be the writer and take writes.
    pub(super) async fn writes(&self, cx: &Cx) -> Result<Member, StepError> {
        let member = self.look(cx).await?;
        let target = &self.cluster.target;
        let fault = match self.role(cx, &member).map_err(conflict)? {
            Role::Writer => member.faults(target)?.join("; "),
            Role::Secondary { writer } => format!("{writer} writes to global database {}", self.id()),
            Role::Moving(words) => format!("global database {} is {words}", self.id()),
        };
        if fault.is_empty() {
            return Ok(member);
        }
        Err(StepError::check_failed(format!("cluster {target} does not take writes: {fault}"))
            .hint("look at its events (aws rds describe-events), then retry the step: it looks anew"))
    }

    /// Waits until a request that was sent shows, or may be taken for one that never arrived.
    async fn shows(&self, cx: &Cx, within: Duration) -> Result<(), StepError> {
        let since = Instant::now();
        let what = format!("the failover of global database {}", self.id());
        wait_until(cx, &what, SHOWS * 2, async || {
            let member = self.look(cx).await?;
            let silent = matches!(self.role(cx, &member), Ok(Role::Secondary { .. }));
            let over = !silent || since.elapsed() >= within;
            Ok(if over { Ready::Yes(()) } else { Ready::NotYet("asked for, and not begun".into()) })
        })
        .await
    }

    /// Asks for the failover, once. Answers up to when the target held everything, where that is known.
    async fn ask(&self, cx: &Cx, member: &Member, writer: &str) -> Result<Option<Value>, StepError> {
        let (region, primary) = self.regions(cx);
        let target = &self.cluster.target;
        let arn = member.target_arn(&self.cluster, region).unwrap_or_default();
        let lag = measured(cx, &self.cluster, &member.cluster).await;
        let Some(allowed_by) = cx.facts().get(DATA_LOSS_ALLOWED) else {
            let cause = format!("nobody has allowed that data is lost: {}", in_words(target, primary, &lag));
            return Err(StepError::conflict(cause).hint(
                "when the run began it was not needed, and who writes has changed since; give the run up with --abandon, and begin \
                 another with --allow-data-loss",
            ));
        };
        member.can_be_promoted(target, region).map_err(conflict)?;
        let until = lag.as_ref().ok().map(|lag| json!(lag.holds_until));
        cx.status(in_words(target, primary, &lag));
        let intent = json!({ "global": self.id(), "from": writer, "to": arn, "data_loss_allowed": allowed_by,
            "loss": in_words(target, primary, &lag), "holds_until": until, "at": Timestamp::now() });
        cx.note(ASKED, intent).await?;
        match rds::fail_over_global(&cx.world.aws, self.id(), &arn).await {
            Ok(()) => Ok(until),
            Err(error) => self.refused(cx, error).await.map(|()| until),
        }
    }

    /// A refusal may be the answer to a second request, where the first one's was lost.
    async fn refused(&self, cx: &Cx, error: AwsError) -> Result<(), StepError> {
        if !error.is_any(&["InvalidGlobalClusterStateFault", "InvalidDBClusterStateFault"]) {
            // What AWS has refused by name never began; what broke off there, or got no answer, may have.
            if error.code.is_some() && (!error.transient || error.is_any(&THROTTLED)) {
                self.is_over(cx).await?;
            }
            return Err(error.into());
        }
        let member = self.look(cx).await?;
        match self.role(cx, &member).map_err(conflict)? {
            Role::Writer | Role::Moving(_) => Ok(()),
            Role::Secondary { .. } => {
                self.is_over(cx).await?;
                Err(StepError::from(error).hint(format!(
                "see what state global database {} and its clusters are in, and whether their versions fit, then retry the step; \
                 where AWS goes on refusing, detach {} by hand (Amazon Aurora User Guide: \"Performing manual failovers for Aurora \
                 global databases\")",
                self.id(),
                self.cluster.target
            )))
            }
        }
    }

    /// Waits until the target writes.
    async fn promoted(&self, cx: &Cx) -> Result<Member, StepError> {
        let (id, target) = (self.id(), &self.cluster.target);
        let (since, begun) = (Instant::now(), AtomicBool::new(false));
        let what = format!("cluster {target} of global database {id}");
        wait_until(cx, &what, self.within + SHOWS, async || {
            let member = self.look(cx).await?;
            let status = match self.role(cx, &member).map_err(conflict)? {
                Role::Writer => match member.faults(target)? {
                    faults if faults.is_empty() => return Ok(Ready::Yes(member)),
                    faults => faults.join(", "),
                },
                Role::Moving(words) => {
                    begun.store(true, Ordering::Relaxed);
                    words
                }
                Role::Secondary { .. } if begun.load(Ordering::Relaxed) => {
                    self.is_over(cx).await?;
                    return Err(StepError::failed(format!(
                        "AWS has given up the failover of global database {id} to {target}"
                    ))
                    .hint("its events say why (aws rds describe-events); retry the step to ask for it once more"));
                }
                Role::Secondary { .. } => "asked for, and not begun".to_owned(),
            };
            if since.elapsed() >= self.within {
                return Err(self.late(&status));
            }
            Ok(Ready::NotYet(status))
        })
        .await
    }

    fn late(&self, status: &str) -> StepError {
        let (id, target, minutes) = (self.id(), &self.cluster.target, self.within.as_secs() / 60);
        StepError::failed(format!("global database {id} was still {status} after {minutes} minutes")).hint(format!(
            "it may still end: retry the step to go on waiting, no second failover is asked for while one is under way; its events \
             say more (aws rds describe-events); as a last way detach {target} by hand (Amazon Aurora User Guide: \"Performing manual \
             failovers for Aurora global databases\")"
        ))
    }

    fn output(&self, cx: &Cx, member: &Member, until: Option<Value>) -> Output {
        let noted = || self.asked(cx)?.get("holds_until").cloned().filter(|until| !until.is_null());
        let instances: Vec<&str> = member.instances.iter().map(|instance| instance.id.as_str()).collect();
        json!({
            "id": self.cluster.target,
            "arn": member.cluster.arn,
            "endpoint": member.cluster.endpoint,
            "reader_endpoint": member.cluster.reader_endpoint,
            "instances": instances,
            "adopt": [],
            "restored": false,
            "global": self.id(),
            "recovery_point_at": until.or_else(noted),
        })
    }
}

fn conflict(blocked: Blocked) -> StepError {
    StepError { hint: blocked.hint, ..StepError::conflict(blocked.cause) }
}

/// How much longer a request may take to show, by when it was noted.
fn still_to_show(asked: &Value, now: Timestamp) -> Duration {
    let at = asked["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
    let passed = at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
    SHOWS.saturating_sub(passed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_long_ago_is_not_waited_for() {
        let at = |at: &str| still_to_show(&json!({ "at": at }), "2026-11-22T03:12:00Z".parse().expect("a time"));
        assert_eq!(at("2026-11-22T03:11:00Z"), SHOWS - Duration::from_secs(60));
        assert_eq!(at("2026-11-22T02:12:00Z"), Duration::ZERO);
        // The clock of another machine may be ahead.
        assert_eq!((at("2026-11-22T03:13:00Z"), at("no time")), (SHOWS, SHOWS));
    }
}
