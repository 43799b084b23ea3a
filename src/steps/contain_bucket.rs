//! Closes a bucket to everybody but the break-glass principals and the investigators, and lets it be as it was: a statement of
//! ours in its policy, and all public access blocked.
//!
//! The policy comes first and goes last. S3 writes no public policy where public access is blocked, so that the block would
//! stand in the way of the statement; and our statement says, while it stands, that the block is ours to take back.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contained::{BEFORE, GLASS, INVESTIGATOR, are_there, blocked, facts, gone, note, noted, unreadable};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::s3::{self, BucketPlace};
use crate::aws::{AwsError, Session};
use crate::containment::{
    BucketBefore, Principal, PublicAccess, SpareBucket, deny_bucket, has_ours, merged, released, same,
};

/// The step `contain.bucket.NAME`.
pub struct ContainBucket {
    pub bucket: SpareBucket,
}

/// The step `release.bucket.NAME`.
pub struct ReleaseBucket {
    pub bucket: SpareBucket,
    pub before: BucketBefore,
}

/// Clients of the bucket's region, and the bucket as it is; `None` where there is none.
async fn look(cx: &Cx, bucket: &SpareBucket) -> Result<Option<(Session, BucketBefore)>, StepError> {
    let (aws, name) = (&cx.world.aws, &bucket.name);
    let denied = |error: AwsError| match error.is("AccessDenied") {
        true => StepError::from(error)
            .hint(format!("it may be closed to the caller: log in as one of {}", bucket.except().join(", "))),
        false => error.into(),
    };
    let session = match s3::find_bucket(aws, name).await.map_err(denied)? {
        BucketPlace::Here => aws.clone(),
        BucketPlace::Elsewhere(region) => aws.in_region(&region),
        BucketPlace::Missing => return Ok(None),
    };
    let now = BucketBefore {
        policy: s3::bucket_policy(&session, name).await.map_err(denied)?,
        public_access: s3::public_access(&session, name).await.map_err(denied)?,
    };
    Ok(Some((session, now)))
}

impl ContainBucket {
    async fn look(&self, cx: &Cx) -> Result<(Session, BucketBefore), StepError> {
        let name = &self.bucket.name;
        look(cx, &self.bucket).await?.ok_or_else(|| {
            StepError::conflict(format!("there is no bucket {name}")).hint("look: aws s3api list-buckets")
        })
    }

    /// Refuses what lifeboat itself works with, and a caller who could not undo it.
    async fn may_be_closed(&self, cx: &Cx) -> Result<(), StepError> {
        let SpareBucket { name, investigators, break_glass } = &self.bucket;
        if let Some(why) = cx.world.manifest.never_closed(name) {
            return Err(StepError::conflict(format!("bucket {name} is not closed: {why}"))
                .hint("leave it out; whoever may not read it is shut out as a user or a role"));
        }
        are_there(cx, break_glass, GLASS).await?;
        are_there(cx, investigators, INVESTIGATOR).await?;
        let caller = cx.world.aws.caller().await?.arn;
        let own = Principal::parse(&caller);
        let let_in = own.is_some() && self.bucket.except().iter().any(|arn| Principal::parse(arn) == own);
        if let_in {
            return Ok(());
        }
        let closed = StepError::conflict(format!("bucket {name} would be closed to the caller of lifeboat: {caller}"));
        Err(closed.hint(
            "nobody but an investigator or a break-glass principal can prove it closed, and open it again: log in as one, \
             or name this one among the investigators of the containment block",
        ))
    }

    fn policy(&self, now: &BucketBefore) -> Result<String, StepError> {
        let statement = deny_bucket(&self.bucket.name, &self.bucket.except());
        let policy = merged(now.policy.as_deref(), &statement);
        policy.map_err(|error| unreadable(&format!("bucket {}", self.bucket.name), &error))
    }

    fn is_closed(&self, now: &BucketBefore) -> Result<bool, StepError> {
        let policy = self.policy(now)?;
        let stands = now.policy.as_deref().is_some_and(|now| same(now, &policy));
        Ok(stands && now.public_access == Some(PublicAccess::BLOCKED))
    }

    fn output(&self, cx: &Cx) -> Output {
        json!({"bucket": self.bucket.name, "open_to": self.bucket.except(), "changed": cx.noted(BEFORE).is_some()})
    }
}

/// S3 says no more than that access is denied.
fn public_policy(error: StepError, now: &BucketBefore) -> StepError {
    let blocks = now.public_access.is_some_and(|it| it.block_public_policy);
    match now.policy.is_some() && error.cause.contains("AccessDenied") {
        true => error.hint(format!(
            "a policy that lets the public in is not written where that is blocked, as it {}: take its public statement out",
            if blocks { "is for this bucket" } else { "may be for the account" }
        )),
        false => error,
    }
}

#[async_trait]
impl Step for ContainBucket {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        self.may_be_closed(cx).await.map_err(blocked)?;
        let (_, now) = self.look(cx).await.map_err(blocked)?;
        if self.is_closed(&now).map_err(blocked)? {
            return Ok(Checked { facts: facts(Vec::new(), Vec::new()), standing: Standing::InPlace });
        }
        let policy: Value = serde_json::from_str(&self.policy(&now).map_err(blocked)?).unwrap_or_default();
        let mut writes = vec![json!({"put": "bucket policy", "document": policy})];
        if now.public_access != Some(PublicAccess::BLOCKED) {
            writes.push(json!({"put": "public access block", "document": PublicAccess::BLOCKED}));
        }
        Ok(Checked { facts: facts(writes, Vec::new()), standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let (_, now) = self.look(cx).await?;
        Ok(if self.is_closed(&now)? { Seen::Done(self.output(cx)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        self.may_be_closed(cx).await?;
        let (session, now) = self.look(cx).await?;
        let policy = self.policy(&now)?;
        let before = noted(cx).unwrap_or_else(|| now.clone());
        note(cx, &before).await?;
        let name = &self.bucket.name;
        if now.policy.as_deref().is_none_or(|now| !same(now, &policy)) {
            let put = s3::set_bucket_policy(&session, name, Some(&policy)).await;
            put.map_err(|error| public_policy(error.into(), &now))?;
        }
        if now.public_access != Some(PublicAccess::BLOCKED) {
            s3::set_public_access(&session, name, Some(&PublicAccess::BLOCKED)).await?;
        }
        Ok(self.output(cx))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match self.is_closed(&self.look(cx).await?.1)? {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("bucket {} is not closed", self.bucket.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN".into())
    }
}

/// What is left to do for a release.
#[derive(Default)]
struct Left {
    /// What public access has to be blocked.
    public_access: Option<Option<PublicAccess>>,
    /// The policy that it has to have.
    policy: Option<Option<String>>,
    /// What is not touched, and why.
    kept: Vec<String>,
}

impl ReleaseBucket {
    /// Nothing where no statement of ours stands: a bucket that was made anew since is none of ours to open.
    fn left(&self, now: &BucketBefore) -> Result<Left, StepError> {
        let mut left = Left::default();
        let policy = released(now.policy.as_deref(), self.before.policy.as_deref());
        let policy = policy.map_err(|error| unreadable(&format!("bucket {}", self.bucket.name), &error))?;
        if !has_ours(now.policy.as_deref()) {
            let words = "its policy has no statement of lifeboat's any more, so it is left as it is";
            left.kept.extend((*now != self.before).then(|| words.to_owned()));
            return Ok(left);
        }
        let done = match (&now.policy, &policy) {
            (Some(now), Some(then)) => same(now, then),
            _ => false,
        };
        if !done {
            left.policy = Some(policy);
        }
        if now.public_access == self.before.public_access {
            return Ok(left);
        }
        match now.public_access {
            Some(PublicAccess::BLOCKED) => left.public_access = Some(self.before.public_access),
            _ => left.kept.push("its public access block was changed since, and is left as it is".to_owned()),
        }
        Ok(left)
    }

    fn is_done(left: &Left) -> bool {
        left.public_access.is_none() && left.policy.is_none()
    }

    fn output(&self, kept: &[String]) -> Output {
        json!({"bucket": self.bucket.name, "left_alone": kept, "changed": true})
    }

    fn absent(&self) -> Output {
        let name = &self.bucket.name;
        json!({"bucket": name, "left_alone": [gone(&format!("bucket {name}"))], "changed": false})
    }
}

#[async_trait]
impl Step for ReleaseBucket {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let Some((_, now)) = look(cx, &self.bucket).await.map_err(blocked)? else {
            let words = gone(&format!("bucket {}", self.bucket.name));
            return Ok(Checked { facts: facts(Vec::new(), vec![words]), standing: Standing::InPlace });
        };
        let left = self.left(&now).map_err(blocked)?;
        let mut writes = Vec::new();
        writes.extend(left.public_access.as_ref().map(|access| match access {
            Some(access) => json!({"put": "public access block", "document": access}),
            None => json!({"delete": "public access block"}),
        }));
        writes.extend(left.policy.as_ref().map(|policy| match policy {
            Some(text) => json!({"put": "bucket policy", "document": text}),
            None => json!({"delete": "bucket policy"}),
        }));
        let warnings = left.kept.iter().map(|words| format!("bucket {}: {words}", self.bucket.name)).collect();
        let standing = if Self::is_done(&left) { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, warnings), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let Some((_, now)) = look(cx, &self.bucket).await? else { return Ok(Seen::Done(self.absent())) };
        let left = self.left(&now)?;
        Ok(if Self::is_done(&left) { Seen::Done(self.output(&left.kept)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let name = &self.bucket.name;
        let Some((session, now)) = look(cx, &self.bucket).await? else { return Ok(self.absent()) };
        let left = self.left(&now)?;
        if let Some(access) = &left.public_access {
            s3::set_public_access(&session, name, access.as_ref()).await?;
        }
        if let Some(policy) = &left.policy {
            s3::set_bucket_policy(&session, name, policy.as_deref()).await?;
        }
        Ok(self.output(&left.kept))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let Some((_, now)) = look(cx, &self.bucket).await? else { return Ok(()) };
        match Self::is_done(&self.left(&now)?) {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("bucket {} is not as it was before", self.bucket.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV closes it again".into())
    }
}
