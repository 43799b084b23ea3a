//! The clients of one region, and who is asking.

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};

use super::{AwsError, explain};

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
        let tls = aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        );
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard().with_max_attempts(6))
            .http_client(http)
            .load()
            .await;
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

    pub fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config)
    }

    pub fn route53(&self) -> aws_sdk_route53::Client {
        aws_sdk_route53::Client::new(&self.config)
    }
}
