//! An old side whose deployment is gone already: somebody deleted that first, in the console say.
//!
//! Only its name tells it from production then, so more is asked of it: a production of the name without `-oldN`, on at least
//! its version, must be there, no deployment may know it, and nothing may use it or replicate from it.

use std::path::Path;

use super::{
    Events, Old, Ready, Real, card, config, free, given, idle, is_old, name, no_replicas, place, protection,
    started, tasks,
};
use crate::{
    cli::CleanupArgs,
    commands::{Failure, World, consent, work::head},
    edge::{rds::look::Blind, terminal},
    exit::Exit,
    facts::rds::Topology,
    model::{Arn, PgVersion},
};

pub(super) async fn set_up(args: &CleanupArgs, world: &World, path: &Path) -> Result<Ready, Failure> {
    let given = given(args);
    if !args.delete_old {
        return Err(Failure::usage(format!(
            "{given}: an old side alone is deleted with --delete-old"
        )));
    }
    let old = Old {
        id: name(given).to_owned(),
        cluster: args.cluster.is_some(),
    };
    let Some(production) = production_of(&old.id) else {
        return Err(refused(format!(
            "{} is not called …-old1, as RDS calls the old side after a switchover: greenlight deletes nothing else",
            old.id
        )));
    };
    let (sdk, endpoint, by) = place(&args.aws, world).await?;
    let by_arn = given.parse::<Arn>().ok().map(|arn| arn.region().to_owned());
    let region = by_arn.or_else(|| sdk.region().map(|region| region.as_ref().to_owned()));
    let region = region.ok_or_else(|| Failure::usage("no Region: give --region or set AWS_REGION"))?;
    let real = Real::new(&sdk, &region, Events::of(&args.output));
    let (side, account) = seen(&real, &old).await?;
    no_deployment(&real, &side).await?;
    let stands = stands(&real, &old, production, &side).await?;
    protection(args, &side, None)?;
    no_replicas(&side)?;
    idle(args, world, &real, &old).await?;
    free(args, &real, old.cluster).await?;
    let tasks = tasks(args, None, &side);
    terminal::say(&card(args, None, &side, Some(&stands), path));
    consent::to("To delete what is listed", &old.id, args.yes).await?;
    let head = head(&region, Some(account), endpoint, &by, tasks.clone());
    let config = config(args.wait, args.poll, args.reconcile_for);
    let run = started(real, config, path, head, None, args.yes)?;
    Ok((run, tasks, Some(old.target())))
}

/// What production is called, by the name of its old side.
fn production_of(old: &str) -> Option<&str> {
    let (name, _) = old.rsplit_once("-old").filter(|_| is_old(old))?;
    (!name.is_empty()).then_some(name)
}

fn refused(text: String) -> Failure {
    Failure::with(Exit::Refused, format!("{text}; nothing was deleted"))
}

fn blind(error: Blind) -> Failure {
    Failure::blind(error.to_string())
}

/// A cluster with its members or an instance with its replicas, and the account that it is in.
async fn seen(real: &Real, named: &Old) -> Result<(Topology, String), Failure> {
    let arn = match named.cluster {
        true => real.lookout.cluster(&named.id).await.map(|c| c.map(|c| c.arn)),
        false => real.lookout.instance(&named.id).await.map(|i| i.map(|i| i.arn)),
    };
    let missing = || {
        let kind = if named.cluster { "cluster" } else { "instance" };
        Failure::blind(format!("there is no {kind} {}", named.id))
    };
    let arn = arn.map_err(blind)?.ok_or_else(missing)?;
    let side = real.lookout.topology(&arn, None).await.map_err(blind)?;
    let side = side.ok_or_else(missing)?;
    let member = side.cluster.is_none() && side.instances.iter().any(|i| i.cluster_id.is_some());
    if member {
        return Err(refused(format!(
            "{} is a member of a cluster: name its cluster, with --cluster",
            named.id
        )));
    }
    Ok((side, arn.account().to_owned()))
}

/// A deployment that is there is deleted first, and its old side with it.
async fn no_deployment(real: &Real, side: &Topology) -> Result<(), Failure> {
    let Some(arn) = side.arn() else { return Ok(()) };
    for by in ["source", "target"] {
        let found = real.lookout.deployments(by, arn.as_str()).await.map_err(blind)?;
        if let Some(found) = found.into_iter().find(|d| d.deleted_at.is_none()) {
            return Err(refused(format!(
                "{} is in deployment {} ({}): `greenlight cleanup --deployment {} --delete-old` removes both",
                side.id(),
                found.name,
                found.status,
                found.name
            )));
        }
    }
    Ok(())
}

/// Production, which must be there and at least as new: else the old side may be the only copy.
async fn stands(real: &Real, old: &Old, name: &str, side: &Topology) -> Result<Topology, Failure> {
    let named = Old {
        id: name.to_owned(),
        cluster: old.cluster,
    };
    let only = |why: String| {
        refused(format!(
            "{why}: {} may be the only copy of its data, and greenlight does not delete it",
            old.id
        ))
    };
    let (production, _) = seen(real, &named).await.map_err(|failure| match failure.exit {
        Exit::CouldNotLook => only(failure.message),
        _ => failure,
    })?;
    let status = match &production.cluster {
        Some(cluster) => cluster.status.as_str(),
        None => production.writer().map_or("", |i| i.status.as_str()),
    };
    if status != "available" {
        return Err(only(format!("production, {name}, is {status}")));
    }
    let runs = |side: &Topology| side.engine_version();
    let text =
        |version: Option<PgVersion>| version.map_or("an unknown version".to_owned(), |v| v.to_string());
    if runs(&production).is_none() || runs(&production) < runs(side) {
        return Err(only(format!(
            "production, {name}, runs {}, and {} runs {}",
            text(runs(&production)),
            old.id,
            text(runs(side))
        )));
    }
    Ok(production)
}

#[cfg(test)]
mod tests {
    use super::production_of;

    #[test]
    fn production_is_called_as_the_old_side_without_its_suffix() {
        assert_eq!(production_of("main-old1"), Some("main"));
        assert_eq!(production_of("main-old1-old2"), Some("main-old1"));
        assert_eq!(production_of("main"), None);
        assert_eq!(production_of("-old1"), None);
    }
}
