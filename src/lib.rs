//! lifeboat moves a Terraform-managed AWS stack to another region: it rebuilds the stack there, brings its data back,
//! proves that the data is right, and only then moves the traffic.
//!
//! The data goes one way: manifest → scenario → runbook → engine → steps → journal → report.

pub mod aws;
pub mod bundle;
pub mod catalog;
pub mod cli;
pub mod containment;
pub mod document;
pub mod engine;
pub mod evidence;
pub mod guard;
pub mod journal;
pub mod manifest;
pub mod readiness;
pub mod rehearse;
pub mod report;
pub mod review;
pub mod rotation;
pub mod runbook;
pub mod scenario;
pub mod steps;
pub mod templates;
pub mod terraform;
pub mod transfer;
pub mod verify;
