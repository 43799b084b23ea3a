//! An emulator for a test: `LIFEBOAT_MOTO`, or `moto_server` on `PATH`. A test without one fails, it is never skipped.

use std::path::PathBuf;

use lifeboat::aws::Session;
use lifeboat::rehearse::{Emulator, EmulatorOptions};

/// The account that manifests in tests name.
pub const ACCOUNT: &str = "123456789012";

/// An emulator of the test's own; it ends with this value.
pub struct TestEmulator {
    pub emulator: Emulator,
    /// Holds its log; removed at the end.
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

/// A fresh, empty emulator on a free port.
pub async fn emulator() -> TestEmulator {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options =
        EmulatorOptions { program: moto(), dir: dir.path().to_owned(), port: None, account: ACCOUNT.to_owned() };
    match Emulator::start(&options).await {
        Ok(emulator) => TestEmulator { emulator, dir },
        Err(error) => panic!("{error}\nhint: {}", error.hint().unwrap_or_default()),
    }
}
