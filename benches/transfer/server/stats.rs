//! What the server was asked.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use super::route::Operation;

#[derive(Default)]
pub struct Stats {
    by_operation: [AtomicU64; Operation::COUNT],
    connections: AtomicU64,
    slowed: AtomicU64,
    in_flight: AtomicU64,
    peak_in_flight: AtomicU64,
}

/// A request that is under way.
pub struct Flight<'a>(&'a Stats);

impl Stats {
    pub fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub fn slowed(&self) {
        self.slowed.fetch_add(1, Ordering::Relaxed);
    }

    pub fn began(&self, operation: Operation) -> Flight<'_> {
        self.by_operation[operation as usize].fetch_add(1, Ordering::Relaxed);
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak_in_flight.fetch_max(now, Ordering::Relaxed);
        Flight(self)
    }

    pub fn zero(&self) {
        let counts = [&self.connections, &self.slowed, &self.peak_in_flight];
        for count in self.by_operation.iter().chain(counts) {
            count.store(0, Ordering::Relaxed);
        }
    }

    pub fn json(&self) -> Value {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let mut requests = Map::new();
        for operation in Operation::ALL {
            let number = count(&self.by_operation[operation as usize]);
            if number > 0 {
                requests.insert(format!("{operation:?}"), number.into());
            }
        }
        json!({
            "total": self.by_operation.iter().map(count).sum::<u64>(),
            "requests": requests,
            "connections": count(&self.connections),
            "slowed": count(&self.slowed),
            "peak_in_flight": count(&self.peak_in_flight),
        })
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
