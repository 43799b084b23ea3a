//! What users get, tried against the emulator. One binary, one file per room.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command;
mod fake_evidence;
mod harness;
mod mariadb;
#[path = "../support/offline.rs"]
mod offline;
mod outage;
mod recovered;
mod scripted;
mod shared_world;
mod simulated;
mod tfvars;

mod batch_copy;
mod batch_jobs;
mod bucket;
mod bucket_classes;
mod bucket_faults;
mod bucket_races;
mod bucket_roles;
mod catalog;
mod check;
mod clean_points;
mod cli;
mod contain;
mod contain_addresses;
mod contain_bucket;
mod contain_instance;
mod contain_world;
mod engine;
mod engine_guard;
mod lease;
mod lease_cli;
mod probe;
mod world;

mod alarms;
mod athena;
mod aurora;
mod cutover;
mod cutover_resumed;
mod cutover_silent;
mod delivery;
mod emulator;
mod evidence;
mod evidence_collect;
mod evidence_site;
mod forks;
mod global_database;
mod guards;
mod import;
mod keys;
mod placement;
mod proxy;
mod rebuild;
mod recover_aurora;
mod recover_bucket;
mod recover_bucket_odd;
mod recover_bundle;
mod recover_catalog;
mod recover_clean;
mod recover_table;
mod recover_waits;
mod rehearsal;
mod rehearsal_world;
mod review;
mod rotate;
mod sql;
mod stand;
mod standing;
mod state_custody;
mod state_lock;
mod store_faults;
mod table;
mod table_replica;
mod table_vault;
mod teardown;
mod teardown_bucket;
mod teardown_killed;
mod teardown_snapshot;
mod teardown_world;
mod terraform;
mod terraform_copies;
mod terraform_world;
mod wait;

/// The command from end to end, with the real Terraform. Named so that they begin early: the others run beside them.
mod e2e {
    mod alone;
    mod bundle;
    mod credentials;
    mod faults;
    mod lease;
    mod refusals;
    mod resume;
}
