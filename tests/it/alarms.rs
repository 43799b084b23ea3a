//! Which alarms watch a table and none its copy. The emulator does not speak CloudWatch's protocol (Smithy RPC v2 CBOR): what
//! answers here is a fake, with the shapes of the CloudWatch API's "DescribeAlarms".

use aws_smithy_cbor::Encoder;
use lifeboat::aws::alarms::{TableAlarm, of_tables};
use lifeboat::steps::unwatched;

use crate::scripted::{Asked, Reply, Scripted};

/// One alarm of a page: name, namespace, metric, dimensions.
type Told<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

fn metric(body: &mut Encoder, (_, namespace, metric, dimensions): Told<'_>) {
    body.str("Namespace").str(namespace).str("MetricName").str(metric).str("Dimensions").array(dimensions.len());
    for (name, value) in dimensions {
        body.map(2).str("Name").str(name).str("Value").str(value);
    }
}

/// A page of alarms; the last of them watches an expression, as CloudWatch tells it.
fn page(alarms: &[Told<'_>], next: Option<&str>) -> Reply {
    let mut body = Encoder::new(Vec::new());
    body.map(1 + usize::from(next.is_some())).str("MetricAlarms").array(alarms.len());
    for (nr, alarm) in alarms.iter().enumerate() {
        if nr + 1 < alarms.len() {
            body.map(4).str("AlarmName").str(alarm.0);
            metric(&mut body, *alarm);
            continue;
        }
        body.map(2).str("AlarmName").str(alarm.0).str("Metrics").array(2);
        body.map(2).str("Id").str("e").str("Expression").str("m / 60");
        body.map(2).str("Id").str("m").str("MetricStat").map(3).str("Period").integer(60).str("Stat").str("Sum");
        body.str("Metric").map(3);
        metric(&mut body, *alarm);
    }
    if let Some(next) = next {
        body.str("NextToken").str(next);
    }
    reply(200, body)
}

fn reply(status: u16, body: Encoder) -> Reply {
    let headers = vec![("smithy-protocol", "rpc-v2-cbor".to_owned()), ("content-type", "application/cbor".to_owned())];
    Reply { status, headers, body: body.into_writer().into() }
}

const DYNAMODB: &str = "AWS/DynamoDB";

#[tokio::test]
async fn alarms_that_watch_the_table_and_not_its_copy_are_named() {
    let server = Scripted::start(|asked: &Asked| {
        assert!(asked.target.ends_with("/operation/DescribeAlarms"), "{asked:?}");
        let source: &[(&str, &str)] = &[("TableName", "metadata")];
        let index: &[(&str, &str)] = &[("TableName", "metadata"), ("GlobalSecondaryIndexName", "by-day")];
        if !asked.body.contains("NextToken") {
            let alarms: [Told<'_>; 4] = [
                ("throttled", DYNAMODB, "ReadThrottleEvents", source),
                ("throttled-index", DYNAMODB, "ReadThrottleEvents", index),
                ("TargetTracking-table/metadata-AlarmHigh-1", DYNAMODB, "ConsumedReadCapacityUnits", source),
                ("rate", DYNAMODB, "ConsumedWriteCapacityUnits", source),
            ];
            return page(&alarms, Some("more"));
        }
        let alarms: [Told<'_>; 4] = [
            ("throttled-copy", DYNAMODB, "ReadThrottleEvents", &[("TableName", "then")]),
            ("of another", DYNAMODB, "SystemErrors", &[("TableName", "metadata-old")]),
            ("our own", "Service", "Errors", source),
            ("the account's", DYNAMODB, "UserErrors", &[]),
        ];
        page(&alarms, None)
    })
    .await;
    let session = server.session("us-east-1");
    let found = of_tables(&session, &["metadata", "then"]).await.expect("the alarms");
    let names: Vec<&str> = found.iter().map(|it: &TableAlarm| it.name.as_str()).collect();
    assert_eq!(names, ["throttled", "throttled-index", "rate", "throttled-copy"]);
    let said = unwatched(&session, "metadata", "then").await;
    assert_eq!(
        said,
        [
            "alarm throttled-index watches ReadThrottleEvents of table metadata, and none watches that of table then",
            "alarm rate watches ConsumedWriteCapacityUnits of table metadata, and none watches that of table then",
        ]
    );
}

#[tokio::test]
async fn that_alarms_may_not_be_read_is_said_and_holds_nothing_up() {
    let server = Scripted::start(|_: &Asked| {
        let mut body = Encoder::new(Vec::new());
        body.map(2).str("__type").str("com.amazonaws.cloudwatch#AccessDeniedException").str("message").str("no");
        reply(403, body)
    })
    .await;
    let said = unwatched(&server.session("us-east-1"), "metadata", "then").await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("whether alarms watch table metadata is not known: cloudwatch:DescribeAlarms"),
        "{said:?}"
    );
}
