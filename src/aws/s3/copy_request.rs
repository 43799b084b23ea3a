//! CopyObject, signed by the SDK's signer and sent without its orchestrator.
//!
//! Of a bucket of small objects nearly every request is this one, and half of what each costs this machine is spent in the
//! orchestrator ("Speed" in the documentation). Only answers that say "copied", "later" and "it is not as you think" are
//! understood here. Whatever else comes back is asked for once more through the SDK, which knows clocks that are wrong,
//! redirects, sessions that have ended, and every error of S3. Where a bucket is, the SDK says as well.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{StorageClass, TaggingDirective};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use memchr::memmem;
use tokio::sync::OnceCell;

use super::encoded;
use crate::aws::error::chain;
use crate::aws::limiter::{answered, refusal};
use crate::aws::traffic::Traffic;
use crate::aws::{Refusal, Session};

/// As IAM names what it needs at the target.
const OPERATION: &str = "s3:PutObject";
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// S3 closes what is idle for longer.
const IDLE: Duration = Duration::from_secs(15);
/// An answer is some hundred bytes.
const LONGEST_ANSWER: usize = 64 << 10;
/// Credentials are fetched anew so long before they end (as the SDK's own cache does).
const BEFORE_THE_END: Duration = Duration::from_secs(10);
/// How long credentials are used that say no end (likewise).
const WITHOUT_AN_END: Duration = Duration::from_secs(15 * 60);
/// Refusals that are taken as they are (Amazon S3 API: "Error responses"); all others are the SDK's to understand.
const UNDERSTOOD: [&str; 8] = [
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "RequestTimeout",
    "PreconditionFailed",
    "ConditionalRequestConflict",
    "NoSuchKey",
    "NoSuchVersion",
];

/// One copy (Amazon S3 API: "CopyObject").
#[derive(Clone, Copy, Debug)]
pub struct CopyRequest<'a> {
    pub key: &'a str,
    /// As the header `x-amz-copy-source` wants it.
    pub source: &'a str,
    /// With its quotes.
    pub source_etag: &'a str,
    /// Whether what the key holds may get a newer version.
    pub replaces: bool,
    pub storage_class: Option<&'a str>,
}

/// Copies into one bucket.
pub struct CopyRequests {
    sdk: Client,
    bucket: String,
    timeout: Duration,
    provider: Option<SharedCredentialsProvider>,
    known: RwLock<Option<(Credentials, SystemTime)>>,
    /// `None` where requests are signed in another way than the usual one.
    way: OnceCell<Option<Way>>,
    traffic: Traffic,
}

/// How the bucket is reached.
struct Way {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// Scheme, host and what comes before the key.
    base: String,
    region: String,
}

impl CopyRequests {
    /// `sdk` does not repeat what is refused. A request may take as long as `timeout`.
    pub fn new(session: &Session, sdk: Client, bucket: &str, timeout: Duration) -> Self {
        Self {
            sdk,
            bucket: bucket.to_owned(),
            timeout,
            provider: session.credentials_provider(),
            known: RwLock::new(None),
            way: OnceCell::new(),
            traffic: session.traffic().clone(),
        }
    }

    /// Sends it once.
    ///
    /// # Errors
    /// S3 refused, or did not answer.
    pub async fn send(&self, request: CopyRequest<'_>) -> Result<(), Refusal> {
        match self.directly(request).await {
            Some(answer) => answer,
            None => self.through_sdk(request).await,
        }
    }

    async fn through_sdk(&self, request: CopyRequest<'_>) -> Result<(), Refusal> {
        let sent = self.sdk.copy_object().bucket(&self.bucket).key(request.key).copy_source(request.source);
        let sent = sent
            .copy_source_if_match(request.source_etag)
            .set_if_none_match((!request.replaces).then(|| "*".to_owned()))
            .tagging_directive(TaggingDirective::Copy)
            .set_storage_class(request.storage_class.map(StorageClass::from));
        sent.send().await.map(drop).map_err(refusal(OPERATION))
    }

    /// `None` where only the SDK can send it, or understand the answer.
    async fn directly(&self, request: CopyRequest<'_>) -> Option<Result<(), Refusal>> {
        let way = self.way.get_or_init(|| async { way(&self.sdk, &self.bucket).await }).await.as_ref()?;
        let signed = way.signed(request, self.credentials().await?)?;
        let answer = tokio::time::timeout(self.timeout, async {
            let answer = way.http.request(signed).await.map_err(|error| chain(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| chain(error.as_ref()))?;
            Ok::<_, String>((head.status, body.to_bytes()))
        });
        let late = || Err(format!("no answer in {} s", self.timeout.as_secs()));
        match answer.await.unwrap_or_else(|_| late()) {
            Ok((status, body)) => self.understood(status, &body),
            Err(message) => {
                self.traffic.met("s3", false);
                Some(Err(Refusal::unanswered(OPERATION, message)))
            }
        }
    }

    fn understood(&self, status: StatusCode, body: &[u8]) -> Option<Result<(), Refusal>> {
        // An error may also come after the status, which S3 sends first where a copy takes long.
        let code = element(body, "Code").filter(|_| memmem::find(body, b"<Error>").is_some());
        match code {
            None if status == StatusCode::OK => memmem::find(body, b"<CopyObjectResult").is_some().then_some(Ok(())),
            Some(code) if UNDERSTOOD.contains(&code) => {
                let message = element(body, "Message").map_or_else(|| code.to_owned(), |it| format!("{code}: {it}"));
                let refusal = answered(OPERATION, code, message, status.as_u16());
                if refusal.error.transient {
                    self.traffic.met("s3", matches!(code, "SlowDown" | "ServiceUnavailable"));
                }
                Some(Err(refusal))
            }
            _ => None,
        }
    }

    /// The caller's credentials, fetched again before they end.
    async fn credentials(&self) -> Option<Credentials> {
        let now = SystemTime::now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((credentials, until)) = known
            && now < until
        {
            return Some(credentials);
        }
        let credentials = self.provider.as_ref()?.provide_credentials().await.ok()?;
        let until = credentials.expiry().map_or(now + WITHOUT_AN_END, |end| end - BEFORE_THE_END);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some((credentials.clone(), until));
        Some(credentials)
    }
}

impl Way {
    fn signed(&self, request: CopyRequest<'_>, credentials: Credentials) -> Option<Request<Empty<Bytes>>> {
        let uri = format!("{}{}?x-id=CopyObject", self.base, encoded(request.key));
        let given = [
            ("x-amz-copy-source", Some(request.source)),
            ("x-amz-copy-source-if-match", Some(request.source_etag)),
            ("if-none-match", (!request.replaces).then_some("*")),
            ("x-amz-tagging-directive", Some("COPY")),
            ("x-amz-storage-class", request.storage_class),
        ];
        let headers = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // Amazon S3 API: "Signature Calculations for the Authorization Header": the path is neither encoded twice nor tidied.
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new("PUT", &uri, headers.clone(), SignableBody::Bytes(&[])).ok()?;
        let (instructions, _) = sign(signable, &params).ok()?.into_parts();
        let agent = concat!("lifeboat/", env!("CARGO_PKG_VERSION"));
        let built = Request::put(&uri).header("user-agent", agent);
        let built = headers.fold(built, |built, (name, value)| built.header(name, value));
        let mut built = built.body(Empty::new()).ok()?;
        instructions.apply_to_request_http1x(&mut built);
        Some(built)
    }
}

/// How the SDK itself would reach the bucket: endpoint, addressing and signing region are read from a request that it signs and
/// nobody sends.
async fn way(sdk: &Client, bucket: &str) -> Option<Way> {
    let config = PresigningConfig::expires_in(Duration::from_secs(60)).ok()?;
    let shown = sdk.put_object().bucket(bucket).key("k").presigned(config).await.ok()?;
    let (base, region) = place(shown.uri())?;
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECTS_WITHIN));
    let https = HttpsConnectorBuilder::new().with_native_roots().ok()?.https_or_http().enable_http1();
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(https.wrap_connector(http));
    Some(Way { http, base, region })
}

/// Where a presigned request of the key `k` goes, up to the key, and the region that it is signed for. `None` for anything but
/// the usual signature of S3 (Amazon S3 API: "Authenticating Requests: Using Query Parameters").
fn place(uri: &str) -> Option<(String, String)> {
    let (path, query) = uri.split_once('?')?;
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if value("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return None;
    }
    let credential: Vec<&str> = value("X-Amz-Credential")?.split("%2F").collect();
    let [.., region, "s3", "aws4_request"] = credential[..] else { return None };
    Some((path.strip_suffix('k')?.to_owned(), region.to_owned()))
}

/// The text of the first element of that name in one of S3's flat documents.
fn element<'a>(document: &'a [u8], name: &str) -> Option<&'a str> {
    let from = memmem::find(document, format!("<{name}>").as_bytes())? + name.len() + 2;
    let rest = &document[from..];
    std::str::from_utf8(&rest[..memmem::find(rest, format!("</{name}>").as_bytes())?]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_bucket_is_is_read_from_what_the_sdk_has_signed() {
        let credential = "X-Amz-Credential=AKIA%2F20261127%2Feu-west-2%2Fs3%2Faws4_request";
        let usual = format!(
            "https://b.s3.eu-west-2.amazonaws.com/k?x-id=PutObject&X-Amz-Algorithm=AWS4-HMAC-SHA256&{credential}"
        );
        let found = ("https://b.s3.eu-west-2.amazonaws.com/".to_owned(), "eu-west-2".to_owned());
        assert_eq!(place(&usual), Some(found));
        let by_path = usual.replace("b.s3.eu-west-2.amazonaws.com/k", "127.0.0.1:4566/b/k");
        assert_eq!(place(&by_path).expect("a place").0, "https://127.0.0.1:4566/b/");
        assert_eq!(place(&usual.replace("AWS4-HMAC", "AWS4-ECDSA-P256")), None, "signed for several regions");
        assert_eq!(place(&usual.replace("%2Fs3%2F", "%2Fs3express%2F")), None, "signed with a session of its own");
    }

    #[test]
    fn a_code_is_read_from_an_error_and_from_nothing_else() {
        let error = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Reduce</Message></Error>";
        assert_eq!(element(error, "Code"), Some("SlowDown"));
        assert_eq!(element(error, "Message"), Some("Reduce"));
        assert_eq!(element(b"<Code>cut", "Code"), None);
    }
}
