//! Instances cut off and given their security groups back, with the command as the operator uses it, against the emulator. It
//! keeps which groups a network interface has; that traffic is refused only AWS shows.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    Filter, InstanceNetworkInterfaceSpecification, InstanceType, ResourceType, Tag, TagSpecification,
};

use crate::contain_world::World;

struct Machines {
    world: World,
    vpc: String,
    subnet: String,
    /// A group of theirs.
    web: String,
    instance: String,
    interfaces: [String; 2],
}

impl Machines {
    /// An instance with two network interfaces of one security group.
    async fn new() -> Self {
        let world = World::new().await;
        let ec2 = world.aws.ec2();
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.expect("a VPC").vpc.unwrap();
        let vpc = vpc.vpc_id().expect("its id").to_owned();
        let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.1.0/24").send().await.expect("a subnet");
        let subnet = subnet.subnet.and_then(|it| it.subnet_id).expect("its id");
        let web = ec2.create_security_group().vpc_id(&vpc).group_name("web").description("web").send().await;
        let web = web.expect("a group").group_id.expect("its id");
        let mut machines =
            Self { world, vpc, subnet, web, instance: String::new(), interfaces: [String::new(), String::new()] };
        let (instance, first) = machines.launch().await;
        let second = ec2.create_network_interface().subnet_id(&machines.subnet).groups(&machines.web).send().await;
        let second = second.expect("an interface").network_interface.and_then(|it| it.network_interface_id).unwrap();
        let attach =
            ec2.attach_network_interface().network_interface_id(&second).instance_id(&instance).device_index(1);
        attach.send().await.expect("it is attached");
        (machines.instance, machines.interfaces) = (instance, [first, second]);
        machines
    }

    /// One more; its id, and that of its network interface.
    async fn launch(&self) -> (String, String) {
        let interface = InstanceNetworkInterfaceSpecification::builder().device_index(0).subnet_id(&self.subnet);
        let interface = interface.groups(&self.web).delete_on_termination(true).build();
        let run = self.world.aws.ec2().run_instances().image_id("ami-12c6146b").instance_type(InstanceType::T3Micro);
        let run = run.min_count(1).max_count(1).network_interfaces(interface).send().await.expect("an instance");
        let made = run.instances()[0].clone();
        let interface = made.network_interfaces()[0].network_interface_id().expect("its interface").to_owned();
        (made.instance_id.expect("its id"), interface)
    }

    /// The groups of each network interface in the subnet.
    async fn groups(&self) -> BTreeMap<String, Vec<String>> {
        let subnet = Filter::builder().name("subnet-id").values(&self.subnet).build();
        let found =
            self.world.aws.ec2().describe_network_interfaces().filters(subnet).send().await.expect("interfaces");
        let groups = found.network_interfaces().iter().map(|it| {
            let groups = it.groups().iter().filter_map(|group| group.group_id().map(str::to_owned));
            (it.network_interface_id().unwrap_or_default().to_owned(), groups.collect())
        });
        groups.collect()
    }

    /// The quarantine group, and whether it has rules.
    async fn quarantine(&self) -> Option<(String, bool)> {
        let vpc = Filter::builder().name("vpc-id").values(&self.vpc).build();
        let found = self.world.aws.ec2().describe_security_groups().filters(vpc).send().await.expect("groups");
        let group = found.security_groups().iter().find(|it| it.group_name() == Some("lifeboat-quarantine"))?;
        let rules = group.ip_permissions().len() + group.ip_permissions_egress().len();
        Some((group.group_id()?.to_owned(), rules > 0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_cut_off_by_all_its_interfaces_and_gets_its_groups_back() {
    let machines = Machines::new().await;
    let (world, (other, _)) = (&machines.world, machines.launch().await);
    let both = ["--instance", &machines.instance, "--instance", &other];
    let before = machines.groups().await;
    let listed = world.dry_run(&both).await;
    let first = &machines.interfaces[0];
    let exact = format!(
        "  set security groups of {first} (now {})\n    {{\"Groups\":[\"lifeboat-quarantine\"],\"NetworkInterfaceId\":\"{first}\"}}",
        machines.web
    );
    assert!(listed.contains(&exact) && listed.contains(r#""GroupName":"lifeboat-quarantine""#), "{listed}");
    assert_eq!((machines.groups().await, machines.quarantine().await, world.changes()), (before, None, 0));
    let before = machines.groups().await;

    // Two at once share one group of their VPC.
    let (code, said) = world.contain(&both).await;
    assert_eq!(code, Some(0), "{said}");
    let (quarantine, open) = machines.quarantine().await.expect("the group");
    let cut = machines.groups().await;
    assert!(!open && cut.len() == 3 && cut.values().all(|groups| *groups == [quarantine.clone()]), "{cut:?}");
    let (run, changes) = (world.last_run(), world.changes());
    let report = world.tiny.report(&run).await.to_string();
    assert!(report.contains(&format!("connections that instance {} has already", machines.instance)), "{report}");
    let (code, said) = world.contain(&both).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "cut off twice is cut off once: {said}");

    let (code, said) = world.undo(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((machines.groups().await, machines.quarantine().await), (before, None));
    let changes = world.changes();
    let (code, said) = world.undo(&run).await;
    assert_eq!((code, world.changes()), (Some(0), changes), "a second time changes nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_half_cut_off_by_a_process_that_died_gets_back_what_it_had_before_it() {
    let machines = Machines::new().await;
    let world = &machines.world;
    let before = machines.groups().await;
    world.killed(&["--instance", &machines.instance], "ModifyNetworkInterfaceAttribute", 1).await;
    let half = machines.groups().await;
    assert_eq!(half.iter().filter(|(id, groups)| before[*id] != **groups).count(), 1, "{half:?}");
    // Somebody lets the group that shall let nothing in let something in.
    let (quarantine, _) = machines.quarantine().await.expect("the group");
    let allow = world.aws.ec2().authorize_security_group_ingress().group_id(&quarantine).ip_protocol("tcp");
    allow.from_port(22).to_port(22).cidr_ip("0.0.0.0/0").send().await.expect("a rule");
    let (code, said) = world.resume().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(machines.quarantine().await, Some((quarantine.clone(), false)));
    assert!(machines.groups().await.values().all(|groups| *groups == [quarantine.clone()]));
    let (code, said) = world.undo(&world.last_run()).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((machines.groups().await, machines.quarantine().await), (before, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_or_another_by_now_is_said_by_the_release_and_left_alone() {
    let machines = Machines::new().await;
    let (world, ec2) = (&machines.world, machines.world.aws.ec2());
    let (code, said) = world.contain(&["--instance", &machines.instance]).await;
    assert_eq!(code, Some(0), "{said}");
    let run = world.last_run();
    let [first, second] = &machines.interfaces;
    let admin = ec2.create_security_group().vpc_id(&machines.vpc).group_name("admin").description("admin").send().await;
    let admin = admin.expect("a group").group_id.expect("its id");
    let set = ec2.modify_network_interface_attribute().network_interface_id(second).groups(&admin);
    set.send().await.expect("another group");
    ec2.terminate_instances().instance_ids(&machines.instance).send().await.expect("it is terminated");
    let (code, said) = world.undo(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("network interface {first} is gone")), "{said}");
    assert!(said.contains(&format!("network interface {second} has other groups since")), "{said}");
    assert_eq!((machines.groups().await.remove(second), machines.quarantine().await), (Some(vec![admin]), None));
    // What is terminated has nothing left that could be shut out.
    let (code, said) = world.contain(&["--instance", &machines.instance]).await;
    assert_eq!((code, said.contains("is terminated: there is nothing to shut out")), (Some(0), true), "{said}");
}

/// The emulator destroys a VPC whatever is in it; AWS does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_quarantine_group_of_a_vpc_that_is_destroyed_goes_once_the_instance_is_gone() {
    let machines = Machines::new().await;
    let (world, ec2) = (&machines.world, machines.world.aws.ec2());
    let (instance, _) = machines.launch().await;
    let (code, said) = world.contain(&["--instance", &instance]).await;
    assert_eq!(code, Some(0), "{said}");
    let vpcs = [machines.vpc.clone()];
    let clear = async || {
        let clearing = lifeboat::steps::clear_quarantines(&world.aws, &vpcs);
        tokio::time::timeout(std::time::Duration::from_secs(2), clearing).await.expect_err("it goes on");
    };
    clear().await;
    assert!(machines.quarantine().await.is_some(), "the instance has it");
    ec2.terminate_instances().instance_ids(&instance).send().await.expect("it is terminated");
    clear().await;
    assert_eq!(machines.quarantine().await, None);
    let (code, said) = world.undo(&world.last_run()).await;
    assert_eq!(code, Some(0), "there is nothing left to give back: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_not_there_and_a_group_that_is_not_ours_are_refused() {
    let machines = Machines::new().await;
    let world = &machines.world;
    let before = machines.groups().await;
    world
        .refused(&["--instance", "i-0123456789abcdef0"], 3, "there is no instance i-0123456789abcdef0 in eu-west-2")
        .await;
    world.refused(&["--instance", "web-1"], 2, "it looks like i-0123456789abcdef0").await;
    let theirs = Tag::builder().key("lifeboat").value("else").build();
    let theirs = TagSpecification::builder().resource_type(ResourceType::SecurityGroup).tags(theirs).build();
    let make = world.aws.ec2().create_security_group().vpc_id(&machines.vpc).group_name("lifeboat-quarantine");
    make.description("theirs").tag_specifications(theirs).send().await.expect("a group");
    world.refused(&["--instance", &machines.instance], 3, "is not lifeboat's").await;
    assert_eq!((machines.groups().await, world.changes()), (before, 0));
}
