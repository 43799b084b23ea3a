//! What happens to a request: rules that match it, and the verdict that follows from them. Pure.
//!
//! A new kind of fault is a new [`Effect`], its place in [`decide`], and its doing in `forward`.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::Call;

/// Services whose control plane is not a region's own, although their requests are signed for one. A failed region
/// does not answer for them; whoever wants them to fail names them.
pub const GLOBAL_SERVICES: [&str; 4] = ["cloudfront", "iam", "organizations", "route53"];

/// Which requests a rule is about. What is not given matches everything; a `*` at the end matches any ending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    pub service: Option<String>,
    pub operation: Option<String>,
    pub region: Option<String>,
}

/// What a rule does to the requests that it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The connection is closed without an answer, as that of a dead region.
    Refuse,
    /// No answer, and the connection stays open.
    Hang,
    Delay(Duration),
    /// The requests are let through one by one, this far apart, whatever their concurrency.
    Pace(Duration),
    /// This share of the requests (0 to 1) is answered with "slow down". The same seed chooses the same ones.
    Throttle {
        share: f64,
        seed: u64,
    },
    /// The connections of this share of the requests (0 to 1) are closed without an answer.
    Reset {
        share: f64,
        seed: u64,
    },
    /// The nth of the requests (from 1) is carried out, and its answer is lost.
    LoseReply {
        nth: u64,
    },
    /// What is created is said to be in creation for this long.
    Settle(Duration),
    /// The credentials that signed the request are said to have expired.
    Expire,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub pattern: Pattern,
    pub effect: Effect,
    /// The rule ends here, where it ends.
    pub until: Option<Instant>,
}

/// The rules in force; of those that end a request the first wins, delays add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules(pub Vec<Rule>);

/// A request in its row.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub call: &'a Call,
    /// Number among all requests, from 1.
    pub ordinal: u64,
    /// Number among those of its service, operation and region, from 1.
    pub nth: u64,
    /// When the first of those came.
    pub first: Instant,
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Waited before anything else.
    pub wait: Duration,
    pub action: Action,
    /// How long its creations are said to be in creation.
    pub settle: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Forward,
    Refuse,
    Hang,
    Throttle,
    LoseReply,
    Expire,
}

impl Pattern {
    /// Every request of a region's own services.
    pub fn region(region: &str) -> Self {
        Self { region: Some(region.to_owned()), ..Self::default() }
    }

    /// An operation in every region: `("rds", "Describe*")`.
    pub fn operation(service: &str, operation: &str) -> Self {
        Self { service: Some(service.to_owned()), operation: Some(operation.to_owned()), region: None }
    }

    pub fn matches(&self, call: &Call) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| glob(wanted, is));
        let elsewhere =
            self.region.is_some() && self.service.is_none() && GLOBAL_SERVICES.contains(&call.service.as_str());
        !elsewhere
            && fits(&self.service, &call.service)
            && fits(&self.operation, &call.operation)
            && fits(&self.region, &call.region)
    }
}

/// The verdict that the rules come to.
pub fn decide(request: &Request<'_>, rules: &Rules, now: Instant) -> Verdict {
    let mut verdict = Verdict { wait: Duration::ZERO, action: Action::Forward, settle: None };
    for rule in &rules.0 {
        if rule.until.is_some_and(|until| now >= until) || !rule.pattern.matches(request.call) {
            continue;
        }
        let action = match rule.effect {
            Effect::Refuse => Action::Refuse,
            Effect::Hang => Action::Hang,
            Effect::Expire => Action::Expire,
            Effect::Throttle { share, seed } if unlucky(seed, request.ordinal, share) => Action::Throttle,
            // Other lots than those of throttling by the same seed.
            Effect::Reset { share, seed } if unlucky(!seed, request.ordinal, share) => Action::Refuse,
            Effect::LoseReply { nth } if nth == request.nth => Action::LoseReply,
            Effect::Throttle { .. } | Effect::Reset { .. } | Effect::LoseReply { .. } => Action::Forward,
            Effect::Delay(time) => {
                verdict.wait += time;
                Action::Forward
            }
            Effect::Pace(apart) => {
                let turn = request.first + apart.saturating_mul(u32::try_from(request.nth).unwrap_or(u32::MAX));
                verdict.wait += turn.saturating_duration_since(now);
                Action::Forward
            }
            Effect::Settle(time) => {
                verdict.settle = verdict.settle.max(Some(time));
                Action::Forward
            }
        };
        if verdict.action == Action::Forward {
            verdict.action = action;
        }
    }
    verdict
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

/// Drawn from seed and number, so that a repeated rehearsal draws the same lots.
fn unlucky(seed: u64, ordinal: u64, share: f64) -> bool {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(ordinal.to_le_bytes()).finalize();
    let lot = digest.iter().take(4).fold(0_u32, |lot, byte| lot << 8 | u32::from(*byte));
    f64::from(lot) / f64::from(u32::MAX) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(service: &str, operation: &str, region: &str) -> Call {
        Call { service: service.into(), operation: operation.into(), region: region.into(), resource: None }
    }

    fn verdict(call: &Call, nth: u64, effects: &[(Pattern, Effect)]) -> Verdict {
        let now = Instant::now();
        let rules = effects
            .iter()
            .map(|(pattern, effect)| Rule { pattern: pattern.clone(), effect: effect.clone(), until: None })
            .collect();
        decide(&Request { call, ordinal: nth, nth, first: now }, &Rules(rules), now)
    }

    #[test]
    fn a_refused_region_refuses_its_own_services_and_no_others() {
        let dead = [(Pattern::region("us-east-1"), Effect::Refuse)];
        assert_eq!(verdict(&call("rds", "DescribeDBClusters", "us-east-1"), 1, &dead).action, Action::Refuse);
        assert_eq!(verdict(&call("rds", "DescribeDBClusters", "eu-west-2"), 1, &dead).action, Action::Forward);
        assert_eq!(verdict(&call("route53", "GetChange", "us-east-1"), 1, &dead).action, Action::Forward);
    }

    #[test]
    fn a_global_service_fails_when_it_is_named() {
        let down = [(Pattern { service: Some("route53".into()), ..Pattern::default() }, Effect::Refuse)];
        assert_eq!(verdict(&call("route53", "GetChange", "us-east-1"), 1, &down).action, Action::Refuse);
    }

    #[test]
    fn delays_add_up_and_go_with_any_action() {
        let rules = [
            (Pattern::operation("rds", "Describe*"), Effect::Delay(Duration::from_secs(1))),
            (Pattern::default(), Effect::Delay(Duration::from_secs(2))),
            (Pattern::default(), Effect::LoseReply { nth: 3 }),
        ];
        let third = verdict(&call("rds", "DescribeDBClusters", "us-east-1"), 3, &rules);
        assert_eq!((third.wait, third.action), (Duration::from_secs(3), Action::LoseReply));
        let other = verdict(&call("rds", "CreateDBCluster", "us-east-1"), 2, &rules);
        assert_eq!((other.wait, other.action), (Duration::from_secs(2), Action::Forward));
    }

    #[test]
    fn paced_requests_come_one_by_one() {
        let rules = [(Pattern::operation("s3", "CopyObject"), Effect::Pace(Duration::from_millis(10)))];
        let copy = call("s3", "CopyObject", "us-east-1");
        assert_eq!(verdict(&copy, 1, &rules).wait, Duration::from_millis(10));
        assert_eq!(verdict(&copy, 200, &rules).wait, Duration::from_secs(2));
    }

    #[test]
    fn about_the_given_share_is_throttled_and_always_the_same_ones() {
        let rules = [(Pattern::default(), Effect::Throttle { share: 0.2, seed: 7 })];
        let put = call("s3", "PutObject", "us-east-1");
        let draw =
            || (1..=1000).filter(|nth| verdict(&put, *nth, &rules).action == Action::Throttle).collect::<Vec<u64>>();
        assert!((150..250).contains(&draw().len()), "{}", draw().len());
        assert_eq!(draw(), draw());
    }

    #[test]
    fn a_rule_ends_when_its_time_is_over() {
        let now = Instant::now();
        let call = call("s3", "PutObject", "us-east-1");
        let rules = Rules(vec![Rule { pattern: Pattern::default(), effect: Effect::Refuse, until: Some(now) }]);
        let request = Request { call: &call, ordinal: 1, nth: 1, first: now };
        assert_eq!(decide(&request, &rules, now).action, Action::Forward);
    }
}
