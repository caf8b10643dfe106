//! moto: an emulation of the RDS API by others, against which greenlight proves that it depends on nothing that only the sandbox does.
//!
//! It needs `moto[server]` and boto3, which comes with it, in the Python that `GREENLIGHT_PYTHON` names. Where they are missing a test
//! says so loudly and ends, unless `GREENLIGHT_REQUIRE_PYTHON=1`.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::cli::{Ran, greenlight};

/// Ends by itself when its standard input does, however this process ends. It takes a port that is free and says which.
const SERVER: &str = r#"
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"#;

/// What every script begins with.
const PRELUDE: &str = "import boto3, json\nrds = boto3.client('rds')\n";

/// A moto server with an empty account, which lives as long as this does.
pub(crate) struct Moto {
    server: Child,
    python: String,
    port: u16,
}

impl Moto {
    /// Starts one; `None`, with a loud word, where the modules are missing.
    pub(crate) fn start() -> Option<Self> {
        let python = std::env::var("GREENLIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut server = match Command::new(&python)
            .args(["-c", SERVER])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        {
            Ok(server) => server,
            Err(error) => return missing(&format!("{python} cannot be run: {error}")),
        };
        let mut line = String::new();
        let _ = BufReader::new(server.stdout.take().expect("piped")).read_line(&mut line);
        let Ok(port) = line.trim().parse() else {
            let mut said = String::new();
            let _ = server.stderr.take().expect("piped").read_to_string(&mut said);
            let _ = server.wait();
            return missing(&format!("{python} cannot start moto's server: {said}"));
        };
        // It writes a line for each request, which nobody reads.
        let mut errors = server.stderr.take().expect("piped");
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Some(Self { server, python, port })
    }

    /// The environment that points an AWS client at it. The credentials are made up.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAMOTOMOTOMOTO0000".to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "moto-secret-that-opens-nothing".to_owned(),
            ),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Runs the binary against it.
    pub(crate) fn greenlight(&self, here: &Path, args: &[&str]) -> Ran {
        let env = self.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        greenlight(here, args, &env)
    }

    /// Runs Python in which `rds` is a boto3 client of this server, and returns what it prints.
    pub(crate) fn script(&self, code: &str) -> String {
        let mut child = Command::new(&self.python)
            .arg("-")
            .env_remove("AWS_PROFILE")
            .envs(self.env())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it ran for the server");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(format!("{PRELUDE}{code}").as_bytes())
            .expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it was started");
        assert!(
            output.status.success(),
            "{code}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn missing<T>(why: &str) -> Option<T> {
    let required = std::env::var("GREENLIGHT_REQUIRE_PYTHON").is_ok_and(|v| v == "1");
    assert!(!required, "GREENLIGHT_REQUIRE_PYTHON=1, but {why}");
    eprintln!("NOT TESTED: {why}; install moto[server], or name another Python with GREENLIGHT_PYTHON");
    None
}

/// A cluster with two instances and a deployment of it to the next major. Prints `{"deployment": id, "green": id}`.
pub(crate) const CLUSTER: &str = r#"
rds.create_db_cluster(
    DBClusterIdentifier="main-cluster", Engine="aurora-postgresql", EngineVersion="12.17",
    MasterUsername="postgres", MasterUserPassword="opens-nothing", DatabaseName="main", BackupRetentionPeriod=7)
for n in (1, 2):
    rds.create_db_instance(
        DBInstanceIdentifier=f"main-{n}", DBClusterIdentifier="main-cluster",
        Engine="aurora-postgresql", DBInstanceClass="db.r6g.large")
source = rds.describe_db_clusters(DBClusterIdentifier="main-cluster")["DBClusters"][0]["DBClusterArn"]
made = rds.create_blue_green_deployment(
    BlueGreenDeploymentName="main-to-14", Source=source, TargetEngineVersion="14.10")["BlueGreenDeployment"]
print(json.dumps({"deployment": made["BlueGreenDeploymentIdentifier"], "green": made["Target"].split(":")[-1]}))
"#;

#[test]
fn a_deployment_is_made_and_an_account_read() {
    let Some(moto) = Moto::start() else { return };
    let made: serde_json::Value = serde_json::from_str(&moto.script(CLUSTER)).expect("JSON");
    assert!(
        made["deployment"]
            .as_str()
            .is_some_and(|id| id.starts_with("bgd-"))
    );
    let here = tempfile::tempdir().expect("a folder");
    let fleet = ["fleet", "--all", "--api-only", "--target-major", "14"];
    let ran = moto.greenlight(here.path(), &fleet);
    assert!(
        ran.stdout.contains("main-cluster"),
        "{} {}{}",
        ran.code,
        ran.stdout,
        ran.stderr
    );
}
