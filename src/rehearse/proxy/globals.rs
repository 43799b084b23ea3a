//! Plays Aurora global databases, failover included: the emulator fails none over. What is played is who writes and what is
//! said of it; no row goes from one cluster to another, and nothing is lost. Pure but for what a `Global` remembers.
//!
//! The shapes are those of the RDS API: "DescribeGlobalClusters", "FailoverGlobalCluster", "GlobalCluster",
//! "GlobalClusterMember", "FailoverState". A switchover is not played: lifeboat asks for none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Call;
use super::answers::Canned;
use super::urlencoded::field;

/// A global database that is played.
#[derive(Clone, Debug)]
pub struct Global {
    engine: String,
    version: String,
    /// ARNs; the first is the writer.
    members: Vec<String>,
    takes: Duration,
    given_up: bool,
    /// The ARN that is being promoted, and since when.
    moving: Option<(String, Instant)>,
    failovers: u64,
}

impl Global {
    /// Of these clusters, by ARN; the first one writes.
    pub fn of(engine: &str, version: &str, members: &[String]) -> Self {
        let (engine, version) = (engine.to_owned(), version.to_owned());
        let members = members.to_vec();
        Self { engine, version, members, takes: Duration::ZERO, given_up: false, moving: None, failovers: 0 }
    }

    /// A failover takes this long.
    #[must_use]
    pub fn taking(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// Failovers begin, and AWS gives them up.
    #[must_use]
    pub fn giving_up(mut self) -> Self {
        self.given_up = true;
        self
    }

    /// Somebody has begun one to this cluster already.
    #[must_use]
    pub fn moving_to(mut self, arn: &str) -> Self {
        self.moving = Some((arn.to_owned(), Instant::now()));
        self
    }

    pub(super) fn failovers(&self) -> u64 {
        self.failovers
    }

    /// Ends a failover whose time is over.
    fn goes_on(&mut self, now: Instant) {
        let over = self.moving.take_if(|(_, since)| now.saturating_duration_since(*since) >= self.takes);
        if let Some((to, _)) = over
            && !self.given_up
        {
            self.members.retain(|member| *member != to);
            self.members.insert(0, to);
        }
    }

    /// Whether a cluster of a region writes; `None` where it is no member.
    pub(super) fn writes(&mut self, region: &str, cluster: &str, now: Instant) -> Option<bool> {
        self.goes_on(now);
        let end = format!(":{region}:");
        let index = self.members.iter().position(|arn| {
            arn.contains(&end) && arn.rsplit(':').next().is_some_and(|id| id.eq_ignore_ascii_case(cluster))
        })?;
        Some(index == 0)
    }

    fn fail_over(&mut self, id: &str, form: &[u8], now: Instant) -> Result<String, (&'static str, String)> {
        let state = "InvalidGlobalClusterStateFault";
        let target = field(form, "TargetDbClusterIdentifier").unwrap_or_default();
        if field(form, "AllowDataLoss").as_deref() != Some("true") {
            return Err(("InvalidParameterCombination", "a switchover is not played".to_owned()));
        }
        if let Some((to, _)) = &self.moving {
            return Err((state, format!("global cluster {id} is failing over to {to}")));
        }
        match self.members.iter().position(|member| *member == target) {
            None => Err(("DBClusterNotFoundFault", format!("{target} is no member of {id}"))),
            Some(0) => Err((state, format!("{target} is the primary of {id} already"))),
            Some(_) => {
                self.moving = Some((target, now));
                self.failovers += 1;
                Ok(self.described(id))
            }
        }
    }

    fn described(&self, id: &str) -> String {
        let member = |(index, arn): (usize, &String)| {
            let forwarding =
                if index == 0 { "" } else { "<GlobalWriteForwardingStatus>disabled</GlobalWriteForwardingStatus>" };
            format!(
                "<GlobalClusterMember><DBClusterArn>{arn}</DBClusterArn><IsWriter>{}</IsWriter><Readers/>{forwarding}\
                 <SynchronizationStatus>connected</SynchronizationStatus></GlobalClusterMember>",
                index == 0
            )
        };
        let members: String = self.members.iter().enumerate().map(member).collect();
        let moving = self.moving.as_ref().map_or_else(String::new, |(to, _)| {
            let from = self.members.first().map(String::as_str).unwrap_or_default();
            format!(
                "<FailoverState><Status>failing-over</Status><FromDbClusterArn>{from}</FromDbClusterArn><ToDbClusterArn>{to}\
                 </ToDbClusterArn><IsDataLossAllowed>true</IsDataLossAllowed></FailoverState>"
            )
        });
        let status = if self.moving.is_some() { "failing-over" } else { "available" };
        format!(
            "<GlobalClusterIdentifier>{id}</GlobalClusterIdentifier><Status>{status}</Status><Engine>{}</Engine>\
             <EngineVersion>{}</EngineVersion><GlobalClusterMembers>{members}</GlobalClusterMembers>{moving}",
            self.engine, self.version
        )
    }
}

/// The answer to a request about global databases; `None` for other requests, and while none is played.
pub(super) fn answer(globals: &mut BTreeMap<String, Global>, call: &Call, form: &[u8], now: Instant) -> Option<Canned> {
    if globals.is_empty() || call.service != "rds" {
        return None;
    }
    let id = field(form, "GlobalClusterIdentifier");
    globals.values_mut().for_each(|global| global.goes_on(now));
    let found = id.as_ref().and_then(|id| globals.get_mut(id).map(|global| (id, global)));
    let gone = || Err(("GlobalClusterNotFoundFault", format!("there is no global cluster {id:?}")));
    let operation = call.operation.as_str();
    let told = match (operation, found) {
        ("DescribeGlobalClusters", Some((id, global))) => Ok(listed(&[(id, global)])),
        ("DescribeGlobalClusters", None) if id.is_none() => {
            Ok(listed(&globals.iter().collect::<Vec<(&String, &Global)>>()))
        }
        ("FailoverGlobalCluster", Some((id, global))) => {
            global.fail_over(id, form, now).map(|it| format!("<GlobalCluster>{it}</GlobalCluster>"))
        }
        ("DescribeGlobalClusters" | "FailoverGlobalCluster", None) => gone(),
        _ => return None,
    };
    let (status, body) = match told {
        Ok(result) => (
            200,
            format!(
                "<{operation}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{operation}Result>{result}\
                 </{operation}Result><ResponseMetadata><RequestId>rehearsal</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ),
        Err((code, message)) => (
            if code.ends_with("NotFoundFault") { 404 } else { 400 },
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>rehearsal</RequestId></ErrorResponse>"
            ),
        ),
    };
    Some(Canned { status, content_type: "text/xml", body: body.into() })
}

fn listed(globals: &[(&String, &Global)]) -> String {
    let members: String = globals
        .iter()
        .map(|(id, global)| format!("<GlobalClusterMember>{}</GlobalClusterMember>", global.described(id)))
        .collect();
    format!("<GlobalClusters>{members}</GlobalClusters>")
}

/// What is told of a secondary cluster: none of its instances writes. The emulator makes one the writer.
pub(super) fn without_writer(body: &str) -> String {
    body.replace("<IsClusterWriter>true</IsClusterWriter>", "<IsClusterWriter>false</IsClusterWriter>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "arn:aws:rds:eu-west-2:123456789012:cluster:logs";
    const NEW: &str = "arn:aws:rds:us-east-1:123456789012:cluster:logs";

    fn asked(globals: &mut BTreeMap<String, Global>, operation: &str, more: &str, now: Instant) -> (u16, String) {
        let call =
            Call { service: "rds".into(), operation: operation.into(), region: "us-east-1".into(), resource: None };
        let form = format!("GlobalClusterIdentifier=g{more}");
        let canned = answer(globals, &call, form.as_bytes(), now).expect("an answer");
        (canned.status, String::from_utf8_lossy(&canned.body).into_owned())
    }

    #[test]
    fn a_failover_takes_its_time_is_taken_once_and_moves_the_writer() {
        let global = Global::of("aurora-mysql", "8.0", &[OLD.into(), NEW.into()]).taking(Duration::from_secs(9));
        let mut globals = BTreeMap::from([("g".to_owned(), global)]);
        let now = Instant::now();
        let request = format!("&TargetDbClusterIdentifier={NEW}&AllowDataLoss=true");
        assert_eq!(asked(&mut globals, "FailoverGlobalCluster", "&AllowDataLoss=true", now).0, 404);
        assert_eq!(asked(&mut globals, "FailoverGlobalCluster", "", now).0, 400);
        assert_eq!(asked(&mut globals, "FailoverGlobalCluster", &request, now).0, 200);
        let (status, said) = asked(&mut globals, "FailoverGlobalCluster", &request, now);
        assert_eq!((status, said.contains("InvalidGlobalClusterStateFault")), (400, true), "{said}");
        let (_, said) = asked(&mut globals, "DescribeGlobalClusters", "", now);
        assert!(said.contains("<Status>failing-over</Status>") && said.contains(NEW), "{said}");
        let writes = |globals: &mut BTreeMap<String, Global>, region, now| {
            globals.get_mut("g").and_then(|global| global.writes(region, "logs", now))
        };
        assert_eq!(writes(&mut globals, "us-east-1", now), Some(false));
        let later = now + Duration::from_secs(9);
        assert_eq!(writes(&mut globals, "us-east-1", later), Some(true));
        assert_eq!(writes(&mut globals, "eu-west-2", later), Some(false));
        assert_eq!(writes(&mut globals, "ap-south-1", later), None);
        assert_eq!(globals["g"].failovers(), 1);
    }
}
