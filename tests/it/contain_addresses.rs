//! Addresses denied by network ACLs and by IP sets of AWS WAF, and let in again, with the command as the operator uses it,
//! against the emulator. It keeps entries and sets; that traffic is refused only AWS shows.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::RuleAction;
use aws_sdk_wafv2::types::{IpAddressVersion, Scope};
use lifeboat::rehearse::proxy::{Call, Catch, Release, Trap};

use crate::contain_world::{REGION, World, block};

const TWO: [&str; 4] = ["--address", "198.51.100.7", "--address", "2001:db8::/48"];

/// Direction, number, whether it allows, and the addresses.
type Entry = (bool, i32, bool, String);

struct Network {
    world: World,
    vpc: String,
    /// The VPC's default one, and one that was made beside it.
    acls: [String; 2],
}

impl Network {
    async fn new() -> Self {
        let world = World::new().await;
        let ec2 = world.aws.ec2();
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.expect("a VPC").vpc.unwrap();
        let vpc = vpc.vpc_id().expect("its id").to_owned();
        let made = ec2.create_network_acl().vpc_id(&vpc).send().await.expect("an ACL").network_acl.unwrap();
        let made = made.network_acl_id().expect("its id").to_owned();
        for egress in [false, true] {
            let allow =
                ec2.create_network_acl_entry().network_acl_id(&made).egress(egress).rule_number(2).protocol("-1");
            allow.rule_action(RuleAction::Allow).cidr_block("0.0.0.0/0").send().await.expect("an entry");
        }
        let found = ec2.describe_network_acls().send().await.expect("ACLs");
        let default = found.network_acls().iter().find(|it| it.vpc_id() == Some(&vpc) && it.is_default() == Some(true));
        let default = default.and_then(|it| it.network_acl_id()).expect("the default one").to_owned();
        Self { world, vpc, acls: [default, made] }
    }

    async fn seen(&self) -> BTreeMap<String, Vec<Entry>> {
        let found = self.world.aws.ec2().describe_network_acls().send().await.expect("ACLs");
        let ours = found.network_acls().iter().filter(|it| it.vpc_id() == Some(&self.vpc));
        ours.map(|acl| {
            let mut entries: Vec<Entry> = acl
                .entries()
                .iter()
                .map(|it| {
                    let cidr = it.cidr_block().or(it.ipv6_cidr_block()).unwrap_or_default().to_owned();
                    let allow = it.rule_action() == Some(&RuleAction::Allow);
                    (it.egress().unwrap_or_default(), it.rule_number().unwrap_or_default(), allow, cidr)
                })
                .collect();
            entries.sort();
            (acl.network_acl_id().unwrap_or_default().to_owned(), entries)
        })
        .collect()
    }

    async fn denies(&self, acl: &str) -> Vec<(bool, i32, String)> {
        let entries = self.seen().await.remove(acl).expect("the ACL");
        let denies = entries.into_iter().filter(|(_, number, allow, _)| !allow && *number < 32_767);
        denies.map(|(egress, number, _, cidr)| (egress, number, cidr)).collect()
    }

    async fn entry(&self, acl: &str, number: i32, action: RuleAction, cidr: &str) {
        let create = self.world.aws.ec2().create_network_acl_entry().network_acl_id(acl).rule_number(number);
        let create = create.protocol("-1").rule_action(action).cidr_block(cidr).egress(true);
        create.send().await.expect("an entry");
    }
}

fn denied(of: &[(bool, i32, &str)]) -> Vec<(bool, i32, String)> {
    of.iter().map(|(egress, number, cidr)| (*egress, *number, (*cidr).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_denied_in_both_directions_below_every_allow_and_are_let_in_again() {
    let network = Network::new().await;
    let (world, [default, made]) = (&network.world, &network.acls);
    world.tiny.write_manifest(&block(&format!(
        "  addresses = [\"198.51.100.7\"]\n  network_acls = [\"{made}\"]\n  vpcs = [\"{}\"]\n",
        network.vpc
    )));
    let before = network.seen().await;
    let listed = world.dry_run(&[]).await;
    let exact = format!(
        r#"{{"CidrBlock":"198.51.100.7/32","Egress":true,"NetworkAclId":"{default}","Protocol":"-1","RuleAction":"deny","RuleNumber":99}}"#
    );
    assert!(listed.contains(&exact), "{listed}");
    assert_eq!((network.seen().await, world.changes()), (before, 0), "a dry run changes nothing");
    let before = network.seen().await;

    // An ACL that is named by itself and by its VPC is written once.
    let (code, said) = world.contain(&[]).await;
    assert_eq!(code, Some(0), "{said}");
    let one = [(false, 99, "198.51.100.7/32"), (true, 99, "198.51.100.7/32")];
    assert_eq!(network.denies(default).await, denied(&one));
    let low = [(false, 1, "198.51.100.7/32"), (true, 1, "198.51.100.7/32")];
    assert_eq!(network.denies(made).await, denied(&low));
    let (run, changes) = (world.last_run(), world.changes());
    let (code, said) = world.contain(&[]).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "denied twice is denied once: {said}");

    let (code, said) = world.undo(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(network.seen().await, before);
    let changes = world.changes();
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "a second time changes nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_died_between_two_entries_is_gone_on_with_and_a_number_that_was_taken_gives_way() {
    let network = Network::new().await;
    let (world, default) = (&network.world, &network.acls[0]);
    let before = network.seen().await;
    let place = ["--network-acl", default.as_str()];
    world.killed(&[&TWO[..], &place].concat(), "CreateNetworkAclEntry", 1).await;
    assert_eq!(network.denies(default).await, denied(&[(false, 98, "2001:db8::/48")]));
    network.entry(default, 99, RuleAction::Deny, "203.0.113.0/24").await;
    let (code, said) = world.resume().await;
    assert_eq!(code, Some(0), "{said}");
    let all = [
        (false, 98, "2001:db8::/48"),
        (false, 99, "198.51.100.7/32"),
        (true, 97, "198.51.100.7/32"),
        (true, 98, "2001:db8::/48"),
        (true, 99, "203.0.113.0/24"),
    ];
    assert_eq!(network.denies(default).await, denied(&all));
    let (code, said) = world.undo(&world.last_run()).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(network.denies(default).await, denied(&[(true, 99, "203.0.113.0/24")]), "theirs stays");
    let ec2 = world.aws.ec2();
    let theirs = ec2.delete_network_acl_entry().network_acl_id(default).egress(true).rule_number(99);
    theirs.send().await.expect("it is gone");
    assert_eq!(network.seen().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_any_more_is_left_alone_by_the_release() {
    let network = Network::new().await;
    let (world, [default, made]) = (&network.world, &network.acls);
    let (code, said) = world.contain(&["--address", "198.51.100.7", "--vpc", &network.vpc]).await;
    assert_eq!(code, Some(0), "{said}");
    let ec2 = world.aws.ec2();
    ec2.delete_network_acl().network_acl_id(made).send().await.expect("it is gone");
    let ours = ec2.delete_network_acl_entry().network_acl_id(default).egress(true).rule_number(99);
    ours.send().await.expect("it is gone");
    network.entry(default, 99, RuleAction::Allow, "198.51.100.0/24").await;
    let (code, said) = world.undo(&world.last_run()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("network ACL {made} is gone")), "{said}");
    assert!(said.contains(&format!("outbound entry 99 of {default} is another one by now")), "{said}");
    let left = network.seen().await;
    assert!(left[default].contains(&(true, 99, true, "198.51.100.0/24".into())), "{left:?}");
    assert_eq!(network.denies(default).await, denied(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_denied_is_said_before_anything_is_changed() {
    let network = Network::new().await;
    let (world, [default, made]) = (&network.world, &network.acls);
    let before = network.seen().await;
    let full = format!("{made} has no free rule number below 2, its lowest inbound allow");
    // The user could be shut out, and is not.
    world.aws.iam().create_user().user_name("mallory").send().await.expect("a user");
    world.refused(&[&TWO[..], &["--user", "mallory", "--network-acl", made]].concat(), 3, &full).await;
    world.refused(&[&TWO[..], &["--vpc", &network.vpc]].concat(), 3, &full).await;
    let denied_at = async |address: &str, place: &[&str], code: i32, words: &str| {
        world.refused(&[&["--address", address], place].concat(), code, words).await;
    };
    let there = ["--network-acl", default.as_str()];
    denied_at(
        "198.51.100.7",
        &["--network-acl", "acl-0123456789abcdef0"],
        3,
        "there is no network ACL acl-0123456789abcdef0 in eu-west-2",
    )
    .await;
    denied_at("198.51.100.7", &["--vpc", "vpc-0123456789abcdef0"], 3, "there is no VPC vpc-0123456789abcdef0").await;
    denied_at("198.51.100.7", &["--network-acl", "acl-1"], 2, "it looks like acl-0123456789abcdef0").await;
    denied_at("0.0.0.0/0", &there, 2, "that is everybody").await;
    denied_at("198.51.100.7/24", &there, 2, "bits beyond its prefix").await;
    denied_at("gate.example.com", &there, 2, "an address looks like").await;
    denied_at("198.51.100.7", &[], 2, "nothing says where the addresses are denied").await;
    world.refused(&[&["--user", "mallory"][..], &there].concat(), 2, "no address is named").await;
    world.refused(&[], 2, "nobody and nothing is named to be contained").await;
    assert_eq!((network.seen().await, world.changes()), (before, 0));
    // Nearly as many as AWS takes.
    for number in 1..19 {
        network.entry(default, number, RuleAction::Deny, &format!("203.0.113.{number}/32")).await;
    }
    let (code, _, said) = world.tiny.lifeboat(&[&["contain", "tiny", "--dry-run"], &TWO[..2], &there].concat()).await;
    assert_eq!((code, said.contains("would have 21 entries in one direction")), (Some(0), true), "{said}");
}

/// An IP set: its ARN, and what is needed to ask for it.
struct Set {
    arn: String,
    id: String,
    name: &'static str,
}

async fn set(world: &World, name: &'static str, version: IpAddressVersion, addresses: &[&str]) -> Set {
    let create = world.aws.wafv2().create_ip_set().name(name).scope(Scope::Regional).ip_address_version(version);
    let addresses = addresses.iter().map(|it| (*it).to_owned()).collect();
    let made = create.description("theirs").set_addresses(Some(addresses)).send().await.expect("a set");
    let made = made.summary.expect("its summary");
    Set { arn: made.arn.expect("its ARN"), id: made.id.expect("its id"), name }
}

async fn listed(world: &World, set: &Set) -> (Vec<String>, String) {
    let get = world.aws.wafv2().get_ip_set().name(set.name).scope(Scope::Regional).id(&set.id);
    let found = get.send().await.expect("it").ip_set.expect("a set");
    (found.addresses, found.description.unwrap_or_default())
}

async fn replace(world: &World, set: &Set, addresses: &[&str]) {
    let waf = world.aws.wafv2();
    let token = waf.get_ip_set().name(set.name).scope(Scope::Regional).id(&set.id).send().await.expect("it").lock_token;
    let addresses = addresses.iter().map(|it| (*it).to_owned()).collect();
    let update = waf.update_ip_set().name(set.name).scope(Scope::Regional).id(&set.id).set_lock_token(token);
    update.description("theirs").set_addresses(Some(addresses)).send().await.expect("an update");
}

fn holding(of: &[&str]) -> (Vec<String>, String) {
    (of.iter().map(|it| (*it).to_owned()).collect(), "theirs".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_added_to_the_ip_set_of_their_version_and_nothing_else_of_it_changes() {
    let world = World::new().await;
    let four = set(&world, "blocked", IpAddressVersion::Ipv4, &["203.0.113.0/24"]).await;
    let six = set(&world, "blocked-6", IpAddressVersion::Ipv6, &[]).await;
    let both = [&TWO[..], &["--ip-set", &four.arn, "--ip-set", &six.arn]].concat();
    let exact = r#""Addresses":["203.0.113.0/24","198.51.100.7/32"]"#;
    let shown = world.dry_run(&both).await;
    assert!(shown.contains(exact) && world.changes() == 0, "{shown}");
    // The process dies with one of the sets written.
    world.killed(&both, "UpdateIPSet", 1).await;
    let (code, said) = world.resume().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed(&world, &four).await, holding(&["203.0.113.0/24", "198.51.100.7/32"]));
    assert_eq!(listed(&world, &six).await, holding(&["2001:db8::/48"]));
    let (run, changes) = (world.last_run(), world.changes());
    let (code, said) = world.contain(&both).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "{said}");
    replace(&world, &four, &["203.0.113.0/24", "198.51.100.7/32", "192.0.2.1/32"]).await;
    let (code, said) = world.undo(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed(&world, &four).await, holding(&["203.0.113.0/24", "192.0.2.1/32"]), "what came since stays");
    assert_eq!(listed(&world, &six).await, holding(&[]));
    let changes = world.changes();
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "a second time changes nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_somebody_else_between_look_and_write_is_not_lost() {
    let world = World::new().await;
    let four = set(&world, "blocked", IpAddressVersion::Ipv4, &[]).await;
    let matches = Box::new(|call: &Call, _: &str| call.operation == "UpdateIPSet");
    let caught = world.tiny.proxy.control().trap(Trap { matches, nth: 1, catch: Catch::Before });
    let meanwhile = async {
        let caught = caught.await.expect("an update");
        replace(&world, &four, &["192.0.2.1/32"]).await;
        caught.release(Release::Go);
    };
    let args = ["--address", "198.51.100.7", "--ip-set", &four.arn];
    let ((code, said), ()) = tokio::join!(world.contain(&args), meanwhile);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(listed(&world, &four).await, holding(&["192.0.2.1/32", "198.51.100.7/32"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ip_set_that_cannot_take_the_addresses_is_refused() {
    let world = World::new().await;
    let six = set(&world, "blocked-6", IpAddressVersion::Ipv6, &[]).await;
    let refused = async |arn: &str, code: i32, words: &str| {
        world.refused(&["--address", "198.51.100.7", "--ip-set", arn], code, words).await;
    };
    refused(&six.arn, 3, "IP set blocked-6 is of IPv6, and none of the addresses is").await;
    let of = |account: &str| format!("arn:aws:wafv2:{REGION}:{account}:regional/ipset/none/0a1b");
    refused(&of("123456789012"), 3, "there is no IP set none").await;
    refused(&of("210987654321"), 3, "IP set none is of account 210987654321").await;
    refused("blocked", 2, "it looks like arn:aws:wafv2").await;
    assert_eq!((listed(&world, &six).await, world.changes()), (holding(&[]), 0));
}
