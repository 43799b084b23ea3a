//! Many rehearsals in a row, each from a copy of the same world, each compared with an undisturbed one.
//!
//! The world is built once. A rehearsal gets a copy of the emulator, a proxy and a home of its own, so that several go
//! on side by side and none sees another's traces.

mod disturbed;
mod docs;
mod forget;
mod grid;
mod ground;
mod idle;
mod kills;
mod matrix;
mod race;
mod rows;
mod rows_breach;
mod scene;
mod sweep;
mod verdict;

pub use docs::page;
pub use grid::{grid, grid_json};
pub use ground::{CampaignPlan, Told};
pub use kills::{Kill, KillTally, kills};
pub use matrix::{Answer, Cell, Matrix, matrix};
pub use race::{RaceTally, race};
pub use rows::{Row, Stand, rows};
pub use scene::Scenario;
pub use verdict::{Baseline, Effects, counted};
