//! From flags to facts: which cluster, which servers, as whom, through what.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use jiff::Timestamp;

use super::{Failure, World};
use crate::{
    cli::{AwsArgs, DatabaseArgs, SubjectArgs, TargetArgs},
    edge::{
        auth::{Authenticator, Method, PerSide},
        aws::{self, AwsSettings},
        clock,
        collect::{self, Order},
        connect::{ConnectSpec, Timeouts, Tunnels},
        contents::Wish,
        deadline,
        postgres::Manners,
        rds::{self, Endpoint, RdsRequest},
        terminal::{self, Progress},
        tls::{Roots, TlsMode, TlsSettings},
    },
    facts::{
        Fact, Facts, Request, Why,
        rds::{RdsFacts, Topology},
    },
    model::{Arn, Engine, PgVersion, Phase, Side},
};

pub(super) use crate::edge::rds::Subject;

/// The role that is tried where nothing names one; `greenlight sql-role` makes it.
const ROLE: &str = "greenlight";

/// What is wanted besides the target itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The question, where one was asked.
    pub(super) phase: Option<Phase>,
    /// Collect for every phase and target.
    pub(super) everything: bool,
    /// Only these checks.
    pub(super) only: &'a [String],
}

/// Where the facts come from: the servers, and what the control plane said of them.
#[derive(Clone)]
pub(super) struct Target {
    /// The control plane, or that it was not asked.
    pub(super) rds: Fact<RdsFacts>,
    /// The engine, as far as the control plane tells.
    pub(super) engine: Engine,
    /// What was asked for, completed by what the deployment says.
    pub(super) request: Request,
    /// Production.
    pub(super) blue: ConnectSpec,
    /// The copy, where there is one.
    pub(super) green: Option<ConnectSpec>,
}

/// What the control plane told, for a command that cannot go on without it.
pub(super) fn rds(rds: &Fact<RdsFacts>) -> Result<&RdsFacts, Failure> {
    rds.known().ok_or_else(|| Failure::blind("RDS was not asked"))
}

/// Blue's ARN, for a command that cannot go on without it.
pub(super) fn blue_arn(rds: &RdsFacts) -> Result<Arn, Failure> {
    let arn = rds.blue.known().and_then(Topology::arn);
    arn.cloned()
        .ok_or_else(|| Failure::blind("the database is not known"))
}

/// Reads everything that the flags ask for.
///
/// # Errors
/// Where the flags are wrong, or where nothing could be looked at.
pub(super) async fn read(
    target: &TargetArgs,
    aws: &AwsArgs,
    databases: &DatabaseArgs,
    wanted: Wanted<'_>,
    world: &World,
) -> Result<Facts, Failure> {
    let progress = Progress::start();
    let look = Box::pin(read_with(target, aws, databases, wanted, world, &progress));
    let outcome = in_time(databases, look).await;
    progress.finish();
    outcome
}

/// Runs a look of a command that has `--deadline`.
pub(super) async fn in_time<T>(databases: &DatabaseArgs, look: impl Future<Output = T>) -> T {
    deadline::within(databases.deadline.unwrap_or(deadline::USUAL), look).await
}

async fn read_with(
    target: &TargetArgs,
    aws: &AwsArgs,
    databases: &DatabaseArgs,
    wanted: Wanted<'_>,
    world: &World,
    progress: &Progress,
) -> Result<Facts, Failure> {
    let begun = clock::now();
    let target = find(target, aws, databases, world, progress).await?;
    facts(target, databases, wanted, begun, progress).await
}

/// Finds the servers.
///
/// # Errors
/// Where the flags are wrong, or where the subject cannot be found.
pub(super) async fn find(
    target: &TargetArgs,
    aws: &AwsArgs,
    databases: &DatabaseArgs,
    world: &World,
    progress: &Progress,
) -> Result<Target, Failure> {
    let ways = Ways::of(databases)?;
    let look = Box::pin(async {
        match (&target.blue_url, subject(&target.subject)) {
            (Some(blue), _) => from_urls(target, blue, databases, &ways, aws, world).await,
            (None, Some(subject)) => from_rds(target, subject, aws, databases, &ways, world, progress).await,
            (None, None) => Err(Failure::usage(
                "say what to look at: --cluster, --instance, --deployment, --blue-url or --facts",
            )),
        }
    });
    let found = in_time(databases, look).await?;
    roots_end(&found);
    Ok(found)
}

/// Says which of the roots in use end soon.
fn roots_end(target: &Target) {
    let verifying = [Some(&target.blue), target.green.as_ref()].into_iter().flatten();
    let notes = verifying
        .filter(|spec| spec.tls.effective_mode().verifies())
        .filter_map(|spec| spec.tls.roots.note(clock::now()));
    for note in notes.collect::<BTreeSet<String>>() {
        terminal::say(&format!("note: the root {note}"));
    }
}

/// Asks the servers.
///
/// # Errors
/// Where blue cannot be connected to.
pub(super) async fn facts(
    target: Target,
    databases: &DatabaseArgs,
    wanted: Wanted<'_>,
    begun: Timestamp,
    progress: &Progress,
) -> Result<Facts, Failure> {
    let order = Order {
        request: target.request,
        engine: target.engine,
        rds: target.rds,
        phase: wanted.phase,
        everything: wanted.everything,
        lag_samples: databases.lag_samples,
        lag_interval: Duration::from_secs(1),
        manners: Manners {
            connections: databases.connections.max(1),
            evidence_rows: databases.evidence.max(1),
            ..Manners::default()
        },
        only: wanted.only.to_vec(),
        contents: wish(databases),
    };
    if order.contents.is_some() && target.green.is_none() {
        return Err(Failure::usage(
            "--compare-rows compares blue with green, and there is no green: name the deployment, or give --green-url",
        ));
    }
    progress.waiting(&format!("connecting to {}", target.blue.endpoint()));
    let told = |side, done, total| progress.databases(side, done, total);
    let tables = |what: &str| progress.waiting(what);
    collect::collect(order, &target.blue, target.green.as_ref(), begun, &told, &tables)
        .await
        .map_err(|e| Failure::blind(e.to_string()))
}

/// The tables to compare.
fn wish(databases: &DatabaseArgs) -> Option<Wish> {
    let asked = !databases.compare_rows.is_empty();
    asked.then(|| Wish {
        patterns: databases.compare_rows.clone(),
        rate: databases.compare_rate,
    })
}

/// What `--cluster`, `--instance` or `--deployment` names.
pub(super) fn subject(named: &SubjectArgs) -> Option<Subject> {
    let cluster = named.cluster.clone().map(Subject::Cluster);
    cluster
        .or_else(|| named.instance.clone().map(Subject::Instance))
        .or_else(|| named.deployment.clone().map(Subject::Deployment))
}

/// How each side is logged in to and reached.
pub(super) struct Ways {
    method: PerSide<Method>,
    user: PerSide<Option<String>>,
    tunnels: Tunnels,
    tls_mode: Option<TlsMode>,
    /// From `--tls-ca`; else what the connection string says, else Amazon's.
    roots: Option<Arc<Roots>>,
}

impl Ways {
    /// From the flags.
    ///
    /// # Errors
    /// Where they are wrong.
    pub(super) fn of(databases: &DatabaseArgs) -> Result<Self, Failure> {
        let some = |text: &str| Ok::<_, String>(Some(text.to_owned()));
        let tls_mode = databases.tls_mode.as_ref().map(|mode| mode.parse()).transpose();
        let roots = databases.tls_ca.as_ref().map(Roots::from_file).transpose();
        let roots = roots
            .map_err(|e| Failure::usage(format!("--tls-ca: {e}")))?
            .map(Arc::new);
        let tunnels = Tunnels::from_flags("--connect", &databases.connect).map_err(Failure::usage)?;
        Ok(Self {
            method: PerSide::from_flags("--auth", &databases.auth, Method::Password, str::parse)
                .map_err(Failure::usage)?,
            user: PerSide::from_flags("--db-user", &databases.db_user, None, some).map_err(Failure::usage)?,
            tunnels,
            tls_mode: tls_mode.map_err(|e| Failure::usage(format!("--tls-mode: {e}")))?,
            roots,
        })
    }

    fn of_side<'a, T>(&self, value: &'a PerSide<T>, side: Side) -> &'a T {
        if side == Side::Green {
            &value.green
        } else {
            &value.blue
        }
    }

    /// The flags that go over whatever named the server.
    fn over(
        &self,
        mut spec: ConnectSpec,
        side: Side,
        members: &[&str],
        databases: &DatabaseArgs,
    ) -> ConnectSpec {
        spec.tls = spec.tls.overridden(self.tls_mode, self.roots.clone());
        if let Some(seconds) = databases.timeout_connect {
            spec.timeouts = Timeouts::within(Duration::from_secs(seconds.max(1)));
        }
        match self.tunnels.to(side, members) {
            Some((host, port)) => spec.through(host, port),
            None => spec,
        }
    }

    /// A server whose endpoint the control plane told.
    pub(super) fn spec(
        &self,
        endpoint: &Endpoint,
        side: Side,
        databases: &DatabaseArgs,
        aws: (&SdkConfig, &str),
        world: &World,
    ) -> ConnectSpec {
        let method = self.of_side(&self.method, side).clone();
        let by_secret = matches!(method, Method::Secret(_));
        let (config, region) = aws;
        let mut auth =
            Authenticator::new(method, world.env.clone()).with_aws(config.clone(), Some(region.to_owned()));
        let user = self.of_side(&self.user, side).clone();
        let user = user.or_else(|| world.env.get("PGUSER").map(str::to_owned));
        // A secret knows its own user.
        let user = user.or_else(|| (!by_secret).then(|| ROLE.to_owned()));
        if let Some(user) = user {
            auth = auth.with_user(user);
        }
        let database = databases.dbname.clone().or_else(|| endpoint.database.clone());
        let tls = TlsSettings::new(TlsMode::default_for(&endpoint.host), Arc::new(Roots::bundled()));
        let database = database.unwrap_or_else(|| "postgres".to_owned());
        let spec = ConnectSpec::new(&endpoint.host, endpoint.port, database, Arc::new(auth), tls);
        self.over(spec, side, &[&endpoint.host], databases)
    }
}

/// Servers that connection strings name.
async fn from_urls(
    target: &TargetArgs,
    blue: &str,
    databases: &DatabaseArgs,
    ways: &Ways,
    aws: &AwsArgs,
    world: &World,
) -> Result<Target, Failure> {
    // Only tokens and secrets need AWS here; without them nothing of it is touched.
    let needs_aws = |method: &Method| matches!(method, Method::Iam | Method::Secret(_));
    let config = if needs_aws(&ways.method.blue) || needs_aws(&ways.method.green) {
        Some(aws_config(aws, world).await?.0)
    } else {
        None
    };
    let spec = |flag: &str, url: &str, side: Side| {
        let method = ways.of_side(&ways.method, side).clone();
        ConnectSpec::from_conninfo(url, method, &world.env, config.clone())
            .map(|spec| ways.over(spec, side, &[], databases))
            .map_err(|e| Failure::usage(format!("{flag}: {e}")))
    };
    Ok(Target {
        rds: Fact::unknown(Why::NotAsked, "only the databases were asked (--blue-url)"),
        engine: Engine::Postgres,
        request: Request {
            subject: None,
            target_version: target.target_version,
            target_parameter_group: target.target_parameter_group.clone(),
        },
        blue: spec("--blue-url", blue, Side::Blue)?,
        green: target
            .green_url
            .as_ref()
            .map(|url| spec("--green-url", url, Side::Green))
            .transpose()?,
    })
}

/// The AWS configuration, and the endpoint where it is not AWS's own.
pub(super) async fn aws_config(aws: &AwsArgs, world: &World) -> Result<(SdkConfig, Option<String>), Failure> {
    let settings = AwsSettings {
        region: aws.region.clone(),
        profile: aws.profile.clone(),
        endpoint_url: aws.endpoint_url.clone(),
    };
    let config = aws::load(&settings, &world.env).await?;
    let endpoint = aws::endpoint_url(&config, &settings, &world.env);
    Ok((config, endpoint))
}

/// Servers that the control plane names.
async fn from_rds(
    target: &TargetArgs,
    subject: Subject,
    aws: &AwsArgs,
    databases: &DatabaseArgs,
    ways: &Ways,
    world: &World,
    progress: &Progress,
) -> Result<Target, Failure> {
    let (config, endpoint_url) = aws_config(aws, world).await?;
    progress.waiting("asking the RDS API");
    let request = RdsRequest {
        subject,
        target_version: target.target_version,
        target_parameter_group: target.target_parameter_group.clone(),
        endpoint_url,
    };
    let asked = Box::pin(rds::collect(&config, &request));
    let collected = deadline::half(asked).await?;
    servers_of(target, collected, config, databases, ways, world)
}

/// The servers of what the control plane showed.
///
/// # Errors
/// Where the flags are wrong, or blue has no endpoint.
pub(super) async fn servers(
    target: &TargetArgs,
    collected: rds::Collected,
    aws: &AwsArgs,
    databases: &DatabaseArgs,
    world: &World,
) -> Result<Target, Failure> {
    let (config, _) = aws_config(aws, world).await?;
    servers_of(target, collected, config, databases, &Ways::of(databases)?, world)
}

fn servers_of(
    target: &TargetArgs,
    collected: rds::Collected,
    config: SdkConfig,
    databases: &DatabaseArgs,
    ways: &Ways,
    world: &World,
) -> Result<Target, Failure> {
    let region = collected.facts.region.clone();
    let known: Vec<&str> = [&collected.blue, &collected.green]
        .into_iter()
        .flatten()
        .map(|endpoint| endpoint.host.as_str())
        .collect();
    if let Some(name) = ways.tunnels.unknown(&known).first() {
        let sides = "blue, green or the endpoint of one of them";
        return Err(Failure::usage(format!(
            "--connect {name}=…: there is no {name:?} here; name {sides}"
        )));
    }
    let spec = |endpoint: &Endpoint, side| ways.spec(endpoint, side, databases, (&config, &region), world);
    let blue = collected.blue.as_ref().ok_or_else(|| {
        let subject = subject(&target.subject);
        let name = subject.as_ref().map_or("blue", Subject::name);
        Failure::blind(format!(
            "{name} has no endpoint to connect to: is it stopped, being made, or deleted?"
        ))
    })?;
    Ok(Target {
        blue: spec(blue, Side::Blue),
        green: collected
            .green
            .as_ref()
            .map(|endpoint| spec(endpoint, Side::Green)),
        rds: Fact::Known(collected.facts),
        engine: collected.engine,
        request: collected.request,
    })
}

/// A question to the RDS API alone.
pub(super) struct RdsOnly<'a> {
    subject: &'a SubjectArgs,
    aws: &'a AwsArgs,
    target_version: Option<PgVersion>,
    target_parameter_group: Option<String>,
}

/// A question to the RDS API alone.
pub(super) fn rds_only<'a>(
    subject: &'a SubjectArgs,
    aws: &'a AwsArgs,
    target_version: Option<PgVersion>,
    target_parameter_group: Option<String>,
) -> RdsOnly<'a> {
    RdsOnly {
        subject,
        aws,
        target_version,
        target_parameter_group,
    }
}

/// Asks the RDS API about a cluster, an instance or a deployment.
///
/// # Errors
/// Where none was named, or it cannot be looked at.
pub(super) async fn control_plane(
    wanted: RdsOnly<'_>,
    world: &World,
    progress: &Progress,
) -> Result<rds::Collected, Failure> {
    let subject = subject(wanted.subject).ok_or_else(|| {
        Failure::usage("say what to look at: --cluster, --instance, --deployment or --facts")
    })?;
    let look = Box::pin(async {
        let (config, endpoint_url) = aws_config(wanted.aws, world).await?;
        progress.waiting("asking the RDS API");
        let request = RdsRequest {
            subject,
            target_version: wanted.target_version,
            target_parameter_group: wanted.target_parameter_group,
            endpoint_url,
        };
        Ok(rds::collect(&config, &request).await?)
    });
    deadline::within(deadline::USUAL, look).await
}
