//! The rules in force and what they need to remember; shared between the proxy and whoever steers it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Uri;
use serde_json::Value;
use tokio::sync::oneshot;

use super::answers::Canned;
use super::globals::Global;
use super::rules::{Effect, Pattern, Request, Rule, Rules, Verdict, decide};
use super::settle::Kind;
use super::trap::{Armed, Caught, Sprung, Trap, spring};
use super::vaults::{Turn, VaultPoint, Vaults};
use super::{Call, globals, trail};

/// Steers a running proxy.
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Rules,
    /// The names of the rules, in their order.
    names: Vec<RuleId>,
    /// How many requests each rule has done something to, also after its end.
    hits: HashMap<RuleId, u64>,
    next_rule: u64,
    traps: Vec<Armed>,
    ordinal: u64,
    /// How many there were of each kind of request, and when the first came.
    seen: HashMap<(String, String, String), (u64, Instant)>,
    /// When what was created was created: by kind, region and name.
    births: HashMap<(Kind, String, String), Instant>,
    /// The home regions of buckets.
    homes: BTreeMap<String, String>,
    /// Global databases, by identifier.
    globals: BTreeMap<String, Global>,
    /// AWS Backup, where it is played.
    vaults: Option<Vaults>,
    /// The regions of global tables, by name.
    replicated: BTreeMap<String, Vec<String>>,
    /// CloudTrail's events, where it is played.
    trail: Option<Vec<Value>>,
}

/// A rule's name, for whoever wants to end it or know what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(u64);

impl Control {
    /// Adds a rule; it is in force for the next request.
    pub fn add(&self, pattern: Pattern, effect: Effect) -> RuleId {
        self.lock().add(Rule { pattern, effect, until: None })
    }

    /// Adds a rule that ends by itself.
    pub fn add_for(&self, pattern: Pattern, effect: Effect, time: Duration) -> RuleId {
        self.lock().add(Rule { pattern, effect, until: Some(Instant::now() + time) })
    }

    /// Ends a rule. What it did is still counted.
    pub fn remove(&self, rule: RuleId) {
        let mut state = self.lock();
        if let Some(index) = state.names.iter().position(|name| *name == rule) {
            state.names.remove(index);
            state.rules.0.remove(index);
        }
    }

    /// How many requests a rule has done something to.
    pub fn hits(&self, rule: RuleId) -> u64 {
        self.lock().hits.get(&rule).copied().unwrap_or(0)
    }

    /// Sets a trap. What is returned tells the request that it catches, or ends when the proxy does.
    pub fn trap(&self, trap: Trap) -> oneshot::Receiver<Caught> {
        let (armed, told) = Armed::new(trap);
        self.lock().traps.push(armed);
        told
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
        let mut state = self.lock();
        state.rules = Rules::default();
        state.names.clear();
    }

    /// Tells where a bucket lives. Requests to it count for that region, whatever region they are signed for: that is
    /// where AWS would have to answer them.
    pub fn bucket_home(&self, bucket: &str, region: &str) {
        self.lock().homes.insert(bucket.to_owned(), region.to_owned());
    }

    /// Has a table told to be a global one, with replicas in these regions. The emulator knows none.
    pub fn replicated(&self, table: &str, regions: &[&str]) {
        let regions = regions.iter().map(|region| (*region).to_owned()).collect();
        self.lock().replicated.insert(table.to_owned(), regions);
    }

    pub(super) fn replicas(&self, table: &str) -> Option<Vec<String>> {
        self.lock().replicated.get(table).cloned()
    }

    /// Plays a global database, in the place of one that is played already. The emulator fails none over.
    pub fn global(&self, id: &str, global: Global) {
        self.lock().globals.insert(id.to_owned(), global);
    }

    /// The failovers that a global database was asked for and took.
    pub fn failovers(&self, id: &str) -> u64 {
        self.lock().globals.get(id).map_or(0, Global::failovers)
    }

    /// Plays CloudTrail's event history: these events, as CloudTrail records them.
    pub fn trail(&self, events: Vec<Value>) {
        self.lock().trail = Some(events);
    }

    /// The answer to a request for events, once they are played.
    pub(super) fn trail_answer(&self, call: &Call, body: &Bytes) -> Option<Canned> {
        trail::answer(self.lock().trail.as_deref()?, call, body)
    }

    /// The answer to a request about global databases, once any is played.
    pub(super) fn global_answer(&self, call: &Call, form: &[u8]) -> Option<Canned> {
        globals::answer(&mut self.lock().globals, call, form, Instant::now())
    }

    /// Whether a cluster is a member of one that is played, and whether it writes.
    pub(super) fn writes(&self, region: &str, cluster: &str) -> Option<bool> {
        let mut state = self.lock();
        state.globals.values_mut().find_map(|global| global.writes(region, cluster, Instant::now()))
    }

    /// Plays AWS Backup, with this recovery point among others. The emulator restores none.
    pub fn vault(&self, point: VaultPoint) {
        self.vaults(|vaults| vaults.points.push(point));
    }

    /// A restore of AWS Backup takes this long; also one that has begun.
    pub fn restore_jobs_take(&self, time: Duration) {
        self.vaults(|vaults| vaults.takes = time);
    }

    /// Restores of AWS Backup fail with these words from now on, or no longer.
    pub fn restore_jobs_fail(&self, message: Option<&str>) {
        self.vaults(|vaults| vaults.fails = message.map(str::to_owned));
    }

    /// An operation of AWS Backup is denied to everybody.
    pub fn deny_backup(&self, operation: &str) {
        self.vaults(|vaults| vaults.denied.insert(operation.to_owned()));
    }

    /// The restores of AWS Backup that were begun.
    pub fn restore_jobs(&self) -> usize {
        self.vaults(|vaults| vaults.jobs())
    }

    /// AWS Backup no longer knows by which tokens its restores were asked for.
    pub fn forget_restore_tokens(&self) {
        self.vaults(Vaults::forget_tokens);
    }

    fn vaults<T>(&self, use_them: impl FnOnce(&mut Vaults) -> T) -> T {
        use_them(self.lock().vaults.get_or_insert_default())
    }

    /// What is done with a request to AWS Backup, once it is played.
    pub(super) fn vault_turn(&self, call: &Call, uri: &Uri, body: &[u8]) -> Option<Turn> {
        let mut state = self.lock();
        let vaults = state.vaults.as_mut().filter(|_| call.service == "backup")?;
        vaults.turn(call, uri, body)
    }

    /// The answer to a request for a restore, which the emulator carried out or refused.
    pub(super) fn vault_restored(&self, job: &str, failed: Option<String>) -> Canned {
        self.vaults(|vaults| vaults.restored(job, failed))
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
        let verdict = decide(&request, &state.rules, now);
        let untouched = decide(&request, &Rules::default(), now);
        let acting = state.rules.0.iter().zip(&state.names).filter_map(|(rule, name)| {
            (decide(&request, &Rules(vec![rule.clone()]), now) != untouched).then_some(*name)
        });
        for name in acting.collect::<Vec<_>>() {
            *state.hits.entry(name).or_default() += 1;
        }
        verdict
    }

    /// The trap that closes on a request that is about to be forwarded.
    pub(super) fn sprung(&self, call: &Call, agent: &str) -> Option<Sprung> {
        spring(&mut self.lock().traps, call, agent)
    }

    /// All services and operations that were asked for.
    pub fn asked(&self) -> BTreeSet<(String, String)> {
        self.lock().seen.keys().map(|(_, service, operation)| (service.clone(), operation.clone())).collect()
    }

    /// Whether something of this kind and name was made here, and not deleted since.
    pub(super) fn exists(&self, kind: Kind, region: &str, name: &str) -> bool {
        self.lock().births.contains_key(&(kind, region.to_owned(), name.to_owned()))
    }

    pub(super) fn gone(&self, kind: Kind, region: &str, name: &str) {
        self.lock().births.remove(&(kind, region.to_owned(), name.to_owned()));
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

impl State {
    fn add(&mut self, rule: Rule) -> RuleId {
        let name = RuleId(self.next_rule);
        self.next_rule += 1;
        self.names.push(name);
        self.rules.0.push(rule);
        name
    }
}
