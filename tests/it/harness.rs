//! An emulator for a test: `LIFEBOAT_MOTO`, or `moto_server` on `PATH`. A test without one fails, it is never skipped.
//!
//! Each is a copy of one empty original, which is started once and has loaded by then what all of them need.

use std::path::{Path, PathBuf};

use lifeboat::aws::Session;
use lifeboat::journal::RunStarted;
use lifeboat::rehearse::{EmulatorOptions, Fork, Forkable};
use lifeboat::runbook::Runbook;
use tokio::sync::Mutex;

/// The account that manifests in tests name.
pub const ACCOUNT: &str = "123456789012";

static ORIGINAL: Mutex<Option<(Forkable, tempfile::TempDir)>> = Mutex::const_new(None);

/// An emulator of the test's own; it ends with this value.
pub struct TestEmulator {
    pub emulator: Fork,
    /// For what the test records; removed at the end.
    pub dir: tempfile::TempDir,
}

impl TestEmulator {
    pub fn endpoint(&self) -> String {
        self.emulator.endpoint()
    }

    pub fn session(&self, region: &str) -> Session {
        Session::emulated(region, &self.endpoint())
    }
}

pub fn moto() -> PathBuf {
    std::env::var_os("LIFEBOAT_MOTO").map_or_else(|| PathBuf::from("moto_server"), PathBuf::from)
}

pub fn options(dir: &Path) -> EmulatorOptions {
    EmulatorOptions { program: moto(), dir: dir.to_owned(), port: None, account: ACCOUNT.to_owned() }
}

/// A fresh, empty emulator on a free port.
pub async fn emulator() -> TestEmulator {
    let mut original = ORIGINAL.lock().await;
    if original.is_none() {
        // It is still held when the process ends, and stays: in a folder that is cargo's to clean.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let forkable = match Forkable::start(&options(dir.path()), dir.path()).await {
            Ok(forkable) => forkable,
            Err(error) => panic!("{error}\nhint: {}", error.hint().unwrap_or_default()),
        };
        warm(&forkable).await;
        *original = Some((forkable, dir));
    }
    let (forkable, _) = original.as_ref().expect("it is there");
    let emulator = forkable.fork().await.expect("a copy");
    TestEmulator { emulator, dir: tempfile::tempdir().expect("a temporary folder") }
}

/// The emulator loads a service when it is first asked for it.
async fn warm(forkable: &Forkable) {
    let session = Session::emulated("us-east-1", &forkable.endpoint());
    session.s3().list_buckets().send().await.expect("buckets");
    session.dynamodb().list_tables().send().await.expect("tables");
    session.rds().describe_db_clusters().send().await.expect("clusters");
    session.route53().list_hosted_zones().send().await.expect("zones");
    session.glue().get_databases().send().await.expect("databases");
    session.caller().await.expect("a caller");
}

/// The first line of a journal, of which a test says the run and its runbook alone.
pub fn started(run: &str, runbook: Runbook) -> RunStarted {
    RunStarted {
        run: run.into(),
        lifeboat: "0".into(),
        manifest: "m".into(),
        manifest_sha256: String::new(),
        caller: String::new(),
        pid: 1,
        host: String::new(),
        impact_at: None,
        declared_at: None,
        bundle: None,
        inputs: None,
        tenure: None,
        runbook,
    }
}
