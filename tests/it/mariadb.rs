//! A MariaDB server for a test: `LIFEBOAT_MARIADB`, or `mariadbd` on `PATH`. A test without one fails, it is never skipped.
//! Aurora MySQL speaks the same protocol; what is Aurora's own is not in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lifeboat::verify::sql::{Credentials, Place};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// Whose name the server's certificate has.
pub const CERTIFIED: &str = "logs.cluster-1.us-east-1.rds.amazonaws.com";
pub const PASSWORD: &str = "a password, with \"all\" sorts";

/// A server of the test's own; it ends with this value.
pub struct MariaDb {
    server: Child,
    pub port: u16,
    dir: tempfile::TempDir,
}

impl MariaDb {
    /// With the user `checker`, who may read and check `logs`, and its table `events` of three rows.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let program = std::env::var_os("LIFEBOAT_MARIADB").map_or_else(|| PathBuf::from("mariadbd"), PathBuf::from);
        certify(dir.path());
        let init = dir.path().join("init.sql");
        let mut install = command("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        // Several at once would meet in a common folder.
        install.env("TMPDIR", dir.path()).arg(format!("--tmpdir={}", dir.path().display()));
        install.arg(format!("--datadir={}", data.display())).args(as_root());
        let installed = install.output().await.expect("mariadb-install-db, of the server's package");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        std::fs::write(&init, users()).expect("a file");
        let port = free_port();
        let mut server = command(program);
        server.args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--default-storage-engine=InnoDB",
        ]);
        server.args(as_root()).arg(format!("--port={port}")).arg(format!("--datadir={}", data.display()));
        server.arg(format!("--socket={}", dir.path().join("socket").display()));
        server.arg(format!("--init-file={}", init.display()));
        for (option, file) in [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")] {
            server.arg(format!("--ssl-{option}={}", dir.path().join(file).display()));
        }
        server.stderr(std::fs::File::create(dir.path().join("log")).expect("a file"));
        let server = server.spawn().expect("a MariaDB server: see README.md");
        let mut started = Self { server, port, dir };
        started.answers().await;
        started
    }

    async fn answers(&mut self) {
        for _ in 0..300 {
            if Conn::new(self.root()).await.is_ok() {
                return;
            }
            let ended = self.server.try_wait().expect("a status");
            assert_eq!(ended, None, "{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
    }

    fn root(&self) -> OptsBuilder {
        OptsBuilder::default().ip_or_hostname("127.0.0.1").tcp_port(self.port).user(Some("owner")).prefer_socket(false)
    }

    /// Does something to it, as its owner.
    pub async fn execute(&self, statement: &str) {
        let mut owner = Conn::new(self.root()).await.expect("a connection");
        owner.query_drop(statement).await.expect("it is done");
        owner.disconnect().await.expect("a goodbye");
    }

    /// The authorities that its certificate comes from.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// As a cluster with its own authorities is reached through a tunnel.
    pub fn place(&self) -> Place {
        Place {
            host: "127.0.0.1".into(),
            port: self.port,
            certified: Some(CERTIFIED.into()),
            ca: Some(self.ca()),
            database: Some("logs".into()),
        }
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        if let Some(pid) = self.server.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

pub fn checker() -> Credentials {
    Credentials { user: "checker".into(), password: PASSWORD.into() }
}

/// One statement a line, as the server wants them.
fn users() -> String {
    let password = PASSWORD.replace('\'', "''");
    format!(
        "CREATE DATABASE logs;\n\
         CREATE TABLE logs.events (id INT PRIMARY KEY, text VARCHAR(20)) ENGINE=InnoDB;\n\
         INSERT INTO logs.events VALUES (1, 'a'), (2, 'b'), (3, NULL);\n\
         CREATE USER owner@'127.0.0.1';\n\
         GRANT ALL ON *.* TO owner@'127.0.0.1';\n\
         CREATE USER checker@'127.0.0.1' IDENTIFIED BY '{password}' REQUIRE SSL;\n\
         GRANT ALL ON logs.* TO checker@'127.0.0.1';\n"
    )
}

#[expect(clippy::disallowed_methods, reason = "a test starts the server that it asks")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

/// The server refuses to run as root unless it is told so.
fn as_root() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A certificate of the cluster's name, from an authority of the test's own.
fn certify(dir: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![CERTIFIED.to_owned()]).expect("parameters");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    std::fs::write(dir.join("ca.pem"), authority.pem()).expect("a file");
    std::fs::write(dir.join("server.pem"), certificate.pem()).expect("a file");
    std::fs::write(dir.join("server.key"), key.serialize_pem()).expect("a file");
}
