//! Containment: who is shut out, by which documents, and how that is taken back. Pure; the steps carry it out.
//!
//! `spec` is what steps carry through runbook and journal, `before` what was there and is put back. `principal` decides who
//! must not be shut out, `policy` writes policy documents.

mod before;
mod policy;
mod principal;
mod spec;

pub use before::{RoleBefore, UserBefore};
pub use policy::{
    POLICY_NAME, SID, deny_all, deny_sessions_before, deny_trust, is_deny_sessions, merged, policy_time, released, same,
};
pub use principal::{Kind, Principal, named_in_trust};
pub use spec::{Containment, Release, SpareRole, SpareUser};
