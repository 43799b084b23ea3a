//! Which entries a network ACL needs so that addresses are denied, with free rule numbers below its lowest allow.
//!
//! Rules are evaluated from the lowest number on, and the first that matches decides (Amazon VPC User Guide: "Network ACL
//! rules"), so that a deny has to stand before every allow. An ACL keeps no track of connections: each direction has its own
//! entries.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Cidr;

/// The greatest rule number that may be given (EC2 API: "CreateNetworkAclEntry").
pub const LAST_RULE: i32 = 32_766;

/// How many entries an ACL takes in one direction unless AWS has allowed more, 40 at most; those that AWS ends it with count
/// (Amazon VPC User Guide: "Amazon VPC quotas").
pub const USUAL_ENTRIES: usize = 20;

/// An entry as it stands in a network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclRule {
    pub egress: bool,
    pub number: i32,
    pub allow: bool,
    pub ipv6: bool,
    /// `None` where it cannot be read.
    pub cidr: Option<Cidr>,
    /// Whether it is for all protocols.
    pub all_protocols: bool,
}

/// A deny entry of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    pub network_acl: String,
    pub egress: bool,
    pub number: i32,
    pub cidr: Cidr,
}

/// A network ACL that has no room left where a deny would count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{network_acl} has no free rule number below {lowest}, its lowest {} allow", if *.egress { "outbound" } else { "inbound" })]
pub struct Exhausted {
    pub network_acl: String,
    pub egress: bool,
    pub lowest: i32,
}

/// Whether an entry stands as it is written.
pub fn stands(rules: &[AclRule], entry: &AclEntry) -> bool {
    rules.iter().any(|rule| {
        rule.number == entry.number
            && rule.egress == entry.egress
            && !rule.allow
            && rule.all_protocols
            && rule.cidr == Some(entry.cidr)
    })
}

/// The entries of ours that a network ACL has to have: those that were `noted` before and still stand or have their number
/// free, and new ones for what nothing denies yet. What somebody else denies before every allow needs none.
///
/// # Errors
/// There is no free number.
pub fn plan_entries(
    network_acl: &str,
    rules: &[AclRule],
    cidrs: &[Cidr],
    noted: &[AclEntry],
) -> Result<Vec<AclEntry>, Exhausted> {
    let mut entries: Vec<AclEntry> = Vec::new();
    for egress in [false, true] {
        let here = || rules.iter().filter(move |rule| rule.egress == egress);
        let lowest = here().filter(|rule| rule.allow).map(|rule| rule.number).min().unwrap_or(LAST_RULE + 1);
        let mut taken: BTreeSet<i32> = here().map(|rule| rule.number).collect();
        let kept = noted
            .iter()
            .filter(|it| it.network_acl == network_acl && it.egress == egress)
            .filter(|it| stands(rules, it) || (it.number < lowest && !taken.contains(&it.number)));
        let kept: Vec<AclEntry> = kept.cloned().collect();
        taken.extend(kept.iter().map(|entry| entry.number));
        for cidr in cidrs {
            let denied = here()
                .any(|rule| !rule.allow && rule.all_protocols && rule.number < lowest && rule.cidr == Some(*cidr));
            let ours = kept.iter().any(|it| it.number < lowest && it.cidr == *cidr);
            if denied || ours {
                continue;
            }
            let free = (1..lowest).rev().find(|number| !taken.contains(number));
            let number = free.ok_or_else(|| Exhausted { network_acl: network_acl.to_owned(), egress, lowest })?;
            taken.insert(number);
            entries.push(AclEntry { network_acl: network_acl.to_owned(), egress, number, cidr: *cidr });
        }
        entries.extend(kept);
    }
    entries.sort_by_key(|entry| (entry.egress, entry.number));
    Ok(entries)
}

/// The most entries that an ACL would have in one direction, of IPv4 or of IPv6, with these of ours.
pub fn most_entries(rules: &[AclRule], ours: &[AclEntry]) -> usize {
    let count = |egress: bool, ipv6: bool| {
        let there = rules.iter().filter(|rule| rule.egress == egress && rule.ipv6 == ipv6).count();
        let new = ours.iter().filter(|it| it.egress == egress && it.cidr.is_ipv4() != ipv6 && !stands(rules, it));
        there + new.count()
    };
    [(false, false), (false, true), (true, false), (true, true)]
        .map(|(egress, ipv6)| count(egress, ipv6))
        .into_iter()
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(egress: bool, number: i32, allow: bool, cidr: &str) -> AclRule {
        let cidr = if cidr.ends_with("/0") { None } else { Cidr::parse(cidr).ok() };
        AclRule { egress, number, allow, ipv6: false, cidr, all_protocols: true }
    }

    fn usual() -> Vec<AclRule> {
        let both = [false, true].into_iter();
        both.flat_map(|egress| [rule(egress, 100, true, "0.0.0.0/0"), rule(egress, 32_767, false, "0.0.0.0/0")])
            .collect()
    }

    fn cidrs(of: &[&str]) -> Vec<Cidr> {
        of.iter().map(|it| Cidr::parse(it).unwrap()).collect()
    }

    fn shown(entries: &[AclEntry]) -> Vec<(bool, i32, String)> {
        entries.iter().map(|it| (it.egress, it.number, it.cidr.to_string())).collect()
    }

    fn each(of: &[(bool, i32, &str)]) -> Vec<(bool, i32, String)> {
        of.iter().map(|(egress, number, cidr)| (*egress, *number, (*cidr).to_owned())).collect()
    }

    #[test]
    fn both_directions_are_denied_below_the_lowest_allow_and_numbers_in_use_are_left_alone() {
        let mut rules = usual();
        rules.push(rule(false, 99, false, "203.0.113.0/24"));
        let wanted = cidrs(&["198.51.100.7", "2001:db8::/48"]);
        let found = plan_entries("acl-1", &rules, &wanted, &[]).unwrap();
        let expected = [
            (false, 97, "2001:db8::/48"),
            (false, 98, "198.51.100.7/32"),
            (true, 98, "2001:db8::/48"),
            (true, 99, "198.51.100.7/32"),
        ];
        assert_eq!(shown(&found), each(&expected));
        assert_eq!(most_entries(&rules, &found), 4, "inbound, of IPv4");
    }

    #[test]
    fn what_is_denied_already_needs_nothing_and_a_deny_behind_an_allow_is_none() {
        let mut rules = usual();
        rules.push(rule(false, 50, false, "198.51.100.7/32"));
        rules.push(rule(true, 150, false, "198.51.100.7/32"));
        let found = plan_entries("acl-1", &rules, &cidrs(&["198.51.100.7"]), &[]).unwrap();
        assert_eq!(shown(&found), each(&[(true, 99, "198.51.100.7/32")]));
        rules.push(AclRule { all_protocols: false, ..rule(true, 60, false, "198.51.100.7/32") });
        let found = plan_entries("acl-1", &rules, &cidrs(&["198.51.100.7"]), &[]).unwrap();
        assert_eq!(shown(&found), each(&[(true, 99, "198.51.100.7/32")]), "one protocol is not all");
    }

    #[test]
    fn taken_up_again_the_same_entries_are_meant_and_a_number_that_is_taken_gives_way() {
        let wanted = cidrs(&["198.51.100.7"]);
        let noted = plan_entries("acl-1", &usual(), &wanted, &[]).unwrap();
        assert_eq!(plan_entries("acl-1", &usual(), &wanted, &noted).unwrap(), noted);
        let mut half = usual();
        half.push(rule(false, 99, false, "198.51.100.7/32"));
        assert_eq!(plan_entries("acl-1", &half, &wanted, &noted).unwrap(), noted);
        half.push(rule(true, 99, false, "203.0.113.0/24"));
        let found = plan_entries("acl-1", &half, &wanted, &noted).unwrap();
        assert_eq!(shown(&found), each(&[(false, 99, "198.51.100.7/32"), (true, 98, "198.51.100.7/32")]));
    }

    #[test]
    fn an_acl_without_room_is_refused() {
        let mut rules = usual();
        rules.push(rule(false, 2, true, "10.0.0.0/8"));
        rules.push(rule(false, 1, false, "203.0.113.0/24"));
        let refused = plan_entries("acl-1", &rules, &cidrs(&["198.51.100.7"]), &[]).unwrap_err();
        assert_eq!(refused.to_string(), "acl-1 has no free rule number below 2, its lowest inbound allow");
    }
}
