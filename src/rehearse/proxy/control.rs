//! The rules in force and what they need to remember; shared between the proxy and whoever steers it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Call;
use super::rules::{Effect, Pattern, Request, Rule, Rules, Verdict, decide};
use super::settle::Kind;

/// Steers a running proxy.
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Rules,
    ordinal: u64,
    /// How many there were of each kind of request, and when the first came.
    seen: HashMap<(String, String, String), (u64, Instant)>,
    /// When what was created was created: by kind, region and name.
    births: HashMap<(Kind, String, String), Instant>,
    /// The home regions of buckets.
    homes: BTreeMap<String, String>,
}

impl Control {
    /// Adds a rule; it is in force for the next request.
    pub fn add(&self, pattern: Pattern, effect: Effect) {
        self.lock().rules.0.push(Rule { pattern, effect, until: None });
    }

    /// Adds a rule that ends by itself.
    pub fn add_for(&self, pattern: Pattern, effect: Effect, time: Duration) {
        self.lock().rules.0.push(Rule { pattern, effect, until: Some(Instant::now() + time) });
    }

    /// Takes a region off the net: its own services no longer answer.
    pub fn refuse_region(&self, region: &str) {
        self.add(Pattern::region(region), Effect::Refuse);
    }

    /// Lets clusters, instances, snapshots and tables be in creation for this long.
    pub fn settle_after(&self, time: Duration) {
        self.add(Pattern::default(), Effect::Settle(time));
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.lock().rules = Rules::default();
    }

    /// Tells where a bucket lives. Requests to it count for that region, whatever region they are signed for: that is
    /// where AWS would have to answer them.
    pub fn bucket_home(&self, bucket: &str, region: &str) {
        self.lock().homes.insert(bucket.to_owned(), region.to_owned());
    }

    /// How many requests have come that a pattern matches.
    pub fn seen(&self, pattern: &Pattern) -> u64 {
        let matches = |(region, service, operation): &(String, String, String)| {
            let (service, operation, region) = (service.clone(), operation.clone(), region.clone());
            pattern.matches(&Call { service, operation, region, resource: None })
        };
        self.lock().seen.iter().filter(|(key, _)| matches(key)).map(|(_, (count, _))| count).sum()
    }

    pub(super) fn judge(&self, call: &mut Call, now: Instant) -> Verdict {
        let mut state = self.lock();
        let home = call.resource.as_ref().filter(|_| call.service == "s3").and_then(|bucket| state.homes.get(bucket));
        if let Some(home) = home {
            call.region.clone_from(home);
        }
        state.ordinal += 1;
        let ordinal = state.ordinal;
        let key = (call.region.clone(), call.service.clone(), call.operation.clone());
        let (nth, first) = state.seen.entry(key).or_insert((0, now));
        *nth += 1;
        let request = Request { call, ordinal, nth: *nth, first: *first };
        decide(&request, &state.rules, now)
    }

    pub(super) fn born(&self, kind: Kind, region: &str, name: &str, now: Instant) {
        self.lock().births.insert((kind, region.to_owned(), name.to_owned()), now);
    }

    pub(super) fn is_young(&self, kind: Kind, region: &str, name: &str, time: Duration) -> bool {
        let key = (kind, region.to_owned(), name.to_owned());
        self.lock().births.get(&key).is_some_and(|born| born.elapsed() < time)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
