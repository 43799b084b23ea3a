//! What users get, tried against the emulator. One binary, one file per room.

mod harness;
mod scripted;
mod tfvars;

mod bucket;
mod world;

mod aurora;
mod cutover;
mod emulator;
mod proxy;
mod rehearsal;
mod rehearsal_world;
mod terraform;
mod terraform_world;
