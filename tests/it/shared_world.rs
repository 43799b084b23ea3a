//! The example's world before the outage, built once for many tests: each has a copy of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat::manifest;
use lifeboat::rehearse::world::{self, Plenty, World};
use lifeboat::rehearse::{Fork, Forkable};
use tokio::sync::Mutex;

use crate::{command, harness};

/// Its backups must be younger than the example's recovery point objective of 15 minutes, also at the end of a test.
const FRESH: Duration = Duration::from_secs(6 * 60);

/// Enough of every kind of object, and few enough to be copied by many tests. The rehearsal itself has the usual number.
pub const SHARED: Plenty = Plenty { objects: 500 };

static ORIGINAL: Mutex<Option<Arc<Original>>> = Mutex::const_new(None);

/// A world that copies are made of. They end with it.
pub struct Original {
    forkable: Forkable,
    pub world: World,
    built: Instant,
    _dir: tempfile::TempDir,
}

/// A copy, and what keeps it alive.
pub struct Copy {
    pub fork: Fork,
    pub original: Arc<Original>,
}

/// A copy of the world; the first who asks, and the first after some minutes, waits until it is built.
pub async fn copy() -> Copy {
    let mut known = ORIGINAL.lock().await;
    let original = match known.take().filter(|it| it.built.elapsed() < FRESH) {
        Some(original) => original,
        None => Arc::new(build().await),
    };
    *known = Some(original.clone());
    let fork = original.forkable.fork().await.expect("a copy");
    Copy { fork, original }
}

async fn build() -> Original {
    // The last one is still held when the process ends, and stays: in a folder that is cargo's to clean.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let forkable = Forkable::start(&harness::options(dir.path()), dir.path()).await.expect("an emulator");
    let manifest = manifest::load(&command::project().join("environments"), "prod").expect("the example");
    let world = world::build(&manifest, &forkable.endpoint(), SHARED).await.expect("a world");
    Original { forkable, world, built: Instant::now(), _dir: dir }
}
