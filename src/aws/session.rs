//! The clients of one region, and who is asking.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::tls;

use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};

use super::lifetime::Lifetime;
use super::traffic::Traffic;
use super::{AwsError, explain};

/// How long one try of a request may take. An endpoint that takes requests and never answers must not hold a recovery
/// for ever.
const LONGEST_TRY: Duration = Duration::from_secs(30);
/// How long a request may take with all its tries.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);

/// How often a request is sent at most. With a fifth of all requests throttled, six tries fail once in 16,000 requests,
/// which a run of a few thousand would notice; nine fail once in two million. `LONGEST_REQUEST` bounds the time.
const TRIES: u32 = 9;
/// The first pause at most; each further one may be twice as long. Chance decides how much of it is waited.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The SDK's standard mode, which repeats what was throttled or got no answer (AWS SDKs and Tools Reference Guide: "Retry
/// behavior"). Its quota of 500 tokens for all clients of a service stays as it is: each success gives back what it took,
/// so that a fifth of requests throttled does not exhaust it, and where more are, to send fewer is right. What is left
/// over is for the engine's budget per step.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(FIRST_PAUSE).with_max_backoff(LONGEST_PAUSE)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(LONGEST_TRY)
        .operation_timeout(LONGEST_REQUEST)
        .build()
}

/// Clients for one region, with the caller's credentials. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    config: SdkConfig,
    region: String,
    traffic: Traffic,
}

/// Who is asking (STS API: "GetCallerIdentity").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub arn: String,
}

impl Session {
    /// Reads credentials and endpoints the way every AWS tool does: environment, profile, role.
    pub async fn connect(region: &str) -> Self {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(retries())
            .timeout_config(timeouts())
            .http_client(http_client())
            .load()
            .await;
        Self { config, region: region.to_owned(), traffic: Traffic::default() }
    }

    /// Clients of an emulator at `endpoint`, with made-up credentials; nothing of the user's own settings is read.
    pub fn emulated(region: &str, endpoint: &str) -> Self {
        let made_up = Credentials::new("rehearsal", "rehearsal", None, None, "rehearsal");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(made_up))
            .retry_config(retries())
            .http_client(http_client())
            .time_source(SystemTimeSource::new())
            .sleep_impl(TokioSleep::new())
            .build();
        Self { config, region: region.to_owned(), traffic: Traffic::default() }
    }

    /// The same clients for somebody else.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        let credentials = SharedCredentialsProvider::new(credentials);
        Self { config: self.config.to_builder().credentials_provider(credentials).build(), ..self.clone() }
    }

    /// The same clients for whoever assumes a role, asked for at this region's STS endpoint (AWS STS API: "AssumeRole"). The
    /// credentials are fetched when they are first needed, and renewed before they end.
    pub async fn assuming(&self, role_arn: &str) -> Self {
        let role = AssumeRoleProvider::builder(role_arn).session_name("lifeboat").configure(&self.config).build().await;
        let config = self.config.to_builder().credentials_provider(SharedCredentialsProvider::new(role)).build();
        Self { config, ..self.clone() }
    }

    /// The same caller's clients of another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let config = self.config.to_builder().region(Region::new(region.to_owned())).build();
        Self { config, region: region.to_owned(), traffic: self.traffic.clone() }
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who the credentials belong to, asked of the region's own STS endpoint.
    ///
    /// # Errors
    /// No credentials, or AWS does not accept them.
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        let answer = self.sts().get_caller_identity().send().await.map_err(explain("sts:GetCallerIdentity"))?;
        Ok(Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }

    /// What requests have met since this was last taken, by service.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(super) fn credentials_provider(&self) -> Option<SharedCredentialsProvider> {
        self.config.credentials_provider()
    }

    /// How long the credentials hold.
    ///
    /// # Errors
    /// There are none.
    pub async fn lifetime(&self) -> Result<Lifetime, AwsError> {
        let none = |message: String| AwsError {
            operation: "credentials",
            code: Some("NoUsableCredentials".into()),
            message,
            transient: false,
        };
        let provider = self.config.credentials_provider().ok_or_else(|| none("there are none".into()))?;
        let credentials = provider.provide_credentials().await.map_err(|error| none(error.to_string()))?;
        Ok(Lifetime::of(&credentials))
    }

    pub fn rds(&self) -> aws_sdk_rds::Client {
        let config = aws_sdk_rds::config::Builder::from(&self.config).interceptor(self.traffic.of("rds"));
        aws_sdk_rds::Client::from_conf(config.build())
    }

    pub fn autoscaling(&self) -> aws_sdk_applicationautoscaling::Client {
        let traffic = self.traffic.of("application-autoscaling");
        let config = aws_sdk_applicationautoscaling::config::Builder::from(&self.config).interceptor(traffic);
        aws_sdk_applicationautoscaling::Client::from_conf(config.build())
    }

    pub fn athena(&self) -> aws_sdk_athena::Client {
        let config = aws_sdk_athena::config::Builder::from(&self.config).interceptor(self.traffic.of("athena"));
        aws_sdk_athena::Client::from_conf(config.build())
    }

    pub fn backup(&self) -> aws_sdk_backup::Client {
        let config = aws_sdk_backup::config::Builder::from(&self.config).interceptor(self.traffic.of("backup"));
        aws_sdk_backup::Client::from_conf(config.build())
    }

    pub fn cloudtrail(&self) -> aws_sdk_cloudtrail::Client {
        let config = aws_sdk_cloudtrail::config::Builder::from(&self.config).interceptor(self.traffic.of("cloudtrail"));
        aws_sdk_cloudtrail::Client::from_conf(config.build())
    }

    pub fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(&self.config).interceptor(self.traffic.of("sts"));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    pub fn wafv2(&self) -> aws_sdk_wafv2::Client {
        let config = aws_sdk_wafv2::config::Builder::from(&self.config).interceptor(self.traffic.of("wafv2"));
        aws_sdk_wafv2::Client::from_conf(config.build())
    }

    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let config = aws_sdk_cloudwatch::config::Builder::from(&self.config).interceptor(self.traffic.of("cloudwatch"));
        aws_sdk_cloudwatch::Client::from_conf(config.build())
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config).interceptor(self.traffic.of("dynamodb"));
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::config::Builder::from(&self.config).interceptor(self.traffic.of("ec2"));
        aws_sdk_ec2::Client::from_conf(config.build())
    }

    pub fn firehose(&self) -> aws_sdk_firehose::Client {
        let config = aws_sdk_firehose::config::Builder::from(&self.config).interceptor(self.traffic.of("firehose"));
        aws_sdk_firehose::Client::from_conf(config.build())
    }

    pub fn glue(&self) -> aws_sdk_glue::Client {
        let config = aws_sdk_glue::config::Builder::from(&self.config).interceptor(self.traffic.of("glue"));
        aws_sdk_glue::Client::from_conf(config.build())
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.config).interceptor(self.traffic.of("iam"));
        aws_sdk_iam::Client::from_conf(config.build())
    }

    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config).interceptor(self.traffic.of("logs"));
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }

    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        let traffic = self.traffic.of("secretsmanager");
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config).interceptor(traffic);
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// Of quotas no answer is worth waiting for: they are asked twice at most.
    pub fn quotas(&self) -> aws_sdk_servicequotas::Client {
        let (traffic, retries) = (self.traffic.of("servicequotas"), retries().with_max_attempts(2));
        let config = aws_sdk_servicequotas::config::Builder::from(&self.config).interceptor(traffic);
        let config = config.retry_config(retries);
        aws_sdk_servicequotas::Client::from_conf(config.build())
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).interceptor(self.traffic.of("s3"));
        aws_sdk_s3::Client::from_conf(config.build())
    }

    pub fn s3_control(&self) -> aws_sdk_s3control::Client {
        let mut config =
            aws_sdk_s3control::config::Builder::from(&self.config).interceptor(self.traffic.of("s3-control"));
        if let Some(url) = self.config.endpoint_url().filter(|url| has_one_host(url)) {
            config = config.endpoint_resolver(OneHost(url.to_owned()));
        }
        aws_sdk_s3control::Client::from_conf(config.build())
    }

    pub fn route53(&self) -> aws_sdk_route53::Client {
        let config = aws_sdk_route53::config::Builder::from(&self.config).interceptor(self.traffic.of("route53"));
        aws_sdk_route53::Client::from_conf(config.build())
    }
}

/// Whether an endpoint is an address or this machine, in front of whose name nothing can stand.
fn has_one_host(url: &str) -> bool {
    let authority = url.split("://").last().and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

/// Amazon has a host for each account in front of S3 Control; an address has not.
#[derive(Debug)]
struct OneHost(String);

impl ResolveEndpoint for OneHost {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

fn http_client() -> SharedHttpClient {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(provider).build_https()
}
