//! Flags that several commands have.

use std::path::PathBuf;

use clap::Args;

use crate::{model::PgVersion, output::Format, verdict::Level};

/// What is looked at.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What to look at")]
pub struct TargetArgs {
    /// What RDS calls it
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Databases only, without AWS: blue as postgres://USER@HOST:PORT/DB or libpq's key=value form
    #[arg(long, value_name = "URL", group = "subject")]
    pub blue_url: Option<String>,
    /// Databases only: green, likewise
    #[arg(long, value_name = "URL", requires = "blue_url")]
    pub green_url: Option<String>,
    /// The version to upgrade to, for example 14.10 or 16; the deployment's own where there is one
    #[arg(long, value_name = "VERSION")]
    pub target_version: Option<PgVersion>,
    /// The (cluster) parameter group that green is to have; the deployment's own where there is one
    #[arg(long, value_name = "NAME")]
    pub target_parameter_group: Option<String>,
}

impl TargetArgs {
    /// A deployment, by name or identifier.
    pub fn of_deployment(id: &str) -> Self {
        Self {
            subject: SubjectArgs::of_deployment(id),
            ..Self::default()
        }
    }
}

/// What is looked at through the RDS API alone.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What to look at")]
pub struct SubjectArgs {
    /// Aurora cluster, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub cluster: Option<String>,
    /// RDS instance, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub instance: Option<String>,
    /// Blue/green deployment, by name or bgd-… identifier
    #[arg(long, value_name = "ID", group = "subject")]
    pub deployment: Option<String>,
}

impl SubjectArgs {
    /// A deployment, by name or identifier.
    pub fn of_deployment(id: &str) -> Self {
        Self {
            deployment: Some(id.to_owned()),
            ..Self::default()
        }
    }
}

/// What is upgraded, where there is no deployment yet.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceArgs {
    /// Aurora cluster, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub cluster: Option<String>,
    /// RDS instance, by name or ARN
    #[arg(long, value_name = "ID", group = "subject")]
    pub instance: Option<String>,
}

impl SourceArgs {
    /// The name or ARN that was given.
    pub fn named(&self) -> Option<&str> {
        self.cluster.as_deref().or(self.instance.as_deref())
    }

    /// As commands name it that also take a deployment.
    pub fn subject(&self) -> SubjectArgs {
        SubjectArgs {
            cluster: self.cluster.clone(),
            instance: self.instance.clone(),
            deployment: None,
        }
    }
}

/// How AWS is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
pub struct AwsArgs {
    /// Region, instead of the environment's
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Profile of the AWS configuration; goes over keys of the environment
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Endpoint of the RDS API; plain http only on this machine
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// How the databases are reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Databases")]
pub struct DatabaseArgs {
    /// Role to log in as (default: PGUSER, else greenlight); `blue=NAME`, `green=NAME` for one side
    #[arg(long, value_name = "[SIDE=]NAME")]
    pub db_user: Vec<String>,
    /// How to log in: password, iam, secret:ARN or command:PROGRAM; `blue=…`, `green=…` for one side
    #[arg(long, value_name = "[SIDE=]METHOD")]
    pub auth: Vec<String>,
    /// Connect to HOST:PORT instead (a tunnel); TLS still verifies the real endpoint
    #[arg(long, value_name = "SIDE=HOST:PORT")]
    pub connect: Vec<String>,
    /// Database to begin with (default: the one made with the cluster, else postgres)
    #[arg(long, value_name = "NAME")]
    pub dbname: Option<String>,
    /// TLS as libpq's sslmode says it (default: verify-full, except on this machine)
    #[arg(long, value_name = "MODE")]
    pub tls_mode: Option<String>,
    /// Trust the roots in this PEM file instead of Amazon's
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Longest time for opening a connection, in seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout_connect: Option<u64>,
    /// Longest time for looking at everything, such as 90s or 5m; what has not answered by then is unknown (default: 15m)
    #[arg(long, value_name = "DURATION", value_parser = crate::edge::deadline::duration)]
    pub deadline: Option<std::time::Duration>,
    /// Connections to one server at the same time, at most
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub connections: usize,
    /// Rows of evidence per check and database
    #[arg(long, value_name = "N", default_value_t = crate::facts::EVIDENCE_ROWS)]
    pub evidence: u64,
    /// Looks at the replication lag, a second apart
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub lag_samples: usize,
    /// Compare the rows of these tables on blue and green (`orders`, `sales.*`, `DATABASE/TABLE`); needs SELECT on them
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    pub compare_rows: Vec<String>,
    /// Rows compared in a second, at most; 0 for no limit
    #[arg(long, value_name = "ROWS", default_value_t = 50_000)]
    pub compare_rate: u64,
}

/// How the verdict is made.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Verdict")]
pub struct PolicyArgs {
    /// Policy file: thresholds, levels, waivers (default: greenlight.toml where there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only these checks or groups
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All but these checks or groups
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Lowest level that makes the verdict "not ready"
    #[arg(long, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
}

/// How a report is shown.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// What stdout gets; with github also the step's summary is written
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Option<Format>,
    /// Also write the report to a file; may be given again: -o html=report.html -o json=report.json
    #[arg(short, long = "output", value_name = "FORMAT=FILE")]
    pub output: Vec<String>,
}
