//! Containment: who and what is shut out, by which documents, and how that is taken back. Pure; the steps carry it out.
//!
//! `spec` is what steps carry through runbook and journal, `before` what was there and is put back. `principal` decides who
//! must not be shut out, `policy` writes policy documents, `address` reads addresses, `acl` finds their place in a network ACL.

mod acl;
mod address;
mod before;
mod policy;
mod principal;
mod spec;

pub use acl::{AclEntry, AclRule, Exhausted, USUAL_ENTRIES, most_entries, plan_entries, stands};
pub use address::{Cidr, CidrFault};
pub use before::{BucketBefore, InstanceBefore, InterfaceBefore, IpSetBefore, PublicAccess, RoleBefore, UserBefore};
pub use policy::{
    POLICY_NAME, SID, deny_all, deny_bucket, deny_sessions_before, deny_trust, has_ours, is_deny_sessions, merged,
    policy_time, released, same,
};
pub use principal::{Kind, Principal, named_in_trust};
pub use spec::{
    AclPlace, AddressBlock, Containment, IpSetBlock, IpSetRef, Release, SpareBucket, SpareInstance, SpareRole,
    SpareUser,
};
