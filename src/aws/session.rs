//! The clients of one region, and who is asking.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::tls;

use aws_sdk_s3::config::SharedHttpClient;

use super::{AwsError, explain};

/// How long one try of a request may take. An endpoint that takes requests and never answers must not hold a recovery
/// for ever.
const LONGEST_TRY: Duration = Duration::from_secs(30);
/// How long a request may take with all its tries.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);

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
            .retry_config(RetryConfig::standard().with_max_attempts(6))
            .timeout_config(timeouts())
            .http_client(http_client())
            .load()
            .await;
        Self { config, region: region.to_owned() }
    }

    /// Clients of an emulator at `endpoint`, with made-up credentials; nothing of the user's own settings is read.
    pub fn emulated(region: &str, endpoint: &str) -> Self {
        let made_up = Credentials::new("rehearsal", "rehearsal", None, None, "rehearsal");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(made_up))
            .retry_config(RetryConfig::standard())
            .http_client(http_client())
            .build();
        Self { config, region: region.to_owned() }
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who the credentials belong to, asked of the region's own STS endpoint.
    ///
    /// # Errors
    /// No credentials, or AWS does not accept them.
    pub async fn caller(&self) -> Result<Caller, AwsError> {
        let answer = aws_sdk_sts::Client::new(&self.config)
            .get_caller_identity()
            .send()
            .await
            .map_err(explain("sts:GetCallerIdentity"))?;
        Ok(Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }

    pub fn rds(&self) -> aws_sdk_rds::Client {
        aws_sdk_rds::Client::new(&self.config)
    }

    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    pub fn glue(&self) -> aws_sdk_glue::Client {
        aws_sdk_glue::Client::new(&self.config)
    }

    pub fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.config)
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }

    pub fn route53(&self) -> aws_sdk_route53::Client {
        aws_sdk_route53::Client::new(&self.config)
    }
}

fn http_client() -> SharedHttpClient {
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    aws_smithy_http_client::Builder::new().tls_provider(provider).build_https()
}
