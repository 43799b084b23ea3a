//! Asks the rows of a restored cluster what the manifest wants to know.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::answers::Answer;
use super::{Blocked, Cx, Ready, StepError, wait_until};
use crate::aws::rds::ClusterState;
use crate::aws::{Session, secrets};
use crate::manifest::{Cluster, Login, RowCheck, Rows, host_and_port};
use crate::verify::sql::{Credentials, Database, Found, Place, SqlError, fault};

/// What Aurora listens on where nothing else was said (Amazon Aurora User Guide: "Aurora MySQL").
const PORT: u16 = 3306;

/// How long a database that should be there is looked for: names and routes may lag behind a moment.
const UNREACHABLE: Duration = Duration::from_secs(90);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(4 * 60 * 60);
const AGAIN: &str = "retry the step: it asks anew";
const LOGIN: &str = "a restored cluster has the users and passwords of its recovery point: where they were changed since, set its \
                     master password, or have the same secret or variables tell what held then; `sql` itself is settled when a \
                     run begins; then retry the step, or ask by hand and --skip it";

/// Who asks, with the login that was found.
pub(super) struct Asker<'a> {
    rows: &'a Rows,
    pub(super) credentials: Credentials,
    ca: Option<PathBuf>,
}

impl<'a> Asker<'a> {
    /// `manifest` is the file whose folder the authorities' file is relative to.
    ///
    /// # Errors
    /// The login or that file is not there.
    pub async fn of(session: &Session, rows: &'a Rows, manifest: &Path) -> Result<Self, Blocked> {
        let credentials = credentials(session, &rows.login).await?;
        let ca = rows.ca.as_ref().map(|ca| manifest.parent().unwrap_or(Path::new("/")).join(ca));
        if let Some(missing) = ca.as_ref().filter(|ca| !ca.is_file()) {
            return Err(Blocked {
                cause: format!("there is no file {}, which `ca` names", missing.display()),
                hint: Some("fetch the bundle that AWS publishes (Amazon RDS User Guide: \"Using SSL/TLS to encrypt a connection \
                            to a DB instance or cluster\"), or leave `ca` out"
                    .to_owned()),
            });
        }
        Ok(Self { rows, credentials, ca })
    }

    /// Asks everything, whatever the answers are.
    ///
    /// # Errors
    /// There is no connection, the login is refused, or the operator asked to stop.
    pub async fn ask(&self, cx: &Cx, cluster: &ClusterState) -> Result<Vec<Answer>, StepError> {
        let place = self.place(cluster)?;
        let what = format!("the database of cluster {}", cluster.id);
        let connected = wait_until(cx, &what, UNREACHABLE, async || {
            Ok(match Database::connect(&place, &self.credentials).await {
                Ok(database) => Ready::Yes(Ok(database)),
                Err(SqlError::Refused(why)) => Ready::Yes(Err(why)),
                Err(SqlError::Unreachable(why)) => Ready::NotYet(format!("not there: {why}")),
            })
        });
        let connected = connected.await.map_err(|error| match error.parks() {
            true => error,
            false => StepError { hint: Some(reachable(&place)), ..error },
        })?;
        let mut database = connected.map_err(|why| StepError::failed(why).hint(LOGIN))?;
        let instance = database.instance().await.map_err(|error| StepError::failed(error.to_string()).hint(AGAIN))?;
        if let Some(other) = instance.filter(|id| !cluster.members.iter().any(|member| member.id == *id)) {
            let text = format!("instance {other} answers, which is none of cluster {}", cluster.id);
            return Err(StepError::failed(text).hint(reachable(&place)));
        }
        let mut answers = Vec::new();
        for check in &self.rows.verify {
            cx.status(format!("{what}: {check}"));
            let found = tokio::select! {
                found = database.ask(check) => found.map_err(|error| StepError::failed(error.to_string()).hint(AGAIN))?,
                () = cx.stopped() => return Err(StepError::interrupted(format!("stopped while asking {what}"))),
                () = tokio::time::sleep(ANSWER) => {
                    return Err(StepError::failed(format!("{what} has not answered {check}")).hint(AGAIN));
                }
            };
            answers.push(answer(check, &found));
        }
        database.close().await;
        Ok(answers)
    }

    fn place(&self, cluster: &ClusterState) -> Result<Place, StepError> {
        self.place_at(cluster, cluster.endpoint.clone())
    }

    /// The same at another of the cluster's endpoints.
    pub(super) fn place_at(&self, cluster: &ClusterState, endpoint: Option<String>) -> Result<Place, StepError> {
        let (host, port) = match self.rows.via.as_deref().and_then(host_and_port) {
            Some((host, port)) => (host.to_owned(), port),
            None => {
                let host = endpoint
                    .clone()
                    .ok_or_else(|| StepError::failed(format!("cluster {} has no endpoint", cluster.id)))?;
                (host, cluster.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT))
            }
        };
        let (ca, database) = (self.ca.clone(), self.rows.database.clone());
        Ok(Place { host, port, certified: endpoint, ca, database })
    }
}

/// Whether the engine speaks the protocol of the questions.
pub(super) fn can_be_asked(cluster: &Cluster, engine: Option<&str>) -> Result<(), Blocked> {
    match engine.filter(|engine| cluster.rows.is_some() && !engine.contains("mysql")) {
        None => Ok(()),
        Some(engine) => Err(Blocked {
            cause: format!("cluster {} is {engine}, and its rows are asked over the MySQL protocol", cluster.source),
            hint: Some("take `sql` and `verify` out of its aurora block, and use a check with a command".to_owned()),
        }),
    }
}

fn reachable(place: &Place) -> String {
    let Place { host, port, certified, .. } = place;
    let endpoint = certified.as_deref().unwrap_or("its endpoint");
    format!(
        "resume on a machine in the VPC, or open a tunnel to {endpoint} at {host}:{port}, and retry the step: where it is asked was \
         settled when the run began; else ask by hand, and --skip the step"
    )
}

fn answer(check: &RowCheck, found: &Found) -> Answer {
    let number = if let Found::Number(number) = found { Some(*number) } else { None };
    Answer { check: check.to_string(), query: None, found: number, fault: fault(check, found) }
}

async fn credentials(session: &Session, login: &Login) -> Result<Credentials, Blocked> {
    match login {
        Login::Secret(name) => {
            let region = session.region();
            let text = secrets::secret_text(session, name).await.map_err(|error| Blocked {
                cause: format!("the login to the database is not to be had: {error}"),
                hint: Some(format!("secret {name} must be in {region}: replicate it there")),
            })?;
            text.as_deref().and_then(Credentials::in_json).ok_or_else(|| Blocked {
                cause: format!("secret {name} in {region} holds no login"),
                hint: Some("it must be JSON with username and password, as RDS writes it".to_owned()),
            })
        }
        Login::Env(prefix) => {
            let variable = |end: &str| {
                let name = format!("{prefix}_{end}");
                std::env::var(&name).map_err(|_| Blocked {
                    cause: format!("the login to the database is not to be had: {name} is not set"),
                    hint: Some(format!("export {prefix}_USER and {prefix}_PASSWORD")),
                })
            };
            Ok(Credentials { user: variable("USER")?, password: variable("PASSWORD")? })
        }
    }
}
