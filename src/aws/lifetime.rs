//! How long credentials hold, and whether they are renewed without anybody's doing.

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use jiff::Timestamp;

/// What is known of the credentials' end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// When these credentials end, where their source says so.
    pub until: Option<Timestamp>,
    pub renewal: Renewal,
    /// Whether they end at all: they carry a session token (IAM User Guide: "Temporary security credentials in IAM").
    pub temporary: bool,
}

/// What happens when credentials end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The SDK fetches new ones: a role that is assumed, an instance's or a container's role, a web identity.
    ByItself,
    /// The SDK fetches new ones as long as somebody is logged in, and does not say how long that is: SSO, a process.
    WhileLoggedIn,
    /// They were given as they are: variables, or keys in a file.
    Never,
}

impl Lifetime {
    pub(super) fn of(credentials: &Credentials) -> Self {
        let until = credentials.expiry().and_then(|time| Timestamp::try_from(time).ok());
        let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
        let renewal = renewal(features, until.is_some());
        Self { until, renewal, temporary: credentials.session_token().is_some() }
    }
}

/// `ends`: whether the source knows an end. A profile that does has assumed a role.
fn renewal(features: &[Feature], ends: bool) -> Renewal {
    let has = |wanted: &[Feature]| features.iter().any(|feature| wanted.contains(feature));
    let login = [
        Feature::CredentialsSso,
        Feature::CredentialsProfileSso,
        Feature::CredentialsProcess,
        Feature::CredentialsProfileProcess,
        Feature::CredentialsLogin,
        Feature::CredentialsProfileLogin,
    ];
    if has(&login) {
        Renewal::WhileLoggedIn
    } else if ends && !has(&[Feature::CredentialsEnvVars]) {
        Renewal::ByItself
    } else {
        Renewal::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_as_it_is_ends_for_good() {
        assert_eq!(renewal(&[Feature::CredentialsEnvVars], true), Renewal::Never);
        assert_eq!(renewal(&[Feature::CredentialsProfile], false), Renewal::Never);
        assert_eq!(renewal(&[Feature::CredentialsProfile], true), Renewal::ByItself);
        assert_eq!(renewal(&[Feature::CredentialsImds], true), Renewal::ByItself);
        assert_eq!(renewal(&[Feature::CredentialsSso, Feature::CredentialsProfile], true), Renewal::WhileLoggedIn);
    }
}
